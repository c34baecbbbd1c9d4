"""What should be known of a run while it goes on: a model that gets worse, features far out."""

from __future__ import annotations

import math
import weakref

import numpy as np
from numpy.typing import NDArray

from fedbench.data import FederatedDataset
from fedbench.metrics import METRICS, RoundRecord

TIMES = 2  # the loss of the first round: a model that has more is getting worse
FAR = 10  # standard deviations
NAMED = 3  # columns

_known: weakref.WeakKeyDictionary[FederatedDataset, str] = weakref.WeakKeyDictionary()


def worsened(first: RoundRecord, last: RoundRecord) -> str:
    """Return a sentence where a model does worse than after its first round, else "".

    Both the loss has more than doubled and the first metric is worse, so that a model which is
    right more often but less sure is not meant. A loss that is not finite ends other runs, but not
    those under privacy, whose end must not depend on exact scores.
    """
    if not math.isfinite(last.metrics["loss"]):
        return (
            f"The test loss is no longer finite after round {last.round}: the model's numbers are "
            "too large to compute with. Lower privacy.clip, the noise multiplier or training.lr."
        )
    (name, start), end = next(iter(first.metrics.items())), next(iter(last.metrics.values()))
    rises = METRICS[name].rises
    loss = first.metrics["loss"], last.metrics["loss"]
    if not loss[1] > TIMES * loss[0] or (end >= start if rises else end <= start):
        return ""
    return (
        f"The model is getting worse: the test loss was {loss[0]:.3g} after round {first.round} "
        f"and is {loss[1]:.3g} after round {last.round}. Lower training.lr, or take fewer local "
        "steps."
    )


def outliers(data: FederatedDataset) -> str:
    """Return a sentence on features far from what they were scaled by, else "".

    A value more than 10 standard deviations of the training rows from their mean is often a wrong
    unit, or a code for "missing". Columns that have one value in most rows are left out: a rare
    mark or event is far from its mean too.
    """
    if data not in _known:
        _known[data] = _outliers(data)
    return _known[data]


def _outliers(data: FederatedDataset) -> str:
    card = data.card
    if len(card.shape) != 1 or not np.issubdtype(np.asarray(data.x).dtype, np.floating):
        return ""
    found: list[tuple[float, int, str]] = []
    for column, most in enumerate(np.maximum(_extent(data.x), _extent(data.x_test)).tolist()):
        if most <= FAR:  # standardised features need no closer look
            continue
        known = data.x[:, column].astype(np.float64)
        values = np.concatenate([known, data.x_test[:, column]])
        away = np.abs(values - known.mean()) / (known.std() or 1.0)
        far = int(np.count_nonzero(away > FAR))
        if far and np.unique(values, return_counts=True)[1].max() <= len(values) / 2:
            name = card.features[column] if column < len(card.features) else f"column {column + 1}"
            found.append((float(away.max()), far, name))
    if not found:
        return ""
    found.sort(reverse=True)
    words = [
        f"{name} ({far} value{'' if far == 1 else 's'}, up to {most:.3g})"
        for most, far, name in found[:NAMED]
    ]
    more = f" and {len(found) - NAMED} more columns" if len(found) > NAMED else ""
    return (
        f"Some features are more than {FAR} standard deviations from their mean: "
        f"{', '.join(words)}{more}. Look for wrong units and codes for missing values."
    )


def _extent(values: NDArray[np.generic]) -> NDArray[np.float64]:
    if not len(values):
        return np.zeros(values.shape[1])
    return np.maximum(np.abs(values.max(axis=0)), np.abs(values.min(axis=0))).astype(np.float64)
