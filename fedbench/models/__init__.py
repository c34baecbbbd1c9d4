"""Models: one family per file, each gives a torch module and a loss."""

from fedbench.models.call import call
from fedbench.models.cnn import CNN
from fedbench.models.factorisation import MatrixFactorisation
from fedbench.models.gru import GRU
from fedbench.models.linear import Linear
from fedbench.models.mlp import MLP
from fedbench.models.model import Model, borrowed, metrics_of, scores
from fedbench.models.text import TextClassifier

__all__ = [
    "CNN",
    "GRU",
    "MLP",
    "Linear",
    "MatrixFactorisation",
    "Model",
    "TextClassifier",
    "borrowed",
    "call",
    "metrics_of",
    "scores",
]
