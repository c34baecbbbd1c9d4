"""What a part of a user's own cannot go with, and what it warns of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.config.problems import Problem, problems
from fedbench.config.setup import Setup, located
from fedbench.data import Skew
from fedbench.participation import Availability

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_example_for_contributors() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n([^`]*class Patient\(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(code, names)
    assert "strategy = Patient: the slowest of 60 clients sets the pace" in names["cautions"]
    with pytest.raises(ValidationError) as caught:
        names["experiment"].replace(
            devices=fb.Devices(deadline=3.0), partition=fb.IID(clients=150), rounds=2
        )
    assert list(map(str, problems(caught.value))) == [
        "devices.deadline: Patient waits for every client; set it to none, or choose FedAvg "
        "(given: 3.0)",
        "strategy.patience: there are 150 clients to wait for; choose at least that (given: 100)",
    ]


class Fussy(Skew):
    """Reports its own word as a problem."""

    word: str = "no"

    def apply(self, x: Any, y: Any, who: Any) -> Any:
        return x, y

    def check(self, setup: Setup) -> Iterator[Problem]:
        yield Problem(".word", self.word, self.word)


class Never(Availability):
    """Cannot be."""

    def there(self, clients: int, seed: int, round: int) -> Any:
        raise NotImplementedError

    @property
    def expected(self) -> float:
        return 0.0

    def check(self, setup: Setup) -> Iterator[Problem]:
        yield Problem(".kind", f"nobody of {setup.clients} is there", self.kind())


class Slow(fb.LocalTraining):
    """Training whose settings are refused, too."""

    def check(self, setup: Setup) -> Iterator[Problem]:
        yield Problem(".lr", "is too high", self.lr)


def paths(**settings: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(**settings)
    return [f"{each.path}: {each.message}" for each in problems(caught.value)]


def test_a_path_of_its_own_is_where_the_part_stands() -> None:
    assert paths(skews=(fb.Shift(), Fussy(word="a"), Fussy(word="b"))) == [
        "skews.1.word: a",
        "skews.2.word: b",
    ]
    devices = fb.Devices(availability=Never(), over_selection=2.0)
    assert paths(devices=devices, training=Slow()) == [
        "devices.availability.kind: nobody of 20 is there",
        "training.lr: is too high",
    ]


def test_parts_that_depend_on_the_partition_are_not_asked_where_it_is_wrong() -> None:
    (found,) = paths(partition=fb.Natural(), skews=(Fussy(),), sampling=fb.FixedCohort(size=99))
    assert found.startswith("partition.kind: Digits has no column")


def test_problems_are_located_level_by_level() -> None:
    inner = [Problem(".a", "own", 1), Problem("rounds", "another's", 2)]
    outer = list(located(located(inner, ".field"), "skews.0"))
    assert [each.path for each in outer] == ["skews.0.field.a", "rounds"]


def test_a_misspelt_check_is_pointed_out() -> None:
    with pytest.warns(UserWarning, match=r"Slip\.chek: .* if you meant 'check', rename it"):

        class Slip(fb.Always):
            def chek(self, setup: Setup) -> Iterator[Problem]: ...
