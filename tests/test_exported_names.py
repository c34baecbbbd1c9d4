"""The public names of fedbench, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fedbench

NAMES = [
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


def test_the_public_names() -> None:
    assert fedbench.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there_and_documented(name: str) -> None:
    value = getattr(fedbench, name)
    assert value.__name__ == name
    assert value.__doc__
    assert value.__module__.startswith("fedbench.")
    assert name in dir(fedbench)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'fedbench' has no attribute 'FedAvgg'"):
        _ = fedbench.FedAvgg


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("fedbench", ("torch", "numpy", "pydantic")),
        ("fedbench.experiment", ("torch", "sklearn", "scipy.stats", "pandas", "plotly")),
        ("fedbench.scenarios", ("torch", "sklearn", "pandas", "plotly")),
    ],
)
def test_what_importing_does_not_load(module: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*[m for m in {absent!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
