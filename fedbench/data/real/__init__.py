"""Real data sets, read from the files that their publishers give out."""

from fedbench.data.real.adult import AdultIncome
from fedbench.data.real.ai4i import AI4I2020
from fedbench.data.real.beijing_air import BeijingAir
from fedbench.data.real.bike_sharing import BikeSharing
from fedbench.data.real.cmapss import CMAPSS
from fedbench.data.real.credit_default import CreditDefault
from fedbench.data.real.diabetes130 import Diabetes130
from fedbench.data.real.gefcom2012 import GEFCom2012
from fedbench.data.real.german_credit import GermanCredit
from fedbench.data.real.heart_disease import HeartDisease
from fedbench.data.real.images import MNIST, FashionMNIST
from fedbench.data.real.los_loop import LosLoop
from fedbench.data.real.movielens import MovieLens100K
from fedbench.data.real.pjm_load import PJMLoad
from fedbench.data.real.sentences import SentimentSentences
from fedbench.data.real.shakespeare import TinyShakespeare
from fedbench.data.real.tcga_brca import TCGABRCA

__all__ = [
    "AI4I2020",
    "CMAPSS",
    "MNIST",
    "TCGABRCA",
    "AdultIncome",
    "BeijingAir",
    "BikeSharing",
    "CreditDefault",
    "Diabetes130",
    "FashionMNIST",
    "GEFCom2012",
    "GermanCredit",
    "HeartDisease",
    "LosLoop",
    "MovieLens100K",
    "PJMLoad",
    "SentimentSentences",
    "TinyShakespeare",
]
