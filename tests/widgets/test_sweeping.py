"""Sweeps of a workbench without a page: what is offered, what is refused, what is drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

import fedbench as fb
from fedbench.study.dispatch import SweepPool
from fedbench_widgets.sweeping import Sweeping

pytestmark = pytest.mark.process

EXPERIMENT = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=6, alpha=1.0),
    strategy=fb.FedAvg(weighting="uniform"),
    privacy=fb.ClientLevelDP(epsilon=3, delta=1e-2),
    rounds=2,
)


class Page:
    """Counts how often there is something new."""

    def __init__(self) -> None:
        self.news = 0
        self.sweeping = Sweeping(self.changed)

    def changed(self) -> None:
        self.news += 1


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.sweeping.close()


def ask(page: Page, over: dict[str, str], seeds: int = 1, experiment: Any = EXPERIMENT) -> str:
    page.sweeping.obey({"over": over, "seeds": seeds}, experiment)
    return page.sweeping.shown(experiment)["words"]


def test_every_number_and_every_choice_can_be_swept_the_budget_first(page: Page) -> None:
    shown = page.sweeping.shown(EXPERIMENT)
    assert shown["state"] == "none" and shown["points"] == []
    fields = {field["path"]: field for field in shown["fields"]}
    assert next(iter(fields)) == "privacy.epsilon"
    assert fields["privacy.epsilon"]["values"] == "0.5, 1, 2, 4, 8, ∞"
    assert fields["partition.alpha"]["values"] == "0.25, 0.5, 1, 2"
    assert fields["partition.clients"]["values"] == "2, 3, 6, 12"
    assert fields["strategy.kind"]["values"].startswith("FedAvg, ")
    assert {"training.lr", "rounds", "privacy.clip", "sampling.rate"} <= set(fields)
    assert not any("seed" in path for path in fields)
    for path, field in fields.items():  # each of them is a setting, by its name
        assert field["name"], path
    plain = page.sweeping.shown(EXPERIMENT.replace(privacy=fb.NoPrivacy()))["fields"]
    assert plain[0]["path"] == "training.lr"
    assert "privacy.epsilon" not in {field["path"] for field in plain}


def test_only_kinds_are_offered_that_go_with_the_rest(page: Page) -> None:
    wards = fb.Experiment(data=fb.Hospitals(), partition=fb.Natural())
    kinds = {
        field["path"]: field["values"].split(", ")
        for field in page.sweeping.shown(wards)["fields"]
        if field["path"].endswith(".kind")
    }
    assert kinds["data.kind"][0] == "Hospitals" and len(kinds["data.kind"]) == 3
    assert kinds["partition.kind"][0] == "Natural"
    for path, (own, *others) in kinds.items():
        settings, group = wards.to_dict(), path.removesuffix(".kind")
        assert settings[group]["kind"] == own
        for other in others:  # each can be in its place
            found = fb.Experiment.from_dict({**settings, group: {"kind": other}})
            assert found.metric == wards.metric
    assert "CNN" not in kinds["model.kind"]  # no images
    words = ask(page, {"data.kind": "Hospitals, Digits"}, 1, wards)
    assert words.endswith("(given: 'Natural')")


def test_seeds_that_change_nothing_are_said_to(page: Page) -> None:
    # one client, all rows at once, from zero: nothing is left to chance
    fixed = fb.Experiment(
        data=fb.Wine(), partition=fb.IID(clients=1), training=fb.LocalTraining(batch_size=None)
    ).replace(rounds=1)
    assert ask(page, {"rounds": "1, 2"}, 2, fixed) == ""
    page.sweeping._sweeps[0].wait(90)
    for point in page.sweeping.shown(fixed)["points"]:
        assert point["seed"] == "2 seeds, identical for every seed"
        assert (point["low"], point["high"]) == (None, None)


def test_a_sweep_says_only_what_the_head_does_not_say_already(page: Page) -> None:
    loose = EXPERIMENT.replace(**{"privacy.delta": 0.5})
    known, _ = loose.cautions()  # the other one is about the data
    assert ask(page, {"privacy.delta": "0.25, 0.5"}, 1, loose) == ""
    (more,) = page.sweeping.shown(loose)["cautions"]
    assert known.startswith("privacy.delta = 0.5 ") and more.startswith("privacy.delta = 0.25 ")
    # once the form holds another experiment, both are news
    assert page.sweeping.shown(EXPERIMENT)["cautions"] == [more, known]


def test_a_sweep_becomes_points_with_intervals_levels_and_names(page: Page) -> None:
    # by fixed noise: two runs that happen to agree would have no interval
    fixed = EXPERIMENT.replace(**{"privacy.noise_seed": 1})
    assert ask(page, {"privacy.epsilon": "1, 4, ∞"}, seeds=2, experiment=fixed) == ""
    (one,) = page.sweeping._sweeps
    assert one.wait(90) == "done"
    shown = page.sweeping.shown(fixed)
    assert (shown["done"], shown["total"], shown["state"]) == (6, 6, "done")
    assert page.news > 6
    frontier = one.frontier()
    points = shown["points"]
    assert [point["label"] for point in points] == ["ε ≤ 1", "ε ≤ 4", "no privacy"]
    for point, known in zip(points, frontier.points, strict=True):
        assert point["value"] == known.value
        assert point["auc"] == known.attack_auc
        assert 0 <= point["low"] <= point["value"] <= point["high"] <= 1
        assert (point["seed"], point["runs"]) == ("2 seeds", 2)
        assert point["test_rows"] == len(fixed.federation().y_test)
    assert points[0]["unit"] == "client-level" and points[2]["epsilon"] is None
    names = [level["label"].split()[0] for level in shown["levels"]]
    assert names == ["pooled", "alone", "always", "chance"]
    assert points[0]["line"] == points[1]["line"]
    # the budget between two that were swept has an expectation, of the same experiment alone
    between = fixed.replace(**{"privacy.epsilon": 2.0, "seed": 9})
    assert page.sweeping.expected(between) == f" Expect {frontier.expected(2.0)}."
    assert "between 2 runs at ε = 1 and 2 runs at ε = 4" in page.sweeping.expected(between)
    assert page.sweeping.expected(between.replace(rounds=3)) == ""
    assert page.sweeping.expected(fixed.replace(**{"privacy.epsilon": 9.0})) == ""
    loaded = page.sweeping.experiment(points[1]["id"])
    assert loaded == fixed.replace(**{"privacy.epsilon": 4.0})


def test_two_settings_are_a_map_by_value(page: Page) -> None:
    ask(page, {"partition.alpha": "0.1, 10", "strategy.kind": "FedAvg, FedProx"})
    (one,) = page.sweeping._sweeps
    one.wait(90)
    grid = page.sweeping.shown(EXPERIMENT)["map"]
    assert (grid["across"], grid["down"]) == ("α", "Strategy")
    assert (grid["columns"], grid["rows"]) == (["0.1", "10"], ["FedAvg", "FedProx"])
    means = {tuple(point.settings.values()): point.value for point in one.frontier().points}
    assert grid["values"] == [
        [means[0.1, "FedAvg"], means[10, "FedAvg"]],
        [means[0.1, "FedProx"], means[10, "FedProx"]],
    ]


@pytest.mark.parametrize(
    ("over", "seeds", "words"),
    [
        ({"privacy.epsilon": "1, 1"}, 1, "this value is given twice"),
        ({"privacy.epsilon": "-1"}, 1, "more than 0"),
        ({"privacy.epsilon": " "}, 1, "has no values"),
        ({"privacy.epsilom": "1"}, 1, "privacy.epsilom"),
        ({"privacy.epsilon": "1"}, 0, "seeds = 0: give a number from 1 to 50"),
        ({"training.lr": "fast"}, 1, "training.lr"),
        ({"seed": "1, 2"}, 1, "give the number of seeds instead"),
        ({}, 1, "choose a setting to sweep"),
        ({"model.kind": "antigravity:Model"}, 1, "only built-in parts can be chosen here"),
        ({"model": '{kind = "antigravity:Model"}'}, 1, "only built-in parts"),
    ],
)
def test_what_cannot_be_is_said_and_starts_nothing(
    page: Page, over: dict[str, str], seeds: int, words: str
) -> None:
    assert words in ask(page, over, seeds)
    assert page.sweeping._sweeps == []
    assert page.sweeping.shown(EXPERIMENT)["state"] == "none"


@pytest.mark.parametrize("asked", [{}, {"over": None}, {"over": {"rounds": "1"}, "seeds": None}])
def test_a_message_that_is_none_is_answered_in_words(page: Page, asked: dict[str, Any]) -> None:
    page.sweeping.obey(asked, EXPERIMENT)
    assert re.search("choose a setting|seeds = None", page.sweeping.shown(EXPERIMENT)["words"])


def test_a_budget_over_fixed_noise_is_refused(page: Page) -> None:
    fixed = EXPERIMENT.replace(**{"privacy.noise_multiplier": 1.0})
    assert "let the noise follow from ε" in ask(page, {"privacy.epsilon": "1, 2"}, 1, fixed)
    assert "a setting in the form needs attention" in ask(page, {"privacy.epsilon": "1"}, 1, None)


def test_cancel_and_go_on_and_close(page: Page) -> None:
    slow = EXPERIMENT.replace(rounds=2000)
    ask(page, {"privacy.epsilon": "1, 2, 4"}, 2, slow)
    (one,) = page.sweeping._sweeps
    page.sweeping.obey("cancel", slow)
    assert page.sweeping.shown(slow)["state"] == "cancelled"
    page.sweeping.obey("resume", slow)
    assert page.sweeping.shown(slow)["state"] == "running"
    assert one._dispatcher is not None and isinstance(one._dispatcher.remote, SweepPool)
    pids = [worker.process.pid for worker in one._dispatcher.remote.workers]
    page.sweeping.close()
    assert one.state == "cancelled"
    known = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert psutil.wait_procs(known, timeout=20)[1] == []


def test_failures_are_told_and_not_drawn(page: Page) -> None:
    plain = EXPERIMENT.replace(privacy=fb.NoPrivacy(), sampling=fb.Everyone(), rounds=9)
    assert ask(page, {"training.lr": "0.1, 1e38"}, 1, plain) == ""
    page.sweeping._sweeps[0].wait(90)
    shown = page.sweeping.shown(EXPERIMENT)
    assert shown["words"].startswith("1 failed: round ")
    assert "the loss is no longer finite; training diverged" in shown["words"]
    assert [point["label"] for point in shown["points"]] == ["Learning rate 0.1"]
    assert all(math.isfinite(point["value"]) for point in shown["points"])
