"""Which accuracy to expect of a budget: from runs that were made, or from some that are now."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedbench.config.problems import expect
from fedbench.experiment import Experiment
from fedbench.rounding import rounded_up

if TYPE_CHECKING:
    from fedbench.study.frontier import Frontier, FrontierPoint

SEEDS = 3


@dataclass(frozen=True)
class Forecast:
    """A value of `metric` to expect, and `how` it is known.

    `value` is the mean over seeds, with its 95 % interval from `low` to `high`; 95 % of single runs
    lie between `run_low` and `run_high`, which is wider. All are NaN if unknown, and on the same
    `test_rows`, 0 if not known, whose own error is not in them.
    """

    metric: str
    value: float
    low: float
    high: float
    how: str
    test_rows: int = 0
    run_low: float = math.nan
    run_high: float = math.nan

    def __str__(self) -> str:
        """Say it in a sentence."""
        from fedbench.figures.theme import SHARES

        share = self.metric in SHARES

        def shown(value: float) -> str:
            return f"{value:.1%}" if share else f"{value:.3g}"

        text = f"{self.metric} {shown(self.value)} on average"
        if math.isfinite(self.low + self.high):
            text += f" ({shown(self.low)} to {shown(self.high)})"
        if math.isfinite(self.run_low + self.run_high):
            text += f" and {shown(self.run_low)} to {shown(self.run_high)} in a single run"
            rows = f", on the same {self.test_rows} test rows" if self.test_rows else ""
            text += f" (95 % over seeds{rows})"
        return f"{text}, {self.how}"


def expected(frontier: Frontier, epsilon: float, unit: str | None = None) -> Forecast:
    """Return what a frontier's points say of a budget, by a straight line in log ε between two.

    `unit`, such as "client", is needed where several occur. Raises ValueError for a budget beyond
    the points on either side, and where other settings than the budget were swept.
    """
    known = [
        point
        for point in frontier.points
        if point.unit and unit in (None, point.unit) and math.isfinite(point.value)
    ]
    if len({(point.unit, point.delta) for point in known}) > 1:
        raise ValueError("unit: ε with different units or δ cannot be compared; choose one of them")
    if any(set(point.settings) - {"privacy.epsilon"} for point in known):
        raise ValueError(
            "points differ in more than their budget: sweep only the budget and the seed"
        )
    known.sort(key=lambda point: point.epsilon)
    if not known or not known[0].epsilon * (1 - 1e-3) <= epsilon <= known[-1].epsilon * (1 + 1e-3):
        ends = f" from {known[0].epsilon:.3g} to {known[-1].epsilon:.3g}" if known else ", none"
        raise ValueError(f"epsilon = {epsilon:g}: outside the points of this sweep{ends}")
    after = next((k for k, point in enumerate(known) if point.epsilon >= epsilon), len(known) - 1)
    right, left = known[after], known[max(0, after - 1)]
    near = min(left, right, key=lambda point: abs(point.epsilon - epsilon))
    if right is left or math.isclose(near.epsilon, epsilon, rel_tol=1e-3):  # it spends a bit less
        how = f"from {_runs(near)} at ε = {rounded_up(near.epsilon, 3)}"
        return _forecast(near, frontier.metric, how)
    share = math.log(epsilon / left.epsilon) / math.log(right.epsilon / left.epsilon)

    def between(a: float, b: float) -> float:
        return (1 - share) * a + share * b

    how = (
        f"between {_runs(left)} at ε = {rounded_up(left.epsilon, 3)} and {_runs(right)} at "
        f"ε = {rounded_up(right.epsilon, 3)}"
    )
    return Forecast(
        frontier.metric,
        between(left.value, right.value),
        between(left.low, right.low),
        between(left.high, right.high),
        how,
        max(left.test_rows, right.test_rows),
        between(left.run_low, right.run_low),
        between(left.run_high, right.run_high),
    )


def forecast(
    experiment: Experiment,
    *,
    seeds: int = SEEDS,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Forecast:
    """Return what to expect of an experiment by running it with some seeds, all of its rounds.

    It blocks until these runs are done, side by side in `workers` processes or by an `executor`, as
    `fedbench.sweep` takes it. Raises ValueError for no seeds, and RuntimeError where every run
    fails.
    """
    from fedbench.study.start import sweep

    expect(experiment, Experiment, "experiment")
    if seeds < 1:
        raise ValueError(f"seeds = {seeds}: give at least one")
    first = experiment.seed
    over = {"seed": range(first, first + seeds)}
    made = sweep(experiment, over, workers=workers, levels=False, executor=executor)
    made.wait()
    (point,) = made.frontier().points
    if not point.runs:
        raise RuntimeError(f"every run failed: {made.results[0].error}")
    how = f"from {_runs(point)} of {experiment.rounds} rounds"
    return _forecast(point, experiment.metric, how)


def _forecast(point: FrontierPoint, metric: str, how: str) -> Forecast:
    ends = point.low, point.high, how, point.test_rows, point.run_low, point.run_high
    return Forecast(metric, point.value, *ends)


def _runs(point: FrontierPoint) -> str:
    return f"{point.runs} run{'' if point.runs == 1 else 's'}"
