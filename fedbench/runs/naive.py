"""What predictions that learn nothing score: the level that a model has to beat."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedbench.data import FederatedDataset
from fedbench.metrics import METRICS
from fedbench.runs.paired import advantage, columns

CLOSE = 0.02  # of the accuracy: nearer to each other, two levels say the same


@dataclass(frozen=True, eq=False)
class Naive:
    """A prediction without a model, and its value of `metric` on the test rows.

    `name` says what is predicted; names of classes in it are untrusted text. `guess` [N] is the
    prediction for each test row as `paired.advantage` takes it; None where it is drawn at random.
    """

    name: str
    metric: str
    value: float
    guess: NDArray[np.generic] | None = None

    def __str__(self) -> str:
        """Name it with its value."""
        return f"{self.name} {METRICS[self.metric].text(self.value, 3)}"


_known: weakref.WeakKeyDictionary[FederatedDataset, dict[str, tuple[Naive, ...]]] = (
    weakref.WeakKeyDictionary()
)


def naive(data: FederatedDataset, metric: str) -> tuple[Naive, ...]:
    """Return what needs no model to score by `metric` on the test rows, the one to beat first.

    Accuracy: always the class that most training rows have, and a class drawn at random, unless the
    two are within 2 points. AUC: 0.5, by any order drawn at random. RMSE and MAE: always the mean,
    or the median, of the training targets, and the target's last known value where the data have
    it. There is none for other metrics.
    """
    found = _known.setdefault(data, {})
    if metric not in found:
        found[metric] = _naive(data, metric)
    return found[metric]


def levels(data: FederatedDataset, metric: str) -> dict[str, float]:
    """Return the values of `naive` by name, as figures draw them."""
    return {each.name: each.value for each in naive(data, metric)}


def unproven(data: FederatedDataset, metric: str, predictions: NDArray[np.float64]) -> str:
    """Return a sentence where predictions are not shown to beat the naive one, else "".

    `predictions` are as `Predictions` holds them. It is shown where the 95 % interval of the paired
    difference lies above 0.
    """
    rival = next(iter(naive(data, metric)), None)
    if rival is None or rival.guess is None:
        return ""
    targets, values = columns(data, metric, predictions)
    found = advantage(metric, targets, values, rival.guess)
    verdict, rows = found.verdicts[0], len(targets)
    if verdict == "gains" or np.isnan(found.value[0]):
        return ""
    gap = _gap(metric, float(found.low[0]), float(found.high[0]))
    than = f"{rival.name} ({METRICS[metric].text(rival.value, 3)})"
    counted = f"{rows} test row{'' if rows == 1 else 's'}"
    if verdict == "loses":
        return f"The model is worse than {than}: gain {gap} on {counted}."
    return f"No better than {than}, as far as {counted} can show: gain {gap}."


def _gap(metric: str, low: float, high: float) -> str:
    if not np.isfinite(low + high):
        return "unknown, as there are too few rows"
    if metric == "accuracy":
        return f"{100 * low:+.1f} to {100 * high:+.1f} points (95 % interval)"
    return f"{low:+.3g} to {high:+.3g} (95 % interval)"


def _naive(data: FederatedDataset, metric: str) -> tuple[Naive, ...]:
    card, count = data.card, len(data.y_test)
    if count == 0:
        return ()
    if metric == "accuracy":
        classes = len(card.classes)
        most = int(np.bincount(data.y.astype(np.int64), minlength=classes).argmax())
        share = float((data.y_test == most).mean())
        always = Naive(
            f"always “{card.classes[most]}”", metric, share, np.full(count, most, dtype=np.int64)
        )
        if abs(share - 1 / classes) < CLOSE:
            return (always,)
        return always, Naive("chance", metric, 1 / classes)
    if metric == "auc":
        return (Naive("chance", metric, 0.5, np.zeros(count)),)
    if metric in ("rmse", "mae"):
        y = data.y.astype(np.float64) * card.target_std + card.target_mean
        targets = data.y_test.astype(np.float64) * card.target_std + card.target_mean
        middle = float(y.mean() if metric == "rmse" else np.median(y))
        value = _error(metric, targets - middle)
        name = "always the mean" if metric == "rmse" else "always the median"
        found = [Naive(name, metric, value, np.full(count, middle))]
        if (latest := data.test_latest) is not None:
            found.append(Naive("the last value", metric, _error(metric, latest - targets), latest))
        return tuple(sorted(found, key=lambda each: each.value))
    return ()


def _error(metric: str, errors: NDArray[np.float64]) -> float:
    return float(np.sqrt((errors**2).mean()) if metric == "rmse" else np.abs(errors).mean())
