"""Strategies: one federated algorithm per file."""

from fedbench.strategies.ditto import Ditto
from fedbench.strategies.fedadagrad import FedAdagrad
from fedbench.strategies.fedadam import FedAdam
from fedbench.strategies.fedavg import FedAvg
from fedbench.strategies.fedavgm import FedAvgM
from fedbench.strategies.feddyn import FedDyn
from fedbench.strategies.fednova import FedNova
from fedbench.strategies.fedper import FedPer
from fedbench.strategies.fedprox import FedProx
from fedbench.strategies.fedsgd import FedSGD
from fedbench.strategies.fedyogi import FedYogi
from fedbench.strategies.finetuning import FineTuning
from fedbench.strategies.scaffold import Scaffold
from fedbench.strategies.strategy import LocalWork, RoundInfo, Strategy

__all__ = [
    "Ditto",
    "FedAdagrad",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedDyn",
    "FedNova",
    "FedPer",
    "FedProx",
    "FedSGD",
    "FedYogi",
    "FineTuning",
    "LocalWork",
    "RoundInfo",
    "Scaffold",
    "Strategy",
]
