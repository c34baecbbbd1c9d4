"""Strategies: one federated algorithm per file."""

from fedbench.strategies.fedadagrad import FedAdagrad
from fedbench.strategies.fedadam import FedAdam
from fedbench.strategies.fedavg import FedAvg
from fedbench.strategies.fedavgm import FedAvgM
from fedbench.strategies.feddyn import FedDyn
from fedbench.strategies.fednova import FedNova
from fedbench.strategies.fedprox import FedProx
from fedbench.strategies.fedsgd import FedSGD
from fedbench.strategies.fedyogi import FedYogi
from fedbench.strategies.scaffold import Scaffold
from fedbench.strategies.strategy import RoundInfo, Strategy

__all__ = [
    "FedAdagrad",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedDyn",
    "FedNova",
    "FedProx",
    "FedSGD",
    "FedYogi",
    "RoundInfo",
    "Scaffold",
    "Strategy",
]
