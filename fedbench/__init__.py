"""fedbench: federated learning under privacy, explored live."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "fedbench.aggregators": (
        "CoordinateMedian",
        "GeometricMedian",
        "Krum",
        "Mean",
        "MultiKrum",
        "TrimmedMean",
    ),
    "fedbench.attacks": ("GaussianUpdate", "LabelFlip", "NoAttack", "SignFlip"),
    "fedbench.channel.privacy": ("ClientLevelDP", "ExampleLevelDP", "NoPrivacy"),
    "fedbench.data": (
        "BreastCancer",
        "DiabetesProgression",
        "Digits",
        "Dirichlet",
        "IID",
        "Population",
        "Wine",
    ),
    "fedbench.engine": ("LoopEngine", "StackedEngine"),
    "fedbench.experiment": ("Experiment", "Target"),
    "fedbench.models": ("CNN", "GRU", "Linear", "MLP", "MatrixFactorisation", "TextClassifier"),
    "fedbench.runs": ("History", "Session", "run"),
    "fedbench.sampling": ("Everyone", "FixedCohort", "Poisson"),
    "fedbench.strategies": (
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
        "Scaffold",
    ),
    "fedbench.training": ("LocalTraining",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from fedbench.aggregators import (
        CoordinateMedian,
        GeometricMedian,
        Krum,
        Mean,
        MultiKrum,
        TrimmedMean,
    )
    from fedbench.attacks import GaussianUpdate, LabelFlip, NoAttack, SignFlip
    from fedbench.channel.privacy import ClientLevelDP, ExampleLevelDP, NoPrivacy
    from fedbench.data import (
        IID,
        BreastCancer,
        DiabetesProgression,
        Digits,
        Dirichlet,
        Population,
        Wine,
    )
    from fedbench.engine import LoopEngine, StackedEngine
    from fedbench.experiment import Experiment, Target
    from fedbench.models import CNN, GRU, MLP, Linear, MatrixFactorisation, TextClassifier
    from fedbench.runs import History, Session, run
    from fedbench.sampling import Everyone, FixedCohort, Poisson
    from fedbench.strategies import (
        Ditto,
        FedAdagrad,
        FedAdam,
        FedAvg,
        FedAvgM,
        FedDyn,
        FedNova,
        FedPer,
        FedProx,
        FedSGD,
        FedYogi,
        FineTuning,
        Scaffold,
    )
    from fedbench.training import LocalTraining

__all__ = [
    "CNN",
    "GRU",
    "IID",
    "MLP",
    "BreastCancer",
    "ClientLevelDP",
    "CoordinateMedian",
    "DiabetesProgression",
    "Digits",
    "Dirichlet",
    "Ditto",
    "Everyone",
    "ExampleLevelDP",
    "Experiment",
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
    "FixedCohort",
    "GaussianUpdate",
    "GeometricMedian",
    "History",
    "Krum",
    "LabelFlip",
    "Linear",
    "LocalTraining",
    "LoopEngine",
    "MatrixFactorisation",
    "Mean",
    "MultiKrum",
    "NoAttack",
    "NoPrivacy",
    "Poisson",
    "Population",
    "Scaffold",
    "Session",
    "SignFlip",
    "StackedEngine",
    "Target",
    "TextClassifier",
    "TrimmedMean",
    "Wine",
    "run",
]


def __getattr__(name: str) -> Any:
    # Names load on first use, so that `import fedbench` costs next to nothing.
    if name not in _HOME:
        raise AttributeError(f"module 'fedbench' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
