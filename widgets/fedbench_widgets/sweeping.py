"""Sweeps that a person starts from the page: what can be swept, and what they came to so far."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

from fedbench.config.overrides import several
from fedbench.experiment import Experiment
from fedbench.metrics import METRICS
from fedbench.study import Frontier, FrontierPoint, Sweep, sweep
from fedbench.study.differences import cells, differences, shown, title_of, words
from fedbench.study.grid import refuse_code
from fedbench_widgets.offering import BUDGET, offered_fields
from fedbench_widgets.picture import identity, level, line_of, measure, session_title
from fedbench_widgets.warming import dismiss

MOST_SEEDS = 50
NAMED = 2  # settings that tell one sweep from another


class Sweeping:
    """The sweeps of a workbench, the last of which can be cancelled and go on.

    Holds its owner's `changed` weakly, and calls it whenever there is something new.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = weakref.WeakMethod(changed)
        self._sweeps: list[Sweep] = []
        self.latest = False  # whether a sweep is what was started last
        # what is wrong with what was asked for, and the form that it was asked of
        self._wrong: tuple[str, Experiment | None] = "", None
        self._drawn: dict[int, tuple[object, dict[str, Any]]] = {}
        self._offered: tuple[Experiment | None, list[dict[str, str]]] = None, []

    def start(self, experiment: Experiment, over: dict[str, str], seeds: int) -> Sweep:
        """Start a sweep of `experiment` over settings, whose values are given as text.

        A sweep that still goes on is cancelled; its points stay. Raises ValueError for values that
        cannot be.
        """
        asked = (f"{path}={text.replace('∞', 'inf')}" for path, text in over.items())
        axes: dict[str, Any] = dict(map(several, asked))
        refuse_code(axes)  # text from a page, which a saved notebook may have made up
        if "seed" in axes:
            raise ValueError("seed: give the number of seeds instead")
        if not 1 <= seeds <= MOST_SEEDS:
            raise ValueError(f"seeds = {seeds}: give a number from 1 to {MOST_SEEDS}")
        guarantee = experiment.privacy.guarantee
        fixed = guarantee is not None and guarantee.noise_multiplier is not None
        if BUDGET in axes and fixed:
            raise ValueError(
                "privacy.noise_multiplier is set, so a budget would only decide when a run "
                "stops; let the noise follow from ε"
            )
        axes["seed"] = range(experiment.seed, experiment.seed + seeds)
        started = sweep(experiment, axes)
        dismiss()
        self.cancel()
        self._sweeps.append(started)
        self.latest = True
        heard = self._changed
        started.subscribe(lambda _: _call(heard))
        return started

    def obey(self, asked: Any, experiment: Experiment | None) -> None:
        """Do what the page asks for; what is wrong with it is said beside it."""
        self._wrong = "", None
        try:
            if asked == "cancel":
                self.cancel()
            elif asked == "resume" and self._sweeps:
                self._sweeps[-1].resume()
            elif isinstance(asked, dict):
                if experiment is None:
                    raise ValueError("a setting in the form needs attention: see its red message")
                over, seeds = asked.get("over"), asked.get("seeds")
                if not isinstance(over, dict) or not over:
                    raise ValueError("choose a setting to sweep")
                if not isinstance(seeds, int):
                    raise ValueError(f"seeds = {seeds}: give a number from 1 to {MOST_SEEDS}")
                texts = {str(path): str(text) for path, text in over.items()}
                self.start(experiment, texts, seeds)
        except (ValueError, RuntimeError) as error:
            self._wrong = str(error), experiment

    def cancel(self) -> None:
        """End the sweep that goes on, if any; its points stay."""
        if self._sweeps:
            self._sweeps[-1].cancel()

    def expected(self, experiment: Experiment) -> str:
        """Return what a sweep of the same but for budget and seed tells to expect, or nothing."""
        privacy = experiment.privacy.guarantee
        if privacy is None or privacy.epsilon is None:
            return ""
        for one in reversed(self._sweeps):
            swept = (point.experiment for point in one.points)
            first = next((each for each in swept if each.privacy.guarantee), None)
            if set(one.axes) != {BUDGET, "seed"} or first is None:
                continue
            if type(first.privacy) is not type(privacy) or _bare(first) != _bare(experiment):
                continue
            try:
                return f" Expect {one.frontier().expected(privacy.epsilon)}."
            except ValueError:  # a budget beyond those that were swept, or none is done yet
                continue
        return ""

    def experiment(self, id: str) -> Experiment:
        """Return the experiment of a point, of the first of its seeds. Raises KeyError."""
        number, _, place = id.removeprefix("sweep-").partition("-")
        return self._sweeps[int(number)].frontier().points[int(place)].experiment

    def shown(self, experiment: Experiment | None) -> dict[str, Any]:
        """Return what the page draws; `experiment` is what the form holds."""
        last = self._sweeps[-1] if self._sweeps else None
        drawn = [self._draw(number, each) for number, each in enumerate(self._sweeps)]
        done, total, eta = last.progress if last else (0, 0, None)
        failed = [each.error for each in last.results if each.error] if last else []
        above = experiment.cautions() if experiment else []  # the head of the workbench says them
        wrong, of = self._wrong
        wrong = wrong if of is experiment else ""  # the form has changed since
        words = wrong or (f"{len(failed)} failed: {failed[0]}" if failed else "")
        if experiment is not self._offered[0]:
            self._offered = experiment, [] if experiment is None else offered_fields(experiment)
        return {
            "fields": self._offered[1],
            "state": last.state if last else "none",
            "done": done,
            "total": total,
            "eta": eta,
            "words": words,
            "cautions": [each for each in last.cautions() if each not in above] if last else [],
            "points": [
                {**point, "label": f"{point['label']}{apart}"}
                for each, apart in zip(drawn, self._apart(), strict=True)
                for point in each["points"]
            ],
            "number": len(self._sweeps),
            "latest": self.latest,
            "about": _about(last) if last else None,
            "levels": drawn[-1]["levels"] if drawn else [],
            "map": drawn[-1]["map"] if drawn else None,
        }

    def _apart(self) -> list[str]:
        """Return for each sweep what tells its points from those of others, if there are others."""
        if len(self._sweeps) < 2:
            return [""] * len(self._sweeps)
        swept = {path for one in self._sweeps for path in one.axes}
        bases = [one.points[0].experiment for one in self._sweeps]
        paths = [path for path in differences(bases) if path not in swept and path != "data"]
        kept = [path for path in paths if not any(path in each or each in path for each in swept)]
        columns = [(path, cells(bases, path)) for path in kept[:NAMED]]
        return [
            "".join(f" · {words(base, path, column[k])}" for path, column in columns)
            + f" · sweep {k + 1}"
            for k, base in enumerate(bases)
        ]

    def frontier(self) -> Frontier | None:
        """Return what the last sweep has come to, None where there is nothing yet."""
        found = self._sweeps[-1].frontier() if self._sweeps else None
        return found if found is not None and found.points else None

    @property
    def news(self) -> int:
        """Return how many results there are: what is expected may be another with each."""
        return sum(len(one.results) for one in self._sweeps)

    def close(self) -> None:
        """Cancel what goes on."""
        self.cancel()

    def _draw(self, number: int, one: Sweep) -> dict[str, Any]:
        """Return the points, levels and map of a sweep; made anew only when there is more."""
        version = len(one.results), len(one.levels), one.state
        known, drawn = self._drawn.get(number, (None, {}))
        if version != known:
            frontier = one.frontier()
            metric = METRICS[frontier.metric]
            drawn = {
                "points": [
                    _point(f"sweep-{number}-{place}", point, frontier)
                    for place, point in enumerate(frontier.points)
                    if math.isfinite(point.value)
                ],
                "levels": [
                    {"label": f"{name} {metric.text(value, 3)}"} | {"value": value}
                    for name, value in frontier.levels.items()
                    if name != "no privacy"  # drawn from the points themselves
                ],
                "map": _map(one, frontier),
            }
            self._drawn[number] = version, drawn
        return drawn


