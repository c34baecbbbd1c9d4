"""What a run came to, as plain data."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import fedbench
from fedbench.experiment import Experiment
from fedbench.metrics import SPENT, totals
from fedbench.runs.history import History


def outcome(history: History) -> dict[str, Any]:
    """Return what a run came to, as plain JSON data; a number that is not there is None.

    As in `History.frame()`, `epsilon` is client-level alone and `example_epsilon` example-level;
    `unit` says which of them the run spends.
    """
    experiment, rows = history.experiment, history.snapshot()
    last = rows[-1] if rows else None
    guarantee = experiment.privacy.guarantee
    return {
        "experiment": _described(experiment),
        "data": experiment.data.kind(),
        "rounds": len(rows),
        "unfinished_rounds": history.unfinished,
        "ended": history.ended,
        "metrics": {name: number(x) for name, x in last.metrics.items()} if last else {},
        "personal": number(last.personal) if last else None,
        **{
            column.name: number(history.spent) if unit == history.unit else None
            for unit, column in SPENT.items()
        },
        "delta": guarantee.delta if guarantee else None,
        "unit": history.unit,
        "noise_multiplier": history.noise_multiplier,
        "simulation_only": guarantee is not None and guarantee.noise_seed is not None,
        **{name: number(value) for name, value in totals(rows).items()},
        "amendments": [note.to_dict() for note in history.amendments],
        "cautions": list(history.cautions),
        "unproven": history.unproven,
        "versions": {
            "fedbench": fedbench.__version__,
            "torch": version("torch"),
            "numpy": version("numpy"),
        },
    }


def _described(experiment: Experiment) -> str:
    try:
        return experiment.describe()
    except ValueError:  # a table that is no longer there, and says how many clients there are
        return f"{experiment.partition.describe()} · {experiment.strategy.kind()}"


def number(value: float) -> float | str | None:
    """Return a number that JSON can hold: NaN is null, and infinity is the string "inf"."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)
