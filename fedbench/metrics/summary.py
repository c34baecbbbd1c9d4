"""A metric over clients, and when two values are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def over_clients(values: NDArray[np.float32], rises: bool) -> tuple[float, float, float, float]:
    """Return mean, 10th and 90th percentile and the mean of the worst tenth over clients.

    `rises` says whether more is better. NaN marks clients without a value.
    """
    known = np.sort(values[~np.isnan(values)].astype(np.float64))
    if not len(known):
        return math.nan, math.nan, math.nan, math.nan
    tenth = max(1, len(known) // 10)
    worst = known[:tenth] if rises else known[-tenth:]
    low, high = _percentile(known, 0.1), _percentile(known, 0.9)
    return float(known.mean()), low, high, float(worst.mean())


def worst_called(values: NDArray[np.floating]) -> str:
    """Return what the clients behind `worst_tenth` are called.

    Below twenty clients with a value a tenth of them is a single one.
    """
    return "the worst tenth" if np.count_nonzero(~np.isnan(values)) >= 20 else "the worst"


def _percentile(ordered: NDArray[np.float64], share: float) -> float:
    # numpy's own costs a multiple of a small round, and this is asked for after each
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    if ordered[below] == ordered[above]:  # both may be infinite, on the way to divergence
        return float(ordered[below])
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same: arrays number by number, and NaN as NaN."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)
