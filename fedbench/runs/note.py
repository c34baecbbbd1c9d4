"""A run so far in one sentence."""

from __future__ import annotations

import math

import numpy as np

from fedbench.data import FederatedDataset
from fedbench.metrics import METRICS, worst_called
from fedbench.runs.history import History
from fedbench.runs.naive import naive
from fedbench.runs.warning_signs import worsened

FEW_TESTS = 10  # of a client's own: with fewer, who is the worst is decided by which rows they are


def note(history: History, data: FederatedDataset | None = None) -> str:
    """Return a sentence that says what the numbers mean so far.

    Where the history's `data` are given, it also has the level of a prediction that learns nothing,
    and says if the worst clients have few rows to be judged by. A model that gets worse, or is not
    shown to beat that level, is named as such.
    """
    rows = history.snapshot()
    if not rows:
        return ""
    last, name = rows[-1], history.metric
    value = last.metrics[name]
    level = "" if data is None else _beside(data, name)
    if not math.isfinite(value):
        return _not_finite(name, value, last.round)
    own = last.personal if math.isfinite(last.personal) else None
    worst = last.over_clients()["worst_tenth"]
    whom = f"{worst_called(last.clients)} of the clients"
    if name == "accuracy":
        right = f"right on {value:.1%} of the held-out test set"
        if own is None:
            text = f"After round {last.round} the model is {right}{level}"
        else:
            text = f"After round {last.round} the global model is {right}, the personal models "
            text += f"on {own:.1%}{level}"
        tail = f"; on {whom} on {worst:.0%}"
    elif name == "auc":
        text = f"After round {last.round} the model's AUC on the held-out test set is {value:.3f}"
        if own is not None:
            text += f", with the personal models {own:.3f}"
        text += level
        tail = f"; on {whom} {worst:.3f}"
    else:
        unit = f" {data.card.target_unit}" if data is not None and data.card.target_unit else ""
        text = f"After round {last.round} the error on the held-out test set is {value:.3g}{unit} "
        text += "(RMSE)"
        if own is not None:
            text += f", with the personal models {own:.3g}"
        text += level
        tail = f"; on {whom} {worst:.3g}"
    if math.isfinite(worst):
        rises = history.experiment.metrics[name]
        text += tail + ("" if data is None else _judged(last.clients, rises, data))
    text += "."
    for each in (history.unproven, worsened(rows[0], last)):
        text += f" {each}" if each else ""
    # a failure has a banner of its own
    quiet = not history.ended or history.ended.startswith("failed")
    return text if quiet else f"{text} The run ended: {history.ended}."


def _beside(data: FederatedDataset, metric: str) -> str:
    known = naive(data, metric)
    return f" ({', '.join(map(str, known))})" if known else ""


def _not_finite(metric: str, value: float, number: int) -> str:
    if metric == "auc":
        return f"After round {number} there is no AUC: all test rows are of one class."
    return (
        f"After round {number} the {METRICS[metric].title} is {value:g}: training has left the "
        "range of numbers. Lower training.lr, or take fewer local steps."
    )


def _judged(values: np.ndarray, rises: bool, data: FederatedDataset) -> str:
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known] if rises else -values[known], kind="stable")]
    rows = data.tests_of(order[: max(1, len(known) // 10)])
    least, most = int(rows.min()), int(rows.max())
    if np.median(rows) >= FEW_TESTS:
        return ""
    some = f"{least} to {most}" if least < most else str(most)
    each = " each" if len(rows) > 1 else ""
    return f", judged by {some} test row{'' if some == '1' else 's'}{each}: much of that is chance"
