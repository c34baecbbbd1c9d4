"""Data: sources, partitioners and the federated data set they give."""

from fedbench.data.arriving import Arriving
from fedbench.data.by_time import ByTime
from fedbench.data.card import Card
from fedbench.data.embedded import BreastCancer, DiabetesProgression, Digits, Wine
from fedbench.data.explicit import Explicit
from fedbench.data.federated import FederatedDataset, Plan
from fedbench.data.label_skew import InnerDirichlet, Pathological, Shards
from fedbench.data.natural import GroupedNatural, Natural
from fedbench.data.own import Table, TableError, TableFacts
from fedbench.data.partition import IID, ClassSplit, Dirichlet, Partitioner, Split
from fedbench.data.population import Population
from fedbench.data.quantity import GivenSizes, Sizes
from fedbench.data.real import (
    AI4I2020,
    CMAPSS,
    MNIST,
    TCGABRCA,
    AdultIncome,
    BeijingAir,
    BikeSharing,
    CreditDefault,
    Diabetes130,
    FashionMNIST,
    GEFCom2012,
    GermanCredit,
    HeartDisease,
    LosLoop,
    MovieLens100K,
    PJMLoad,
    SentimentSentences,
    TinyShakespeare,
)
from fedbench.data.simulated import Banks, CityLoad, Fleet, Hospitals
from fedbench.data.skews import (
    FeatureNoise,
    LabelNoise,
    LabelPermutation,
    MissingFeatures,
    Rotation,
    Scaling,
    Shift,
    Skew,
)
from fedbench.data.source import (
    Column,
    Dataset,
    GivenSplit,
    RandomSplit,
    Raw,
    Source,
    Timed,
    TimeSplit,
)
from fedbench.data.values import Features

__all__ = [
    "AI4I2020",
    "CMAPSS",
    "IID",
    "MNIST",
    "TCGABRCA",
    "AdultIncome",
    "Arriving",
    "Banks",
    "BeijingAir",
    "BikeSharing",
    "BreastCancer",
    "ByTime",
    "Card",
    "CityLoad",
    "ClassSplit",
    "Column",
    "CreditDefault",
    "Dataset",
    "Diabetes130",
    "DiabetesProgression",
    "Digits",
    "Dirichlet",
    "Explicit",
    "FashionMNIST",
    "FeatureNoise",
    "Features",
    "FederatedDataset",
    "Fleet",
    "GEFCom2012",
    "GermanCredit",
    "GivenSizes",
    "GivenSplit",
    "GroupedNatural",
    "HeartDisease",
    "Hospitals",
    "InnerDirichlet",
    "LabelNoise",
    "LabelPermutation",
    "LosLoop",
    "MissingFeatures",
    "MovieLens100K",
    "Natural",
    "PJMLoad",
    "Partitioner",
    "Pathological",
    "Plan",
    "Population",
    "RandomSplit",
    "Raw",
    "Rotation",
    "Scaling",
    "SentimentSentences",
    "Shards",
    "Shift",
    "Sizes",
    "Skew",
    "Source",
    "Split",
    "Table",
    "TableError",
    "TableFacts",
    "TimeSplit",
    "Timed",
    "TinyShakespeare",
    "Wine",
]
