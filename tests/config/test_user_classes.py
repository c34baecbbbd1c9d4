"""Subclasses of settings: what was written is what runs, is saved, swept and resumed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ConfigDict, PrivateAttr, ValidationError

import fedbench as fb
from fedbench.config.spec import Spec
from fedbench.data.kept import Kept
from fedbench.data.skews import Skew
from fedbench.strategies import Strategy
from fedbench.study.job import Job

MODULE = """
import fedbench as fb

class Cosine(fb.LocalTraining):
    "A rate that falls along a cosine."
    floor: float = 0.0
    def rate(self, round):
        import math
        return self.floor + self.lr * (1 + math.cos(math.pi * min(round / 4, 1))) / 2

class Slow(fb.Devices):
    "Devices that take twice as long."
    def seconds(self, ids, load, *, clients, seed):
        return 2 * super().seconds(ids, load, clients=clients, seed=seed)

class Below(fb.Target):
    "A target that is missed on purpose."
    def reached(self, value, higher_is_better):
        return value > 2
"""
SMALL = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "classes_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("classes_of_mine", None)
    return importlib.import_module("classes_of_mine")


def losses(history: fb.History) -> list[float]:
    return [row.metrics["loss"] for row in history.rows]


@pytest.mark.process
def test_a_sweep_trains_the_subclass_and_keeps_it_apart_from_its_parent(
    mine: ModuleType, tmp_path: Path
) -> None:
    cosine = SMALL.replace(training=mine.Cosine())
    for _ in range(2):  # computed, then read from the folder
        sweep = fb.sweep(
            SMALL,
            {"training": [fb.LocalTraining(), mine.Cosine()]},
            folder=tmp_path / "kept",
            workers=1,
        )
        assert sweep.wait(120) == "done"
        found = [result.metrics["loss"] for result in sweep.results]
        assert found == [losses(fb.run(SMALL))[-1], losses(fb.run(cosine))[-1]]
        assert found[0] != found[1]
    assert len(list((tmp_path / "kept").glob("*.json"))) == 2


def test_an_axis_inside_of_a_subclass_keeps_it(mine: ModuleType) -> None:
    from fedbench.study.grid import axes_of, grid

    points = grid(SMALL.replace(training=mine.Cosine()), axes_of({"training.lr": [0.1, 0.2]}))
    assert [type(point.experiment.training) for point in points] == [mine.Cosine] * 2


def test_saved_loaded_and_resumed_runs_are_of_the_subclass(
    mine: ModuleType, tmp_path: Path
) -> None:
    experiment = SMALL.replace(
        training=mine.Cosine(floor=0.01), devices=mine.Slow(), target=mine.Below(value=0.5)
    )
    session = fb.Session(experiment)
    session.step()
    session.wait(60)
    fb.save(session, tmp_path / "run")
    assert fb.load(tmp_path / "run", allow_imports=True).experiment == experiment
    resumed = fb.resume(tmp_path / "run", allow_imports=True)
    resumed.start()
    assert resumed.wait(60) == "done"
    whole = fb.run(experiment)
    assert losses(resumed.history) == losses(whole)
    assert len(whole) == 3  # the target of this class is never reached
    assert [row.simulated_seconds for row in whole.rows] == [
        2 * row.simulated_seconds for row in fb.run(experiment.replace(devices=fb.Devices())).rows
    ]


def test_other_code_under_the_same_name_is_another_result(mine: ModuleType, tmp_path: Path) -> None:
    before = Job("run", SMALL.replace(training=mine.Cosine())).key
    assert before == Job("run", SMALL.replace(training=mine.Cosine())).key
    (tmp_path / "classes_of_mine.py").write_text(MODULE.replace("round / 4", "round / 5"))
    assert before != Job("run", SMALL.replace(training=mine.Cosine())).key


def test_an_object_of_a_class_that_was_defined_again_is_refused() -> None:
    def defined(factor: float) -> type[fb.LocalTraining]:
        class Again(fb.LocalTraining):
            """A notebook's cell that is run twice."""

            def rate(self, round: int) -> float:
                return factor * self.lr

        return Again

    old = SMALL.replace(training=defined(1.0)())
    new = defined(2.0)
    with pytest.raises(ValidationError, match="Again was defined again after this object was made"):
        fb.sweep(old, {"seed": [0]})
    with pytest.raises(ValidationError, match=r"make the object anew"):
        SMALL.replace(training=old.training)
    assert type(SMALL.replace(training=new()).training) is new


