"""The row of the history that a round leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RoundDone:
    """One round: the row of the history.

    `metrics` are over the whole test set; `clients` is the first metric on each client's own test
    rows (NaN without any), float32[tested], for those clients that may hold some. `train_loss`,
    `update_norm` (median) and `clipped` (share) are over the cohort, NaN if it is empty or they do
    not apply. `epsilon` is what has been spent up to here, NaN without privacy; bytes and seconds
    are of this round alone. `personal` is the first metric over all test rows, each by its client's
    own model, NaN where everybody uses the global one. `profile` parts the seconds by phase.
    `released` is the cohort's accuracy as measured under privacy, NaN where it is exact; `clip` is
    the norm that updates were clipped to. `asked` clients were drawn and reached, of whom the
    cohort answered; `simulated` is how long that took by the clock of the devices, NaN without
    devices.
    """

    round: int
    metrics: dict[str, float]
    clients: NDArray[np.float32]
    cohort: NDArray[np.int64]
    train_loss: float
    update_norm: float
    clipped: float
    epsilon: float
    bytes_up: int
    bytes_down: int
    seconds: float
    personal: float = math.nan
    released: float = math.nan
    clip: float = math.nan
    asked: int = 0
    simulated: float = math.nan
    profile: Mapping[str, float] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Return whether two rounds gave the same, NaN as NaN, however long they took."""
        if not isinstance(other, RoundDone):
            return False
        one, two = ({**vars(row), "seconds": 0.0, "profile": {}} for row in (self, other))
        return same(one, two)

    def __hash__(self) -> int:
        return hash((self.round, self.bytes_up))

    def __repr__(self) -> str:
        words = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"<Round {self.round}: {words}, {len(self.cohort)} clients>"


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
