"""Whether one set of predictions beats another on the same test rows, with an interval.

Both are scored on the same rows, so only where they differ counts. All intervals are 95 % and in
closed form: no random number is drawn. Rows are taken as independent of one another.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fedbench.data import FederatedDataset

CONFIDENCE = 0.95
FEWEST = 6  # rows: fewer that all favour one side are no evidence to a sign test at 5 %

Floats = NDArray[np.float64]
Verdict = Literal["gains", "loses", "cannot tell"]


@dataclass(frozen=True, eq=False)
class Advantage:
    """How much better the first of two sets of predictions is, for each group of rows.

    `value` [G] is the difference of the metric, positive where the first is better, whether the
    metric is to be high or low; `low` and `high` [G] are the ends of its 95 % interval and `rows`
    [G] how many rows it rests on. All three are NaN where a group has no value of the metric, and
    the ends are infinite where its rows are too few for an interval.
    """

    metric: str
    value: Floats
    low: Floats
    high: Floats
    rows: NDArray[np.int64]

    @property
    def verdicts(self) -> list[Verdict]:
        """Return for each group whether the interval lies above, below or around 0."""
        sides = np.where(self.low > 0, 1, np.where(self.high < 0, -1, 0)).tolist()
        return [_VERDICTS[side] for side in sides]


_VERDICTS: dict[int, Verdict] = {1: "gains", -1: "loses", 0: "cannot tell"}


def advantage(
    metric: str,
    targets: NDArray[np.generic],
    first: NDArray[np.generic],
    second: NDArray[np.generic],
    offsets: NDArray[np.int64] | None = None,
) -> Advantage:
    """Return how much better `first` [N] is than `second` [N] on `targets` [N].

    `offsets` [G + 1] marks the rows of each group; without it all rows are one group. What the
    predictions are depends on the metric: classes for accuracy, scores of the second of two classes
    for auc, numbers in the target's unit for rmse and mae.

    Accuracy: exact conditional interval over the rows that only one of the two has right, the
    inversion of McNemar's exact test. RMSE and MAE: Student's t over the differences of the rows'
    losses; that of squared errors is turned into one of RMSE by their sum. AUC: DeLong, DeLong and
    Clarke-Pearson 1988, by ranks as in Sun and Xu 2014, with Satterthwaite's degrees of freedom, as
    the normal quantile is too short where one class has few rows. Raises ValueError for any other
    metric.
    """
    if offsets is None:
        offsets = np.array([0, len(targets)])
    if metric == "accuracy":
        value, low, high = _accuracy(first == targets, second == targets, offsets)
    elif metric == "auc":
        value, low, high = _auc(targets == 1, first.astype(float), second.astype(float), offsets)
    elif metric in ("rmse", "mae"):
        wanted = targets.astype(np.float64)
        ours, theirs = first.astype(np.float64) - wanted, second.astype(np.float64) - wanted
        value, low, high = _errors(metric, ours, theirs, offsets)
    else:
        raise ValueError(f"metric = {metric!r}: choose accuracy, auc, rmse or mae")
    return Advantage(metric, value, low, high, np.diff(offsets))


def columns(
    data: FederatedDataset, metric: str, values: Floats
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return the test targets and the predictions [N] that `advantage` takes.

    `values` is what `Predictions` holds: [N, K] probabilities, or [N, 1] numbers.
    """
    card = data.card
    if card.task == "regression":
        return data.y_test.astype(np.float64) * card.target_std + card.target_mean, values[:, 0]
    return data.y_test, values[:, 1] if metric == "auc" else values.argmax(1)


