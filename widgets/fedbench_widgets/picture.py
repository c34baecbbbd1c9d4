"""What the browser draws: a session as plain data. Pure functions, no widget."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fedbench.data import FederatedDataset, Table
from fedbench.experiment import Experiment
from fedbench.metrics import COLUMNS, METRICS, SPENT, TOTALS, columns, totals
from fedbench.runs import History, Session
from fedbench.runs.naive import naive
from fedbench.runs.note import note
from fedbench.strategies import Strategy
from fedbench_widgets.preview import Plan

MOST_POINTS = 2000  # more than a chart has pixels
LAST = "Showing the last run. Press Start to run the new settings."
STUCK = "Showing the last run. The new settings cannot start yet."


@dataclass(frozen=True)
class Run:
    """A run that has ended, as a point on the frontier."""

    id: int
    experiment: Experiment
    history: History


def series_columns(experiment: Experiment) -> dict[str, str]:
    """Return what the page calls each column of a history, without the ε of other units.

    `metric` is the run's first metric, and `epsilon` what it spent, whatever that protects.
    """
    spent = SPENT[experiment.privacy.unit or "client"].name
    called = {experiment.metric: "metric", spent: "epsilon"}
    return {
        name: called.get(name, name)
        for name, column in columns(experiment.metrics).items()
        if not column.protects or name == spent
    }


class Series:
    """The columns of a growing history; each round is turned into numbers once.

    What adds up over rounds is added up.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.columns = list(series_columns(history.experiment).values())
        self._rows: list[list[float]] = []
        self._sums = dict.fromkeys(TOTALS, 0.0)

    def points(self) -> np.ndarray:
        """Return float32 [points, columns]; every k-th and the last where there are many."""
        rows = self.history.snapshot()
        for row in rows[len(self._rows) :]:
            numbers = row.numbers(self.history.unit)
            self._sums = {name: held + numbers[name] for name, held in self._sums.items()}
            numbers |= self._sums
            given = series_columns(self.history.experiment)
            self._rows.append([numbers[name] for name in given])
        table = np.array(self._rows, dtype="<f4").reshape(-1, len(self.columns))
        every = -(-len(table) // MOST_POINTS)
        if every <= 1:
            return table
        keep = np.arange(len(table)) % every == 0
        keep[-1] = True
        return table[keep]


def status(
    session: Session,
    shown: Experiment | None,
    pending: list[str],
    trouble: str = "",
    at: str = "",
) -> dict[str, Any]:
    """Return the toolbar's state; `shown` is what the form holds, None while it is wrong.

    `trouble` says what in the form is wrong, `at` the path of that setting, or why what it holds
    cannot be run. What is on show is the last run until the next one starts: where the form holds
    another experiment by then, the subtitle says so.
    """
    experiment = session.experiment if session.state not in ("idle",) else shown
    experiment = experiment or session.experiment
    rows = session.history.snapshot()
    guarantee = experiment.privacy.guarantee
    going = session.state in ("running", "paused", "stopping")
    left = max(0, experiment.rounds - len(rows))
    pace = session.seconds / len(rows) if rows else None
    edited = session.state in ("done", "failed") and shown not in (None, experiment)
    failure = session.failure
    return {
        "state": session.state,
        "title": session_title(experiment),
        "subtitle": (STUCK if trouble else LAST) if edited else experiment.describe(),
        "round": len(rows),
        "rounds": experiment.rounds,
        "solving": session.state == "running" and not rows and _unsolved(session.history),
        "elapsed": session.seconds,
        "eta": pace * left if going and pace is not None else None,
        "epsilon": _number(session.history.spent),
        "budget": guarantee and guarantee.epsilon,
        "delta": guarantee and guarantee.delta,
        "unit": level(experiment),
        "promise": promise(session.history) if rows else promise(History(experiment)),
        "totals": {name: _number(value) for name, value in totals(rows).items()} if rows else {},
        "help": _tips(experiment),
        "error": {"message": failure.message, "detail": failure.detail} if failure else None,
        "notes": notes(session, shown),
        "can_start": shown is not None and not trouble,
        "wrong": shown is None,
        "why_not": trouble,
        "why_path": at,
        "ended": session.history.ended,
        "pending": pending,
        "closed": False,
    }


def notes(session: Session, shown: Experiment | None) -> list[dict[str, str]]:
    """Return what should be known of the form, as far as Start would run it, and of the run.

    Each is about the "form" or the "run", a "warning" or "info", with a text and the path of the
    setting that it starts with. What is known of the data asks for nothing: it is information.
    """
    waits = session.state in ("idle", "done", "failed")
    form = known(shown) if waits and shown is not None else []
    run = known(session.experiment) if session.state != "idle" else []
    of = [("form", text) for text in form]
    of += [("run", text) for text in run if text not in form]
    return [
        {"about": about, "level": level, "text": text, "path": path}
        for about, text in of
        for path in [re.split(r"[ :]", text, maxsplit=1)[0]]
        for level in ["info" if path == "data" else "warning"]
    ]


def known(experiment: Experiment) -> list[str]:
    """Return the cautions of an experiment, without those that show what is in a person's table.

    Those stand beside its columns, and are not saved with a notebook.
    """
    found, table = experiment.cautions(), getattr(experiment.data, "data", experiment.data)
    if not isinstance(table, Table):
        return found
    own = [text for text in found if text.startswith("data: ")]
    if not own:
        return found
    notes = "1 note" if len(own) == 1 else f"{len(own)} notes"
    rest = [text for text in found if text not in own]
    return [f"data: {notes} on the columns of the table, beside them", *rest]


def _unsolved(history: History) -> bool:
    guarantee = history.experiment.privacy.guarantee
    known = history.noise_multiplier is not None
    return guarantee is not None and guarantee.noise_multiplier is None and not known


def tour(run: int, form: Experiment | None, ran: Experiment) -> dict[str, Any]:
    """Return what the guided first run goes by: the run's number, what is set and what it was."""
    return {"run": run, "form": form and _settings(form), "ran": _settings(ran)}


def _settings(experiment: Experiment) -> dict[str, Any]:
    guarantee = experiment.privacy.guarantee
    return {
        "alpha": getattr(experiment.partition, "alpha", None),
        "epsilon": guarantee and guarantee.epsilon,
        "private": guarantee is not None,
    }


def snapshot(session: Session, points: int, plan: Plan | None) -> dict[str, Any]:
    """Return what the charts need beside the numbers of the series."""
    history, experiment = session.history, session.experiment
    guarantee = experiment.privacy.guarantee
    data = experiment.federation() if len(history) else None
    return {
        "state": session.state,
        "data": session_title(experiment),
        "target_unit": data.card.target_unit if data is not None else "",
        "naive": [] if data is None else _naive(data, history.metric),
        "of": identity(experiment),
        "metric": measure(history.metric),
        "rounds": experiment.rounds,
        "columns": list(series_columns(experiment).values()),
        "help": _tips(experiment),
        "points": points,
        "budget": guarantee and guarantee.epsilon,
        "delta": guarantee and guarantee.delta,
        # only there it is a bound on what the chart beside it shows: the norms of updates
        "clip": guarantee.clip if guarantee and guarantee.noise_on_server else None,
        "unit": level(experiment),
        "promise": promise(history),
        "personal": type(experiment.strategy).personal is not Strategy.personal,
        "loss_label": "squared error" if experiment.data.task == "regression" else "cross-entropy",
        "note": note(history, data),
        "amended": [{"round": each.round, "words": each.describe()} for each in history.amendments],
        "epsilon_plan": {"rounds": plan[0], "epsilon": plan[1]} if plan else None,
    }


def frontier(
    runs: list[Run],
    session: Session,
    colors: Mapping[int, str] | None = None,
    names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return a point for each run that has ended, with its colour and name, and one that goes on.

    `names` tell the runs apart; without, each is described in full.
    """
    points = [
        {**_point(run.id, run.experiment, run.history, False), "color": (colors or {}).get(run.id)}
        for run in list(runs)
    ]
    for point, name in zip(points, names, strict=False):
        point["name"] = name
    done = any(run.history is session.history for run in runs)
    if not done and len(session.history) and session.state in ("running", "paused", "stopping"):
        points.append(_point(0, session.experiment, session.history, True))
    return points


def measure(metric: str) -> dict[str, Any]:
    """Return what the page needs to write a metric's values."""
    column = METRICS[metric]
    return {
        "name": metric,
        "label": f"Test {column.title}",
        "percent": column.format == "percent",
        "minimize": not column.rises,
        "help": column.tip,
    }


def identity(experiment: Experiment) -> str:
    """Return what tells data sets apart: two tables of one name are two."""
    return f"{experiment.data.kind()} {getattr(experiment.data, 'path', '')}".rstrip()


def line_of(experiment: Experiment) -> str:
    """Return the same text for experiments that differ only by their budget, noise and seeds.

    The chart of privacy against utility joins runs of one line, and no others.
    """
    # a frozen spec is hashable, which pyright cannot see through pydantic
    return _line_of(experiment)


@lru_cache(maxsize=512)
def _line_of(experiment: Experiment) -> str:
    found = experiment.to_dict()
    for name in ("seed", "engine"):
        found.pop(name, None)
    for name in ("epsilon", "noise_multiplier", "noise_seed"):
        found["privacy"].pop(name, None)
    text = json.dumps(found, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _joined(history: History, current: bool) -> bool:
    """Return whether a run stands for its settings: neither changed nor cut short on the way."""
    return not (current or history.amendments or history.ended.startswith(("stopped", "failed")))


def _tips(experiment: Experiment) -> dict[str, str]:
    """Return what tooltips say of each column, by the name that the page has for it."""
    return {called: COLUMNS[name].tip for name, called in series_columns(experiment).items()}


def session_title(experiment: Experiment) -> str:
    """Return the data set's name in plain words; of a person's own table, the file's name."""
    path = getattr(experiment.data, "path", "")
    return Path(path).name if path else experiment.data.display_name()


def level(experiment: Experiment) -> str | None:
    """Return what the experiment's ε is called, such as "client-level"; None without privacy."""
    return experiment.privacy.level or None


def promise(history: History) -> str:
    """Return what the ε of a run means and rests on; nothing without privacy."""
    card = history.privacy_card()
    words = dict(card.lines)
    if not words:
        return ""
    told = (
        f"{name}: {words[name]}." for name in ("Neighbours differ in that", "Sampling", "Noise")
    )
    return " ".join((card.statement, *told))


def _naive(data: FederatedDataset, metric: str) -> list[dict[str, Any]]:
    """Return what needs no model, as lines to compare with."""
    return [{"label": str(each), "value": each.value} for each in naive(data, metric)]


def _point(id: int, experiment: Experiment, history: History, current: bool) -> dict[str, Any]:
    last = history.snapshot()[-1]
    words = [session_title(experiment), experiment.model.kind(), experiment.describe()]
    if history.amendments:
        words.append("amended")
    return {
        "id": id,
        "label": " · ".join(words),
        "data": session_title(experiment),
        "of": identity(experiment),
        "line": line_of(experiment) if _joined(history, current) else None,
        "epsilon": _number(history.spent),
        "unit": level(experiment),
        "value": last.metrics[history.metric],
        "personal": _number(last.personal),
        "metric": measure(history.metric),
        "delta": getattr(experiment.privacy, "delta", None),
        "rounds": last.round,
        "seed": experiment.seed,
        "current": current,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
