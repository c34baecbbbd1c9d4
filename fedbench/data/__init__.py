"""Data: sources, partitioners and the federated data set they give."""

from fedbench.data.card import Card
from fedbench.data.embedded import BreastCancer, DiabetesProgression, Digits, Wine
from fedbench.data.federated import FederatedDataset, Plan
from fedbench.data.natural import Natural
from fedbench.data.partition import IID, ClassSplit, Dirichlet, Partitioner, Split
from fedbench.data.population import Population
from fedbench.data.skews import FeatureNoise, Skew
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
    "BreastCancer",
    "Card",
    "ClassSplit",
    "Column",
    "Dataset",
    "DiabetesProgression",
    "Digits",
    "Dirichlet",
    "FeatureNoise",
    "Features",
    "FederatedDataset",
    "GivenSplit",
    "Natural",
    "Partitioner",
    "Plan",
    "Population",
    "RandomSplit",
    "Raw",
    "Skew",
    "Source",
    "Split",
    "TimeSplit",
    "Wine",
]
