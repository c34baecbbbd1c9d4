"""Real data sets, read from the files that their publishers give out."""

from fedbench.data.real.credit_default import CreditDefault
from fedbench.data.real.german_credit import GermanCredit
from fedbench.data.real.heart_disease import HeartDisease
from fedbench.data.real.images import MNIST, FashionMNIST
from fedbench.data.real.tcga_brca import TCGABRCA

__all__ = ["MNIST", "TCGABRCA", "CreditDefault", "FashionMNIST", "GermanCredit", "HeartDisease"]
