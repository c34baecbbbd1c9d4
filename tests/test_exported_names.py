"""The public names of fedbench, and what importing it costs."""

from __future__ import annotations

import pydoc
import subprocess
import sys

import pytest

import fedbench
from fedbench.config.spec import Part
from tests.laws.conftest import concrete

NAMES = fedbench.__all__


def test_names_are_in_order() -> None:
    assert sorted(NAMES) == NAMES
    assert {"Experiment", "Session", "History", "run", "FedAvg", "Digits"} <= set(NAMES)


def test_what_a_user_subclasses_or_catches_is_public() -> None:
    bases = {"Aggregator", "Attack", "Availability", "Engine", "LocalTraining", "Model"}
    bases |= {"Partitioner", "Sampling", "Skew", "Source", "Strategy", "RandomSplit", "TimeSplit"}
    found = {"Card", "Column", "Raw", "RoundRecord", "RoundInfo", "RunFailed", "SessionError"}
    assert bases | found <= set(NAMES)


@pytest.mark.parametrize("cls", [*concrete(Part), fedbench.LocalTraining, fedbench.Experiment])
def test_help_lists_the_fields(cls: type[Part]) -> None:
    text = pydoc.plain(pydoc.render_doc(cls))
    assert text.count("Fields:") == bool(cls.model_fields)
    for name, field in cls.model_fields.items():
        (line,) = [each for each in text.splitlines() if each.startswith(f" |      {name} (")]
        assert ("required" in text) if field.is_required() else "default" in text, line


def test_help_says_type_bounds_default_and_meaning() -> None:
    words = " ".join(pydoc.plain(pydoc.render_doc(fedbench.FedProx)).replace("|", " ").split())
    assert "mu (float, 0 or more, default 0.01): " in words
    assert "weighting (Literal['samples', 'uniform'], one of samples, uniform, default" in words


def test_every_part_is_public() -> None:
    parts = {cls.__name__ for cls in concrete(Part)}
    assert parts - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there_and_documented(name: str) -> None:
    value = getattr(fedbench, name)
    assert value.__name__ == name
    assert value.__doc__
    assert value.__module__.startswith("fedbench.")
    assert name in dir(fedbench)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="FedAvgg"):
        _ = fedbench.FedAvgg


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("fedbench", ("torch", "numpy", "pydantic")),
        ("fedbench.experiment", ("torch", "sklearn", "scipy.stats", "pandas", "plotly")),
        ("fedbench.scenarios", ("torch", "sklearn", "pandas", "plotly")),
        ("fedbench_widgets.workbench", ("torch", "sklearn", "scipy.stats", "pandas", "plotly")),
    ],
)
def test_what_importing_does_not_load(module: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*[m for m in {absent!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
