"""The runs of a workbench side by side: what tells them apart and what they came to."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.experiment import Experiment
from fedbench.metrics import TOTALS, totals
from fedbench.runs import History, Session
from fedbench.study.differences import cells, differences, names, titles, words
from fedbench_widgets.picture import Run, Series, level, measure, session_title

if TYPE_CHECKING:
    import pandas as pd

# Names of theme colours; the blue of the run that is shown comes late, as both are on one chart.
PALETTE = ("s1", "s3", "s2", "s4", "s5", "s0", "mute")
LONGEST = 60  # characters of a name


@dataclass
class Looks:
    """What a person made of a run; an empty name is one by what tells the run from the others."""

    color: str
    name: str = ""
    pinned: bool = False


class Comparing:
    """The runs that have ended, their colours, names and pins; the last one deleted comes back.

    A deleted run is gone from everything that is drawn of the workbench's runs: the table, the
    live charts and the frontier. Its privacy, if it had any, was spent all the same.
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._numbers = itertools.count(1)
        self._looks: dict[int, Looks] = {}
        self._pins: dict[int, dict[str, Any]] = {}  # made once: a run that has ended stays as it is
        self._known: dict[int, dict[str, Any]] = {}  # likewise, what it came to
        self._deleted: tuple[int, Run, str] | None = None  # its place, and what it was called

    def add(self, history: History) -> None:
        """Take in a run that has ended."""
        number = next(self._numbers)
        self.runs.append(Run(number, history.experiment, history))

    def experiment(self, id: str) -> Experiment | None:
        """Return the experiment of a run, None for an id that is no run's."""
        return next((run.experiment for run in self.runs if str(run.id) == id), None)

    def obey(self, asked: Any) -> None:
        """Do what the page asks for; what names no run, or no colour, is left alone."""
        if asked == "undo":
            self.undo()
        if not isinstance(asked, dict):
            return
        run = next((each for each in self.runs if str(each.id) == asked.get("id")), None)
        if run is None:
            return
        looks = self.looks(run)
        if isinstance(name := asked.get("name"), str):
            looks.name = " ".join(name.split())[:LONGEST]
        if asked.get("color") in PALETTE:
            looks.color = asked["color"]
        if isinstance(pinned := asked.get("pinned"), bool):
            looks.pinned = pinned
        if asked.get("delete") is True:
            self.delete(run)

    def release(self) -> None:
        """Let the models of the runs go, as only their rounds are drawn: they may be large."""
        self.runs = [replace(run, history=run.history.copy(run.history.rows)) for run in self.runs]

    def delete(self, run: Run) -> None:
        """Take a run out; one at a time can be brought back."""
        place = self.runs.index(run)
        self._deleted = place, run, self.names(self.runs)[place]
        self.runs.remove(run)

    def undo(self) -> None:
        """Bring the run back that was deleted last, with its colour, name and pin."""
        if self._deleted is not None:
            place, run, _ = self._deleted
            self.runs.insert(place, run)
            self._deleted = None

    def looks(self, run: Run) -> Looks:
        """Return what a person made of a run; by default the next colour of the palette."""
        color = PALETTE[(run.id - 1) % len(PALETTE)]
        return self._looks.setdefault(run.id, Looks(color))

    def names(self, runs: list[Run]) -> list[str]:
        """Return the names of runs: those given, else what tells those that have ended apart."""
        ended = [run for run in runs if run.id]
        found = names([run.experiment for run in ended], [run.id for run in ended])
        called = [self.looks(run).name or name for run, name in zip(ended, found, strict=True)]
        return called + ["this run"] * (len(runs) - len(ended))

    def colors(self) -> dict[int, str]:
        """Return the colours of the runs that are pinned: there they mean a run."""
        return {run.id: self.looks(run).color for run in self.runs if self.looks(run).pinned}

    def pins(self) -> list[dict[str, Any]]:
        """Return the pinned runs as lines: columns of float32, at most 2,000 points each."""
        runs = list(self.runs)
        found = []
        for run, name in zip(runs, self.names(runs), strict=True):
            if self.looks(run).pinned:
                if run.id not in self._pins:
                    self._pins[run.id] = _lines(run)
                found.append({**self._pins[run.id], "label": name, "color": self.looks(run).color})
        return found

    def shown(self, session: Session) -> dict[str, Any]:
        """Return what the page draws: the runs that have ended, and the one that goes on."""
        runs = self._all(session)
        experiments = [run.experiment for run in runs]
        paths = differences(experiments)
        heads = titles(experiments[0], paths) if runs else []
        columns = [cells(experiments, path) for path in paths]
        apart = _apart(experiments, paths)
        rows = []
        for k, (run, name) in enumerate(zip(runs, self.names(runs), strict=True)):
            looks = self.looks(run) if run.id else Looks("s0")
            about = {"id": str(run.id), "name": name, "color": looks.color, "pinned": looks.pinned}
            about |= {"current": not run.id, "cells": [column[k] for column in columns]}
            about["told"] = [
                words(run.experiment, path, column[k]) if path in apart[k] else ""
                for path, column in zip(paths, columns, strict=True)
            ]
            rows.append({**about, **self._results(run)})
        return {
            "columns": [
                {"path": path, "title": title} for path, title in zip(paths, heads, strict=True)
            ],
            "totals": [
                {"key": name, "title": column.title, "help": column.tip, "format": column.format}
                for name, column in TOTALS.items()
                if column.listed
            ],
            "rows": rows,
            "deleted": self._deleted[2] if self._deleted else "",
        }

    def frame(self, session: Session) -> pd.DataFrame:
        """Return one row a run: its number and name, what tells it apart, and what it came to.

        Columns: run, name, a column for each setting in which some differ (by its path), data_set,
        metric (which one), value, worst_tenth, epsilon, unit, delta, the totals of the run (columns
        of its history that add up, such as bytes_up), rounds_done, amended, ended and experiment.
        NaN stands where something does not apply.
        """
        import pandas as pd

        runs = self._all(session)
        experiments = [run.experiment for run in runs]
        paths = differences(experiments)
        columns = {path: cells(experiments, path) for path in paths}
        rows = [
            {
                "run": run.id,
                "name": name,
                **{path: column[k] for path, column in columns.items()},
                **_plain(self._results(run)),
                "ended": run.history.ended,
                "experiment": run.experiment.describe(),
            }
            for k, (run, name) in enumerate(zip(runs, self.names(runs), strict=True))
        ]
        return pd.DataFrame(rows)

    def _all(self, session: Session) -> list[Run]:
        """Return the runs that have ended, and as number 0 the one that goes on."""
        going = session.state in ("running", "paused", "stopping") and len(session.history)
        now = [Run(0, session.history.experiment, session.history)] if going else []
        return [*self.runs, *now]

    def _results(self, run: Run) -> dict[str, Any]:
        if run.id in self._known:
            return self._known[run.id]
        found = results(run.history)
        if run.id:
            self._known[run.id] = found
        return found


