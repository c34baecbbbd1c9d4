"""Frontiers: means and intervals by hand, what is best by brute force, figures by their traces."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fedbench as fb
from fedbench.figures.theme import plain
from fedbench.privacy import Ledger, Ledgers
from fedbench.privacy.events import gaussian
from fedbench.study import FrontierPoint, SweepResult

pytestmark = pytest.mark.process

CLIENT = fb.ClientLevelDP(noise_multiplier=1.0, delta=1e-3)
EXAMPLE = fb.ExampleLevelDP(noise_multiplier=1.0, delta=1e-3)
BASE = fb.Experiment(
    data=fb.Wine(),
    partition=fb.IID(clients=4),
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.5),
)


def result(
    value: float,
    epsilon: float = math.nan,
    *,
    privacy: Any = None,
    experiment: fb.Experiment = BASE,
    error: str = "",
    ledger: Ledger | Ledgers | None = None,
    **settings: Any,
) -> SweepResult:
    privacy = privacy or (fb.NoPrivacy() if math.isnan(epsilon) else CLIENT)
    return SweepResult(
        settings=settings,
        experiment=experiment.replace(privacy=privacy, seed=settings.get("seed", 0)),
        metrics={experiment.metric: value},
        epsilon=epsilon,
        error=error,
        ledger=ledger,
    )


def of_budgets(values: dict[float, list[float]]) -> fb.Frontier:
    return fb.Frontier.of(
        [
            result(value, math.nan if budget == math.inf else budget, seed=seed, budget=budget)
            for budget, some in values.items()
            for seed, value in enumerate(some)
        ]
    )


def test_means_and_intervals_are_those_of_a_table_of_t() -> None:
    frontier = of_budgets({1.0: [0.5, 0.6, 0.7, 0.8, 0.9], 2.0: [0.6, 0.8], 4.0: [0.7]})
    five, two, one = frontier.points
    assert five.value == pytest.approx(0.7)
    # t(0.975) is 2.7764 with 4 degrees of freedom and 12.7062 with one
    margin = 2.7764451 * math.sqrt(0.025) / math.sqrt(5)
    assert (five.low, five.high) == pytest.approx((0.7 - margin, 0.7 + margin))
    assert (two.low, two.high) == (0, 1)  # an accuracy is not 0.7 ± 1.27
    assert one.value == 0.7 and math.isnan(one.low) and math.isnan(one.high)
    assert [point.runs for point in frontier.points] == [5, 2, 1]
    assert five.settings == {"budget": 1.0}


def test_an_interval_stays_where_the_metric_is() -> None:
    frame = of_budgets({1.0: [0.9, 0.96, 0.99], 2.0: [0.01, 0.04, 0.1]}).frame()
    assert frame["high"].tolist() == [1, pytest.approx(0.05 + 4.3026527 * 0.0458258 / 3**0.5)]
    assert frame["low"].tolist() == [pytest.approx(0.95 - 4.3026527 * 0.0458258 / 3**0.5), 0]
    patients = BASE.replace(data=fb.DiabetesProgression())
    errors = [result(value, experiment=patients, seed=k) for k, value in enumerate((50.0, 60.0))]
    (point,) = fb.Frontier.of(errors).points
    assert point.low == pytest.approx(55 - 12.7062047 * 5) and point.high > 100  # of no bounds


def test_seeds_that_change_nothing_are_no_interval() -> None:
    same, level, moved = of_budgets({1.0: [0.7, 0.7], 2.0: [0.7], 4.0: [0.7, 0.8]}).points
    assert [point.same for point in (same, level, moved)] == [True, False, False]
    assert same.value == 0.7 and math.isnan(same.low) and math.isnan(same.high)
    few = [result(0.7, seed=seed) for seed in range(2)]
    # by chance alike in the first metric, and not in another
    few = [replace(each, metrics={"accuracy": 0.7, "loss": k}) for k, each in enumerate(few)]
    (point,) = fb.Frontier.of(few).points
    assert not point.same and math.isnan(point.low)
    title = of_budgets({1.0: [0.7, 0.7], 2.0: [0.8, 0.8]}).figure().layout.title.text
    assert title.endswith("2 seeds, all identical")


def test_a_table_has_a_row_for_all_seeds_together() -> None:
    frame = of_budgets({1.0: [0.5, 0.7], math.inf: [0.9, 0.8]}).frame()
    assert frame["budget"].tolist() == [1.0, math.inf]
    assert frame["accuracy"].tolist() == pytest.approx([0.6, 0.85])
    assert frame["runs"].tolist() == [2, 2]
    np.testing.assert_array_equal(frame["epsilon"], [1.0, math.nan])
    assert frame["example_epsilon"].isna().all()
    assert frame["best"].tolist() == [True, False]


def test_the_mean_without_privacy_is_a_level() -> None:
    frontier = of_budgets({1.0: [0.5], math.inf: [0.9, 0.8]})
    assert frontier.levels == {"no privacy": pytest.approx(0.85)}
    more = fb.Frontier.of(frontier.results, {"pooled": 0.95})
    assert list(more.levels) == ["no privacy", "pooled"]


def test_failed_runs_are_counted_and_not_averaged() -> None:
    frontier = fb.Frontier.of(
        [
            result(0.8, 1.0, seed=0, lr=1),
            result(0.1, 0.5, seed=1, lr=1, error="diverged"),
            result(math.nan, seed=0, lr=2, error="diverged", privacy=CLIENT),
        ]
    )
    some, none = frontier.points
    assert (some.value, some.epsilon, some.runs, some.failed) == (0.8, 1.0, 1, 1)
    assert math.isnan(none.value) and not none.best and (none.runs, none.failed) == (0, 1)


scores = st.integers(0, 6).map(lambda k: k / 6)
budgets = st.sampled_from([0.5, 1.0, 2.0, 4.0])
kinds = st.sampled_from(["client", "example", "client, other δ", "none"])


@given(st.lists(st.tuples(budgets, scores, kinds), min_size=1, max_size=8), st.booleans())
def test_what_is_best_is_beaten_by_nobody(
    drawn: list[tuple[float, float, str]], falls: bool
) -> None:
    data = fb.DiabetesProgression() if falls else fb.Wine()
    experiment = BASE.replace(data=data)
    privacies = {
        "client": CLIENT,
        "example": EXAMPLE,
        "client, other δ": CLIENT.replace(delta=1e-2),
        "none": fb.NoPrivacy(),
    }
    frontier = fb.Frontier.of(
        [
            result(
                value,
                math.nan if kind == "none" else epsilon,
                privacy=privacies[kind],
                experiment=experiment,
                place=place,
            )
            for place, (epsilon, value, kind) in enumerate(drawn)
        ]
    )
    better = (lambda a, b: a < b) if falls else (lambda a, b: a > b)
    for point, (epsilon, value, kind) in zip(frontier.points, drawn, strict=True):
        rivals = [other for other in drawn if other[2] == kind]
        beaten = any(
            (e < epsilon and not better(value, v)) or (e <= epsilon and better(v, value))
            for e, v, _ in rivals
        )
        assert point.best == (kind != "none" and not beaten)


def test_a_lucky_single_run_is_not_better_than_means_of_seeds() -> None:
    frontier = of_budgets({1.0: [0.9], 2.0: [0.6, 0.7], 4.0: [0.8, 0.8], 8.0: [0.95]})
    assert [point.best for point in frontier.points] == [False, True, True, False]
    assert frontier.best(8).value == 0.8
    assert frontier.best(1).value == 0.9  # there is nothing else
    # of another unit there is nothing but single runs
    more = [result(0.5, 1.0, privacy=EXAMPLE, seed=0, budget=1.0)]
    mixed = fb.Frontier.of([*frontier.results[1:3], *more])
    assert [point.best for point in mixed.points] == [True, True]


def test_the_best_within_a_budget() -> None:
    frontier = of_budgets({1.0: [0.6], 2.0: [0.8], 4.0: [0.7], math.inf: [0.9]})
    assert [frontier.best(budget).value for budget in (1, 3, 8)] == [0.6, 0.8, 0.8]
    with pytest.raises(ValueError, match=r"epsilon = 0\.5: every point spends more"):
        frontier.best(0.5)
    mixed = fb.Frontier.of([result(0.5, 1.0, k=0), result(0.9, 1.0, privacy=EXAMPLE, k=1)])
    with pytest.raises(ValueError, match="unit: "):
        mixed.best(2)
    assert mixed.best(2, "client").value == 0.5


def test_metrics_that_differ_do_not_compare() -> None:
    other = BASE.replace(data=fb.DiabetesProgression())
    with pytest.raises(ValueError, match="accuracy and rmse do not compare"):
        fb.Frontier.of([result(0.5, k=0), result(50.0, experiment=other, k=1)])


def test_publishing_all_runs_composes_them() -> None:
    first, second = gaussian(0.5, 1.0), gaussian(0.5, 2.0)
    runs = [
        result(0.5, 1.0, z=1, ledger=Ledger().spend(first, 3)),
        result(0.5, 1.0, z=1.5, ledger=Ledger().spend(first, 3), error="lost its worker"),
        result(0.5, 0.5, z=2, ledger=Ledger().spend(second, 2)),
    ]
    whole = Ledger().spend(first, 6).spend(second, 2)
    frontier = fb.Frontier.of(runs)
    assert frontier.total_epsilon() == {"client": pytest.approx(whole.epsilon(1e-3))}
    assert frontier.total_epsilon(1e-5) == {"client": pytest.approx(whole.epsilon(1e-5))}
    assert fb.Frontier.of([]).total_epsilon() == {}
    # cohorts of a fixed size have an account for each client
    fixed = result(0.5, 1.0, z=3, ledger=Ledgers({2: Ledger().spend(second, 4)}))
    more = fb.Frontier.of([fixed, *runs]).total_epsilon()
    assert more == {"client": pytest.approx(whole.spend(second, 4).epsilon(1e-3))}


def test_what_has_no_privacy_makes_the_total_infinite_unless_it_is_left_out() -> None:
    private = result(0.5, 1.0, z=1, ledger=Ledger().spend(gaussian(0.5, 1.0), 3))
    spent = Ledger().spend(gaussian(0.5, 1.0), 3).epsilon(1e-3)
    bare = fb.Frontier.of([private, result(0.9, z=0)])
    levels = fb.Frontier.of([private], {"pooled": 0.95})
    for frontier in (bare, levels):
        assert frontier.total_epsilon() == {"client": math.inf}
        assert frontier.total_epsilon(private_only=True) == {"client": pytest.approx(spent)}
    assert of_budgets({math.inf: [0.9]}).total_epsilon() == {"client": math.inf}
    assert fb.Frontier.of([private], {"true model": 1}).total_epsilon()["client"] < math.inf


def test_what_cannot_be_proven_is_refused() -> None:
    ledger = Ledger().spend(gaussian(0.5, 1.0), 3)
    runs = [result(0.5, 1.0, seed=seed, ledger=ledger) for seed in (0, 1)]
    with pytest.raises(ValueError, match="client k of one is not client k of another"):
        fb.Frontier.of(runs).total_epsilon()
    other = BASE.replace(data=fb.Digits())
    runs = [result(0.5, 1.0, d=k, experiment=e, ledger=ledger) for k, e in enumerate((BASE, other))]
    with pytest.raises(ValueError, match="data: the runs have different data"):
        fb.Frontier.of(runs).total_epsilon()
    example = Ledgers({0: ledger})
    runs = [
        result(0.5, 1.0, k=0, ledger=ledger),
        result(0.5, 1.0, privacy=EXAMPLE, k=1, ledger=example),
    ]
    with pytest.raises(ValueError, match="protect a client or an example"):
        fb.Frontier.of(runs).total_epsilon()
    fixed = CLIENT.replace(noise_seed=7)
    runs = [result(0.5, 1.0, privacy=fixed, k=k, ledger=ledger) for k in (0, 1)]
    with pytest.raises(ValueError, match=r"noise_seed = 7: several runs share their noise"):
        fb.Frontier.of(runs).total_epsilon()
    whole = Ledger().spend(gaussian(0.5, 1.0), 6).epsilon(1e-3)
    assert fb.Frontier.of(runs).total_epsilon(fresh_noise=True) == {"client": pytest.approx(whole)}


def test_examples_are_followed_only_while_they_stay_with_their_client() -> None:
    event = gaussian(0.1, 1.0)
    ledger = Ledgers({0: Ledger().spend(event, 4), 1: Ledger().spend(event, 9)})
    other = Ledgers({0: Ledger().spend(event, 8), 2: Ledger().spend(event, 1)})
    runs = [
        result(0.5, 1.0, privacy=EXAMPLE, seed=0, clip=1, ledger=ledger),
        result(0.5, 1.0, privacy=EXAMPLE, seed=0, clip=2, ledger=other),
    ]
    spent = Ledger().spend(event, 12).epsilon(1e-3)  # client 0: 4 + 8
    assert fb.Frontier.of(runs).total_epsilon() == {"example": pytest.approx(spent)}
    moved = result(0.5, 1.0, privacy=EXAMPLE, seed=1, clip=1, ledger=ledger)
    with pytest.raises(ValueError, match="not with the same client in all runs"):
        fb.Frontier.of([*runs, moved]).total_epsilon()


# Figures -----------------------------------------------------------------------------------------


def swept(axes: dict[str, list[Any]]) -> fb.Frontier:
    """A frontier over a grid whose values are 0.50, 0.51, …, in the order of the points."""
    results = []
    for k, values in enumerate(product(*axes.values())):
        settings = dict(zip(axes, values, strict=True))
        epsilon = settings.get("privacy.epsilon", 1.0)
        finite = math.nan if epsilon == math.inf else epsilon
        results.append(result(0.5 + k / 100, finite, **settings))
    return fb.Frontier.of(results, {"pooled": 0.95})


def drawn_words(figure: Any) -> str:
    return " ".join(note.text for note in figure.layout.annotations)


def test_budgets_are_drawn_with_error_bars_and_stairs() -> None:
    frontier = swept({"privacy.epsilon": [4.0, 1.0, 2.0, math.inf], "seed": [0, 1]})
    figure = frontier.figure()
    stairs, points = figure.data
    assert stairs.line.shape == "hv"
    assert list(stairs.x) == [1.0, 2.0, 4.0]
    assert list(stairs.y) == pytest.approx([0.525, 0.545, 0.545])
    assert list(points.x) == [1.0, 2.0, 4.0]
    assert list(points.y) == pytest.approx([0.525, 0.545, 0.505])
    first = next(point for point in frontier.points if point.epsilon == 1)
    assert points.error_y.array[0] == pytest.approx(first.high - first.value)
    assert list(points.marker.color) == ["#0072B2", "#0072B2", "white"]
    text = drawn_words(figure)
    assert "pooled 95.0%" in text and "no privacy 56.5%" in text
    assert figure.layout.xaxis.title.text == "client-level ε"
    assert figure.layout.title.text == "Wine, 4 clients, mean of 2 seeds with its 95 % interval"


def test_two_numbers_are_a_map_with_values_in_its_cells() -> None:
    figure = swept({"partition.alpha": [1.0, 0.1], "privacy.epsilon": [1.0, math.inf]}).figure()
    (cells,) = figure.data
    assert (list(cells.x), list(cells.y)) == (["1", "∞"], ["0.1", "1"])
    np.testing.assert_allclose(cells.z, [[0.52, 0.53], [0.50, 0.51]])
    assert cells.texttemplate == "%{z:.1%}"
    assert figure.layout.yaxis.title.text == "partition.alpha"


def test_a_map_of_an_error_is_darkest_where_it_is_least() -> None:
    experiment = BASE.replace(data=fb.DiabetesProgression())
    results = [
        result(value, experiment=experiment, lr=lr, rounds=rounds)
        for value, lr, rounds in [(50.0, 0.1, 5), (60.0, 0.1, 9), (70.0, 0.2, 5)]
    ]
    (cells,) = fb.Frontier.of(results).figure().data
    assert [color for _, color in cells.colorscale] == ["#0072B2", "#f3f6f9"]
    np.testing.assert_array_equal(cells.z, [[50, 70], [60, math.nan]])


def test_parts_are_lines_of_their_own() -> None:
    parts = [fb.FedAvg(), fb.FedProx()]
    figure = swept({"strategy": parts, "privacy.epsilon": [1.0, 2.0, math.inf]}).figure()
    _, first, second = figure.data
    assert (first.name, second.name) == ("FedAvg", "FedProx")
    assert first.marker.line.color != second.marker.line.color
    assert figure.layout.showlegend
    assert "no privacy, FedProx 55.0%" in drawn_words(figure)


def test_without_budgets_a_setting_is_the_axis() -> None:
    figure = swept({"partition.alpha": [10.0, 0.01]}).figure()
    (line,) = figure.data
    assert (list(line.x), list(line.y)) == ([0.01, 10], [0.51, 0.5])
    assert figure.layout.xaxis.type == "log" and figure.layout.xaxis.title.text == "partition.alpha"
    (dots,) = swept({"strategy": [fb.FedProx(mu=1.0), fb.FedProx(mu=2.0)]}).figure().data
    assert (list(dots.x), dots.mode) == (["FedProx(mu=1.0)", "FedProx(mu=2.0)"], "markers+text")
    (alone,) = fb.Frontier.of([result(0.5, seed=0)]).figure().data
    assert list(alone.y) == [0.5]


def test_values_are_told_apart_by_as_many_digits_as_it_takes() -> None:
    axes = {"training.lr": [0.1234, 0.1235], "privacy.epsilon": [1.0, 2.25]}
    (cells,) = swept(axes).figure().data
    assert (list(cells.x), list(cells.y)) == (["1", "2.25"], ["0.1234", "0.1235"])
    (cells,) = swept({"training.lr": [1 / 3, 1.0], "privacy.epsilon": [1.0, 2.0]}).figure().data
    assert list(cells.y) == ["0.333", "1"]


def test_names_are_text() -> None:
    evil = "<b>$x$</b>"
    figure = swept({evil: ["<i>1</i>", "2"]}).figure()
    assert figure.layout.xaxis.title.text == plain(evil)
    assert list(figure.data[0].x) == [plain("<i>1</i>"), "2"]
    lines = swept({evil: ["<i>1</i>", "2"], "privacy.epsilon": [1.0, 2.0]}).figure()
    assert "<i>" not in str(lines.to_dict())


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ValueError, match="no run has finished without an error yet"):
        fb.Frontier.of([]).figure()
    crowd = swept({"model": [f"m{k}" for k in range(9)], "privacy.epsilon": [1.0, 2.0]})
    with pytest.raises(ValueError, match="9 lines by model cannot be distinguished"):
        crowd.figure()
    assert len(fb.Frontier.of([]).frame()) == 0


def test_a_point_keeps_its_experiment() -> None:
    (point,) = of_budgets({1.0: [0.5, 0.6]}).points
    assert isinstance(point, FrontierPoint)
    assert point.experiment == BASE.replace(privacy=CLIENT)


def test_noise_seeds_are_repeats_of_a_point_as_seeds_are(private: fb.Experiment) -> None:
    swept = fb.sweep(private, {"rounds": [1, 2], "privacy.noise_seed": range(3)})
    swept.wait()
    found = swept.frontier()
    assert [dict(point.settings) for point in found.points] == [{"rounds": 1}, {"rounds": 2}]
    for point in found.points:
        values = [r.value for r in swept.results if r.experiment.rounds == point.settings["rounds"]]
        assert point.runs == 3
        assert point.value == pytest.approx(np.mean(values))
        assert point.high > point.low  # the noise differs
    assert not [text for text in swept.cautions() if "interval" in text]
