"""Models: one family per file, each gives a torch module and a loss."""

from fedbench.models.linear import Linear
from fedbench.models.mlp import MLP
from fedbench.models.model import METRICS, Model, scores

__all__ = ["METRICS", "MLP", "Linear", "Model", "scores"]
