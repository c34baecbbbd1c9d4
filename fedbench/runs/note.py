"""A run so far in one sentence."""

from __future__ import annotations

import math

from fedbench.runs.history import History, summary, worst_called


def note(history: History) -> str:
    """Return a sentence that says what the numbers mean so far."""
    rows = history.snapshot()
    if not rows:
        return ""
    last, name = rows[-1], history.metric
    value = last.metrics[name]
    if not math.isfinite(value):
        return ""
    own = last.personal if math.isfinite(last.personal) else None
    worst = summary(last.clients, history.experiment.metrics[name])["worst_tenth"]
    whom = f"{worst_called(last.clients)} of the clients"
    if name == "accuracy":
        right = f"right on {value:.1%} of the held-out test set"
        if own is None:
            text = f"After round {last.round} the model is {right}"
        else:
            text = f"After round {last.round} the global model is {right}, the clients' own models "
            text += f"on {own:.1%}"
        tail = f"; on {whom} on {worst:.0%}"
    elif name == "auc":
        text = f"After round {last.round} the model's AUC on the held-out test set is {value:.3f}"
        if own is not None:
            text += f", with the clients' own models {own:.3f}"
        tail = f"; on {whom} {worst:.3f}"
    else:
        text = f"After round {last.round} the error on the held-out test set is {value:.3g} (RMSE)"
        if own is not None:
            text += f", with the clients' own models {own:.3g}"
        tail = f"; on {whom} {worst:.3g}"
    text += f"{tail if math.isfinite(worst) else ''}."
    # a failure has a banner of its own
    quiet = not history.ended or history.ended.startswith("failed")
    return text if quiet else f"{text} The run ended: {history.ended}."
