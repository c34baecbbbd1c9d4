"""What a sweep says: privacy against utility, with the uncertainty of its seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.experiment import Experiment
from fedbench.metrics import METRICS
from fedbench.study.grid import REPEATS
from fedbench.study.result import SweepResult, cells, spent

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from fedbench.study.forecast import Forecast

CONFIDENCE = 0.95


@dataclass(frozen=True)
class FrontierPoint:
    """Runs that differ by nothing but their seed, or that of their noise, as one.

    `value` is the mean of their first metric, and `low` and `high` the ends of its 95 % interval by
    Student's t over `runs` seeds, for accuracy and AUC as far as it lies in [0, 1]; all on the
    same `test_rows`, 0 if not known, whose own error is not in it. `run_low` and `run_high` are the
    ends of the 95 % prediction interval of one more run, which is wider than that of the mean. They
    are NaN with one run, and where all of them gave the same: `same` says that they did so in every
    metric, so that the seeds change nothing. Of `failed` further runs there is no final metric.
    `attack_auc` is the mean AUC of a membership inference: 0.5 is guessing. `epsilon` is the most
    that one of the runs spent, at `delta` and for `unit`; NaN without privacy. `best` says that no
    other point of the same unit and δ is better for as little ε, or as good for less; a single run
    never is where there are means over several, as luck of its seed would count for more than their
    average.
    `experiment` is that of the first run.
    """

    settings: Mapping[str, Any]
    experiment: Experiment
    value: float
    low: float
    high: float
    runs: int
    failed: int
    epsilon: float
    unit: str | None
    delta: float | None
    attack_auc: float = math.nan
    best: bool = False
    same: bool = False
    test_rows: int = 0
    run_low: float = math.nan
    run_high: float = math.nan


@dataclass(frozen=True)
class Frontier:
    """Privacy against utility: one point for all seeds, and noise seeds, of the same settings.

    `levels` of the `metric` are there to compare with: "no privacy", the mean of the runs without
    privacy, and those that a sweep has computed.
    """

    metric: str
    points: tuple[FrontierPoint, ...]
    levels: Mapping[str, float] = field(default_factory=dict)
    results: tuple[SweepResult, ...] = ()

    @classmethod
    def of(
        cls, results: Sequence[SweepResult], levels: Mapping[str, float] | None = None
    ) -> Frontier:
        """Return the frontier of some results, whose settings have the same paths.

        Raises ValueError where their data have different first metrics: such do not compare.
        """
        metrics = dict.fromkeys(result.metric for result in results)
        if len(metrics) > 1:
            raise ValueError(f"results by {' and '.join(metrics)} do not compare")
        metric = next(iter(metrics), "accuracy")
        points = _marked([_mean(group) for group in _groups(results)], METRICS[metric].rises)
        plain = [each.value for each in results if each.unit is None and not each.error]
        mean = {"no privacy": math.fsum(plain) / len(plain)} if plain else {}
        return cls(metric, points, mean | dict(levels or {}), tuple(results))

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return METRICS[self.metric].rises

    def best(self, epsilon: float, unit: str | None = None) -> FrontierPoint:
        """Return the point with the best mean among those that spend at most `epsilon`.

        Single runs count only where there is no mean over several within the budget.
        `unit`, such as "client", is needed where several occur. Raises ValueError where no point
        is within the budget, or the units are mixed.
        """
        private = [point for point in self.points if unit in (None, point.unit) and point.unit]
        if len({point.unit for point in private}) > 1:
            raise ValueError("unit: ε of different units cannot be compared; choose one of them")
        within = [
            point
            for point in private
            if point.epsilon <= epsilon * (1 + 1e-9) and not math.isnan(point.value)
        ]
        if not within:
            raise ValueError(f"epsilon = {epsilon:g}: every point spends more")
        sign = 1 if self.higher_is_better else -1
        return max(_rivals(within), key=lambda point: sign * point.value)

    def expected(self, epsilon: float, unit: str | None = None) -> Forecast:
        """Return what these points say of another budget; see `fedbench.study.forecast`."""
        from fedbench.study.forecast import expected

        return expected(self, epsilon, unit)

    def total_epsilon(
        self,
        delta: float | None = None,
        *,
        private_only: bool = False,
        fresh_noise: bool = False,
    ) -> dict[str, float]:
        """Return the ε of publishing everything in this frontier, by unit, composed once.

        It matters where settings are chosen on real data: whoever sees every result learns what all
        of them tell. Runs without privacy, and levels computed from the data, make it infinite;
        `private_only` leaves them out, for when they are not published. A run that failed counts
        with the round that failed; one whose process was killed makes it infinite. δ is that of the
        runs if left out.

        `fresh_noise` computes what the same runs would spend if each drew noise of its own, where a
        simulation fixes a `noise_seed`. Raises ValueError where nothing can be proven: runs that
        share their noise, protect different units, have different data, or deal rows to clients
        anew, so that client k is not the same in all of them; and where δ differs.
        """
        from fedbench.study.publishing import total_epsilon

        return total_epsilon(self, delta, private_only, fresh_noise)

    def frame(self) -> pd.DataFrame:
        """Return one row a point.

        Columns: the settings but the seed, the metric (mean), low and high (95 % interval, within
        [0, 1] for accuracy and AUC), runs, failed, epsilon (client-level), example_epsilon,
        local_epsilon, delta, attack_auc (of a membership inference) and best; NaN where something
        does not apply.
        """
        import pandas as pd

        columns = [self.metric, "low", "high", "runs", "failed", *spent(0, None), "delta"]
        columns += ["attack_auc", "best"]
        rows = [
            {
                **cells(point.settings),
                self.metric: point.value,
                "low": point.low,
                "high": point.high,
                "runs": point.runs,
                "failed": point.failed,
                **spent(point.epsilon, point.unit),
                "delta": math.nan if point.delta is None else point.delta,
                "attack_auc": point.attack_auc,
                "best": point.best,
            }
            for point in self.points
        ]
        return pd.DataFrame(rows, columns=None if rows else pd.Index(columns))

    def figure(self) -> go.Figure:
        """Return a plotly figure that fits the axes.

        Two numbers besides the seed: a map of the mean. Otherwise, where privacy was spent, utility
        against ε with error bars, a line for each of the other settings, and what is best for at
        most so much as stairs; and where there is none, utility against the first number, or by
        setting. Raises ValueError before the first result, and for more lines than can be told
        apart.
        """
        from fedbench.study.drawing import Drawing

        return Drawing(self).figure()

    def __repr__(self) -> str:
        best = sum(point.best for point in self.points)
        return f"<Frontier: {self.metric} of {len(self.points)} points, {best} of them best>"


def _groups(results: Sequence[SweepResult]) -> list[list[SweepResult]]:
    """Results of the same settings but the seeds, in the order of the first of each."""
    found: list[tuple[dict[str, Any], list[SweepResult]]] = []
    for result in results:
        settings = {path: value for path, value in result.settings.items() if path not in REPEATS}
        for known, group in found:  # compared, not looked up: a value need not be hashable
            if known == settings:
                group.append(result)
                break
        else:
            found.append((settings, [result]))
    return [group for _, group in found]


def _mean(group: list[SweepResult]) -> FrontierPoint:
    first, good = group[0], [each for each in group if not each.error]
    values = np.array([each.value for each in good])
    mean = float(values.mean()) if len(good) else math.nan
    (low, high), (run_low, run_high) = _intervals(values, first.metric)
    return FrontierPoint(
        settings={path: value for path, value in first.settings.items() if path not in REPEATS},
        experiment=first.experiment,
        value=mean,
        low=low,
        high=high,
        run_low=run_low,
        run_high=run_high,
        runs=len(good),
        failed=len(group) - len(good),
        epsilon=max((each.epsilon for each in good), default=math.nan),
        unit=first.unit,
        delta=first.delta,
        attack_auc=float(np.mean([each.attack_auc for each in good])) if good else math.nan,
        test_rows=max((each.test_rows for each in good), default=0),
        same=len(good) > 1 and all(each.metrics == good[0].metrics for each in good),
    )


def _intervals(values: np.ndarray, metric: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of the interval of the mean, and of that of one more run.

    Student's t knows no bounds of a metric: ends of a share are cut at 0 and 1.
    """
    from scipy.special import stdtrit

    count = len(values)
    if count < 2 or np.ptp(values) == 0:
        return (math.nan, math.nan), (math.nan, math.nan)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    scale = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation

    def around(margin: float) -> tuple[float, float]:
        low, high = mean - margin, mean + margin
        return (max(low, 0.0), min(high, 1.0)) if METRICS[metric].share else (low, high)

    # a new run varies by itself, and so does the mean that it is held against
    return around(scale * math.sqrt(1 / count)), around(scale * math.sqrt(1 + 1 / count))


def _rivals(points: Sequence[FrontierPoint]) -> Sequence[FrontierPoint]:
    """Return the points that can be the best of them: without single runs beside means of several.

    The page decides by the same rule: see `rivals` in its chart/pareto.js.
    """
    return [point for point in points if point.runs > 1] or points


def _marked(points: list[FrontierPoint], higher_is_better: bool) -> tuple[FrontierPoint, ...]:
    sign = 1 if higher_is_better else -1

    def best(point: FrontierPoint) -> bool:
        promised = point.unit, point.delta
        rivals = _rivals([each for each in points if (each.unit, each.delta) == promised])
        beaten = any(
            other.epsilon <= point.epsilon
            and sign * other.value >= sign * point.value
            and (other.epsilon, other.value) != (point.epsilon, point.value)
            for other in rivals
        )
        drawn = math.isfinite(point.epsilon) and math.isfinite(point.value)
        return drawn and not beaten and any(each is point for each in rivals)

    return tuple(replace(point, best=best(point)) for point in points)
