"""Data: sources, partitioners and the federated data set they give."""

from fedbench.data.card import Card
from fedbench.data.embedded import BreastCancer, DiabetesProgression, Digits, Wine
from fedbench.data.federated import FederatedDataset, Plan
from fedbench.data.partition import IID, Dirichlet, Partitioner, Split
from fedbench.data.population import Population
from fedbench.data.source import Dataset, Features, Source

__all__ = [
    "IID",
    "BreastCancer",
    "Card",
    "Dataset",
    "DiabetesProgression",
    "Digits",
    "Dirichlet",
    "Features",
    "FederatedDataset",
    "Partitioner",
    "Plan",
    "Population",
    "Source",
    "Split",
    "Wine",
]