def _accuracy(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    from scipy.special import betaincinv

    rows = np.diff(offsets).astype(np.float64)
    up, down = (_sums(one & ~other, offsets) for one, other in ((ours, theirs), (theirs, ours)))
    apart, tail = up + down, (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        # Clopper and Pearson 1934: the share of the differing rows that favour the first
        least = np.where(up > 0, betaincinv(np.maximum(up, 1), down + 1, tail), 0.0)
        most = np.where(down > 0, betaincinv(up + 1, np.maximum(down, 1), 1 - tail), 1.0)
        share = np.where(rows > 0, apart / rows, np.nan)
        # where no row differs: the largest share of such rows that is not improbable
        unseen = np.where(rows > 0, 1 - tail ** (1 / np.maximum(rows, 1)), np.nan)
        value = np.where(rows > 0, (up - down) / rows, np.nan)
    low = np.where(apart > 0, share * (2 * least - 1), -unseen)
    high = np.where(apart > 0, share * (2 * most - 1), unseen)
    return value, low, high


def _errors(
    metric: str, ours: Floats, theirs: Floats, offsets: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    from scipy.special import stdtrit

    power = 2 if metric == "rmse" else 1
    rows = np.diff(offsets).astype(np.float64)
    with np.errstate(all="ignore"):
        mine, other = (np.abs(each) ** power for each in (ours, theirs))
        gaps = other - mine
        mean = _sums(gaps, offsets) / rows
        spread = _sums((gaps - np.repeat(mean, np.diff(offsets))) ** 2, offsets) / (rows - 1)
        margin = stdtrit(rows - 1, (1 + CONFIDENCE) / 2) * np.sqrt(spread / rows)
        margin = np.where(rows < FEWEST, np.inf, margin)
        # a² − b² = (a − b)(a + b)
        scale = np.ones(len(rows))
        if metric == "rmse":
            scale = sum(np.sqrt(_sums(each, offsets) / rows) for each in (mine, other))
        ends = np.stack([mean, mean - margin, mean + margin])
        value, low, high = np.where(rows > 0, np.where(scale > 0, ends / scale, ends), np.nan)
    return value, low, high


def _auc(
    positive: NDArray[np.bool_], ours: Floats, theirs: Floats, offsets: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    found = np.full((3, len(offsets) - 1), np.nan)
    for group, (start, end) in enumerate(itertools.pairwise(offsets)):
        up = positive[start:end]
        if up.any() and not up.all():
            found[:, group] = _delong(up, ours[start:end], theirs[start:end])
    return found[0], found[1], found[2]


def _delong(up: NDArray[np.bool_], ours: Floats, theirs: Floats) -> tuple[float, float, float]:
    from scipy.special import stdtrit

    values = np.stack([ours, theirs])
    ups, downs = int(up.sum()), int((~up).sum())
    if not np.isfinite(values).all():
        return np.nan, -np.inf, np.inf
    whole, above, below = _ranks(values), _ranks(values[:, up]), _ranks(values[:, ~up])
    # of each positive row, the share of negative ones below it; of each negative one, above it
    over = (whole[:, up] - above) / downs
    under = 1 - (whole[:, ~up] - below) / ups
    gaps, falls = over[0] - over[1], under[0] - under[1]
    value = float(gaps.mean())
    if min(ups, downs) < 2 or ups + downs < FEWEST:
        return value, -np.inf, np.inf
    parts = float(gaps.var(ddof=1)) / ups, float(falls.var(ddof=1)) / downs
    if sum(parts) == 0:  # one order of the rows for each: how many others are there?
        sure = value == 0 or 2 / math.comb(ups + downs, ups) <= 1 - CONFIDENCE
        return (value, value, value) if sure else (value, -np.inf, np.inf)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (ups - 1) + parts[1] ** 2 / (downs - 1))
    margin = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * np.sqrt(sum(parts))
    return value, value - margin, value + margin


def _ranks(values: Floats) -> Floats:
    """Return the ranks from 1 of each row of values, ties sharing the mean of theirs."""
    found = np.empty_like(values)
    for row, own in zip(values, found, strict=True):
        _, place, count = np.unique(row, return_inverse=True, return_counts=True)
        own[:] = (np.cumsum(count) - (count - 1) / 2)[place]
    return found


def _sums(values: NDArray[np.generic], offsets: NDArray[np.int64]) -> Floats:
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.bincount(owner, values.astype(np.float64), len(offsets) - 1).astype(np.float64)