def _apart(experiments: list[Experiment], paths: list[str]) -> list[set[str]]:
    """Return for each experiment what tells it from the others of its own data, and the data.

    Across data sets nearly everything differs, and says nothing.
    """
    found = []
    for each in experiments:
        alike = [other for other in experiments if other.data.kind() == each.data.kind()]
        own = [path.split(".") for path in ["data", *differences(alike)]]
        found.append({path for path in paths if any(_within(path.split("."), it) for it in own)})
    return found


def _within(one: list[str], other: list[str]) -> bool:
    """Return whether of two paths one leads to what the other is in."""
    return all(a == b for a, b in zip(one, other, strict=False))


def results(history: History) -> dict[str, Any]:
    """Return what a run came to so far, as plain data; None for what does not apply."""
    experiment, rows = history.experiment, history.snapshot()
    last, name = rows[-1], history.metric
    return {
        "data": session_title(experiment),
        "metric": measure(name),
        "value": _number(last.metrics[name]),
        "worst_tenth": _number(last.over_clients()["worst_tenth"]),
        "epsilon": _number(history.spent),
        "unit": level(experiment),
        "delta": getattr(experiment.privacy, "delta", None),
        **{total: _number(value) for total, value in totals(rows).items()},
        "rounds": last.round,
        "amended": "; ".join(each.describe() for each in history.amendments),
    }


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Return results under the names that a table of a history has for them."""
    # not rounds and data: settings have these names
    renamed = {"rounds": "rounds_done", "data": "data_set"}
    plain = {renamed.get(name, name): value for name, value in found.items()}
    absent = ("value", "worst_tenth", "epsilon", "delta", *TOTALS)
    numbers = {name: math.nan for name in absent if plain[name] is None}
    return {**plain, "metric": found["metric"]["name"], "unit": found["unit"] or "", **numbers}


def _lines(run: Run) -> dict[str, Any]:
    """Return a run as columns of numbers, with what they are of."""
    series = Series(run.history)
    table = series.points()
    return {
        "id": str(run.id),
        "metric": run.history.metric,
        "unit": level(run.experiment),
        "delta": getattr(run.experiment.privacy, "delta", None),
        "columns": {
            name: table[:, place].tobytes()
            for place, name in enumerate(series.columns)
            if np.isfinite(table[:, place]).any()
        },
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