def test_a_class_that_is_defined_again_from_another_parent_is_the_one_that_is_meant() -> None:
    def defined(parent: type[Strategy]) -> type[Strategy]:
        class Changed(parent):  # type: ignore[misc, valid-type]
            """A cell whose class has another parent now."""

        return Changed

    for parent in (fb.Scaffold, fb.Ditto, fb.FedProx, fb.FedAvg, fb.FedYogi, fb.FedAvg):
        cls = defined(parent)
        again = fb.Experiment.from_toml(SMALL.replace(strategy=cls()).to_toml())
        assert type(again.strategy) is cls


def test_what_a_file_cannot_hold_is_refused_when_the_experiment_is_made() -> None:
    class Framed(fb.Wine):
        """Holds its data."""

        model_config = ConfigDict(arbitrary_types_allowed=True)
        frame: Any = None

    class Numbered(Strategy):
        """Holds a table whose keys are numbers."""

        rates: Any = None

    class Hidden(Strategy):
        """Holds what no field says."""

        _rate: float = PrivateAttr(default=0.0)

        def __init__(self, rate: float = 0.0, **fields: Any) -> None:
            super().__init__(**fields)
            self._rate = rate

    for changes, message in [
        ({"data": Framed(frame=pd.DataFrame({"a": [1]}))}, "Framed.frame is a DataFrame, which no"),
        ({"strategy": Numbered(rates={1: 2.0})}, "Numbered.rates is a dict, which no file holds"),
        ({"strategy": Numbered(rates={1, 2})}, "Numbered.rates is a set, which no file holds"),
        ({"strategy": Numbered(rates=np.float64(1))}, "Numbered.rates = .* once it is written"),
        ({"strategy": Numbered(rates=(1, 2))}, r"Numbered.rates = \(1, 2\) would be \[1, 2\]"),
        ({"strategy": Hidden(0.5)}, "Hidden has private attributes that its fields do not"),
    ]:
        with pytest.raises(ValidationError, match=message):
            SMALL.replace(**changes)
    assert type(SMALL.replace(strategy=Hidden()).strategy) is Hidden


def test_subclasses_inside_of_tuples_and_of_parts() -> None:
    class Step(Spec):
        """A group in a list."""

        size: float = 1.0

    class Big(Step):
        """A group in its place."""

    class Steps(Skew):
        """A part that holds groups."""

        steps: tuple[tuple[Step, ...], ...] = ()

        def apply(self, x: Any, y: Any, who: Any) -> Any:
            return x, y

    experiment = SMALL.replace(skews=(Steps(steps=((Step(), Big(size=2.0)), (Big(),))),))
    for again in (
        fb.Experiment.from_toml(experiment.to_toml()),
        fb.Experiment.from_json(experiment.to_json()),
    ):
        assert again == experiment
        assert [type(part) for part in again.skews[0].parts()][1:] == [Step, Big, Big]
    assert "# Put the definition of Big here" in experiment.to_python()
    compile(experiment.to_python(), "program", "exec")


def test_settings_that_are_equal_numbers_are_not_the_same_data() -> None:
    class Loose(Spec):
        """A field of any type."""

        value: Any = None

    values = [1, 1.0, True, 0.0, -0.0, 0, False, (1,), (1.0,), [1], "1"]
    assert len({Loose(value=each) for each in values if each != [1]}) == len(values) - 1
    assert all((Loose(value=a) == Loose(value=b)) == (a is b) for a in values for b in values)
    made: list[Any] = []

    def make(spec: Loose) -> pd.Series:
        made.append(spec.value)
        return pd.Series([spec.value])

    memo = Kept(make)
    for each in values[:5]:
        memo(Loose(value=each))
    assert [repr(each) for each in made] == ["1", "1.0", "True", "0.0", "-0.0"]


def test_a_file_of_a_notebooks_class_says_what_to_do_where_it_is_not_defined() -> None:
    text = SMALL.to_toml().replace("[training]", '[training]\nkind = "__main__:Gone"')
    with pytest.raises(ValidationError, match="names code outside fedbench; load it with allow_im"):
        fb.Experiment.from_toml(text)
    with pytest.raises(ValidationError, match=r"Gone.*define it in this notebook or script first"):
        fb.Experiment.from_toml(text, allow_imports=True)
