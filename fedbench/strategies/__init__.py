"""Strategies: one federated algorithm per file."""

from fedbench.strategies.fedavg import FedAvg
from fedbench.strategies.fedsgd import FedSGD
from fedbench.strategies.strategy import RoundInfo, Strategy

__all__ = ["FedAvg", "FedSGD", "RoundInfo", "Strategy"]