def _bare(experiment: Experiment) -> Experiment:
    """Return an experiment with any budget and seed: what has to be the same to compare."""
    return experiment.replace(**{BUDGET: 1.0, "seed": 0})


def _call(method: weakref.WeakMethod[Any]) -> None:
    changed = method()
    if changed is not None:
        changed()


def _point(id: str, point: FrontierPoint, frontier: Frontier) -> dict[str, Any]:
    experiment = point.experiment
    return {
        "id": id,
        "label": _label(point) or session_title(experiment),
        "data": session_title(experiment),
        "of": identity(experiment),
        "line": line_of(experiment),
        "epsilon": _number(point.epsilon),
        "unit": level(experiment),
        "value": point.value,
        "low": _number(point.low),
        "high": _number(point.high),
        "metric": measure(frontier.metric),
        "delta": point.delta,
        "auc": _number(point.attack_auc),
        "runs": point.runs,
        "test_rows": point.test_rows,
        "rounds": experiment.rounds,
        "seed": _repeats(point),
        "current": False,
    }


def _about(one: Sweep) -> dict[str, Any]:
    """Return what a sweep's points have in common, by which the page finds their chart."""
    experiments = [point.experiment for point in one.points]
    some = next((each for each in experiments if each.privacy.guarantee), experiments[0])
    return {
        "data": session_title(some),
        "of": identity(some),
        "metric": some.metric,
        "unit": level(some),
        "delta": getattr(some.privacy, "delta", None),
    }


def _repeats(point: FrontierPoint) -> str:
    if point.same:
        return f"{point.runs} seeds, identical for every seed"
    return f"{point.runs} seed{'' if point.runs == 1 else 's'}"


def _label(point: FrontierPoint) -> str:
    """Return what tells a point from the others, in the words of the form."""
    return ", ".join(
        _words(point.experiment, path, value) for path, value in point.settings.items()
    )


def _words(experiment: Experiment, path: str, value: Any) -> str:
    if path == BUDGET:
        return "no privacy" if value == math.inf else f"ε ≤ {shown(value)}"
    return f"{title_of(experiment, path)} {shown(value)}"


def _map(one: Sweep, frontier: Frontier) -> dict[str, Any] | None:
    """Return the mean for each pair of values of the first two settings, if two were swept."""
    paths = [path for path in one.axes if path != "seed" and len(one.axes[path]) > 1]
    if len(paths) != 2:
        return None
    across, down = paths
    some = one.points[0].experiment
    found = {
        (point.settings[down], point.settings[across]): point.value
        for point in frontier.points
        if math.isfinite(point.value)
    }
    return {
        "across": title_of(some, across),
        "down": title_of(some, down),
        "columns": [shown(value).replace("inf", "∞") for value in one.axes[across]],
        "rows": [shown(value).replace("inf", "∞") for value in one.axes[down]],
        "values": [[found.get((y, x)) for x in one.axes[across]] for y in one.axes[down]],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
