"""Data: sources, partitioners and the federated data set they give."""

from fedbench.data.by_time import ByTime
from fedbench.data.card import Card
from fedbench.data.embedded import BreastCancer, DiabetesProgression, Digits, Wine
from fedbench.data.explicit import Explicit
from fedbench.data.federated import FederatedDataset, Plan
from fedbench.data.label_skew import InnerDirichlet, Pathological, Shards
from fedbench.data.natural import GroupedNatural, Natural
from fedbench.data.partition import IID, ClassSplit, Dirichlet, Partitioner, Split
from fedbench.data.population import Population
from fedbench.data.quantity import GivenSizes, Sizes
from fedbench.data.real import (
    MNIST,
    TCGABRCA,
    CreditDefault,
    FashionMNIST,
    GermanCredit,
    HeartDisease,
)
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
    Features,
    GivenSplit,
    RandomSplit,
    Raw,
    Source,
    TimeSplit,
)

__all__ = [
    "IID",
    "MNIST",
    "TCGABRCA",
    "BreastCancer",
    "ByTime",
    "Card",
    "ClassSplit",
    "Column",
    "CreditDefault",
    "Dataset",
    "DiabetesProgression",
    "Digits",
    "Dirichlet",
    "Explicit",
    "FashionMNIST",
    "FeatureNoise",
    "Features",
    "FederatedDataset",
    "GermanCredit",
    "GivenSizes",
    "GivenSplit",
    "GroupedNatural",
    "HeartDisease",
    "InnerDirichlet",
    "LabelNoise",
    "LabelPermutation",
    "MissingFeatures",
    "Natural",
    "Partitioner",
    "Pathological",
    "Plan",
    "Population",
    "RandomSplit",
    "Raw",
    "Rotation",
    "Scaling",
    "Shards",
    "Shift",
    "Sizes",
    "Skew",
    "Source",
    "Split",
    "TimeSplit",
    "Wine",
]
