"""What to expect of a budget: by hand between points, and from runs that are made."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fedbench as fb
from fedbench.study import FrontierPoint, SweepResult

PRIVATE = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=6, alpha=1.0),
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.5),
    privacy=fb.ClientLevelDP(epsilon=3, delta=1e-2, noise_seed=1),
    rounds=2,
)


def point(epsilon: float, value: float, unit: str | None = "client", **more) -> FrontierPoint:
    return FrontierPoint(
        settings={"privacy.epsilon": epsilon},
        experiment=PRIVATE,
        value=value,
        low=value - 0.1,
        high=value + 0.05,
        run_low=value - 0.2,
        run_high=value + 0.08,
        runs=5,
        failed=0,
        epsilon=epsilon,
        unit=unit,
        delta=None if unit is None else 1e-2,
        **more,
    )


FRONTIER = fb.Frontier("accuracy", (point(4, 0.9), point(1, 0.6), point(math.inf, 0.95, None)))


def test_between_two_budgets_the_line_is_straight_in_its_logarithm() -> None:
    found = FRONTIER.expected(2)
    assert found.value == pytest.approx(0.75)
    assert (found.low, found.high) == (pytest.approx(0.65), pytest.approx(0.8))
    assert (found.run_low, found.run_high) == (pytest.approx(0.55), pytest.approx(0.83))
    assert str(found) == (
        "accuracy 75.0% on average (65.0% to 80.0%) and 55.0% to 83.0% in a single run "
        "(95 % over seeds), between 5 runs at ε = 1 and 5 runs at ε = 4"
    )
    known = fb.Frontier("accuracy", (point(4, 0.9, test_rows=36), point(1, 0.6, test_rows=36)))
    for asked in (2, 4):
        words = " (95 % over seeds, on the same 36 test rows), "
        assert words in str(known.expected(asked))


@pytest.mark.parametrize(("epsilon", "value"), [(1, 0.6), (4, 0.9), (3.9999, 0.9)])
def test_at_a_point_it_is_that(epsilon: float, value: float) -> None:
    found = FRONTIER.expected(epsilon)
    assert found.value == value
    assert found.how == f"from 5 runs at ε = {round(epsilon)}"


def test_a_budget_that_was_not_quite_spent_is_that_point_too() -> None:
    tried = fb.Frontier("accuracy", (point(0.9999998, 0.6), point(3.9999995, 0.8), point(8, 0.9)))
    found = tried.expected(4)
    assert found.value == 0.8
    assert found.how == "from 5 runs at ε = 4"


def test_what_is_not_known_is_not_said() -> None:
    for beyond in (0.9, 4.1):
        with pytest.raises(ValueError, match="outside the points of this sweep from 1 to 4"):
            FRONTIER.expected(beyond)
    with pytest.raises(ValueError, match="of this sweep, none"):
        fb.Frontier("accuracy", ()).expected(1)
    mixed = fb.Frontier("accuracy", (point(1, 0.5), point(2, 0.6, "example")))
    with pytest.raises(ValueError, match="different units"):
        mixed.expected(1.5)
    assert mixed.expected(2, "example").value == 0.6
    other = point(1, 0.5)
    other = FrontierPoint(**{**vars(other), "settings": {"privacy.epsilon": 1, "rounds": 3}})
    with pytest.raises(ValueError, match="sweep only the budget and the seed"):
        fb.Frontier("accuracy", (other,)).expected(1)


@pytest.mark.slow
def test_a_forecast_is_the_mean_of_runs_that_are_made() -> None:
    found = fb.forecast(PRIVATE, seeds=2)
    runs = [fb.run(PRIVATE.replace(seed=seed), progress=False) for seed in (0, 1)]
    values = [run.rows[-1].metrics["accuracy"] for run in runs]
    assert found.value == pytest.approx(sum(values) / 2)
    assert found.run_low <= found.low <= found.value <= found.high <= found.run_high
    assert found.how == "from 2 runs of 2 rounds"
    assert found.test_rows == len(PRIVATE.federation().y_test) > 0


def result(value: float, epsilon: float, seed: int) -> SweepResult:
    experiment = PRIVATE.replace(seed=seed, **{"privacy.epsilon": epsilon})
    return SweepResult(
        settings={"privacy.epsilon": epsilon, "seed": seed},
        experiment=experiment,
        metrics={"accuracy": value, "loss": 1.0},
        epsilon=epsilon,
    )


@pytest.mark.parametrize("runs", [3, 5, 10])
def test_about_95_of_100_new_runs_fall_within_the_range_of_a_single_one(runs: int) -> None:
    rng = np.random.default_rng(runs)
    within = {"at": 0, "mean": 0, "between": 0}
    experiments = 600
    for _ in range(experiments):
        made = [
            result(float(rng.normal(0.5 + 0.1 * place, 0.03)), epsilon, seed)
            for place, epsilon in enumerate((1.0, 4.0))
            for seed in range(runs)
        ]
        frontier = fb.Frontier.of(made)
        at, between = frontier.expected(1.0), frontier.expected(2.0)
        new = float(rng.normal(0.5, 0.03))
        within["at"] += at.run_low <= new <= at.run_high
        within["mean"] += at.low <= new <= at.high
        within["between"] += between.run_low <= float(rng.normal(0.55, 0.03)) <= between.run_high
    assert within["at"] / experiments == pytest.approx(0.95, abs=0.025)
    assert within["between"] / experiments >= 0.925
    assert within["mean"] / experiments < 0.9  # that of the mean says less of a single run


def test_a_forecast_of_nothing() -> None:
    with pytest.raises(ValueError, match="seeds = 0"):
        fb.forecast(PRIVATE, seeds=0)
    bad = PRIVATE.replace(
        privacy=fb.NoPrivacy(), sampling=fb.Everyone(), rounds=9, **{"training.lr": 1e38}
    )
    with pytest.raises(RuntimeError, match="every run failed: round"):
        fb.forecast(bad, seeds=1)
