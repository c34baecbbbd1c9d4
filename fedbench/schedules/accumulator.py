"""What a server holds while the arrivals of a cohort come in: as little as its rule allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.aggregators import Aggregator
from fedbench.engine import Arrival, ClientState
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class Accumulator:
    """Arrivals added up one by one; only a rule that needs all payloads makes it keep them.

    `weights`, `losses` (float64), `steps`, `norms` and `clipped` are one value a client, in the
    order of `ids`, which is ascending; `bytes` is what all clients sent.
    """

    def __init__(self, ids: NDArray[np.int64], is_sum: bool) -> None:
        import torch

        self.ids, self._is_sum = ids, is_sum
        count = len(ids)
        self.weights = torch.zeros(count)
        self.losses = torch.zeros(count, dtype=torch.float64)
        self.steps = torch.zeros(count, dtype=torch.int64)
        self.norms = torch.zeros(count, dtype=torch.float64)
        self.met = torch.zeros(count, dtype=torch.int64)  # how often each client came back
        self.clipped: Tensor | None = None
        self.bytes = 0
        self.states: dict[int, ClientState] = {}
        self.seconds: dict[str, float] = {}
        self._payload: dict[str, Tensor] = {}

    def add(self, arrival: Arrival) -> None:
        """Take in one arrival; its tensors may be overwritten afterwards."""
        import torch

        message, telemetry = arrival.message, arrival.telemetry
        places = torch.from_numpy(np.searchsorted(self.ids, message.ids))
        self.weights[places] = message.weights
        self.losses[places] = telemetry.losses
        self.steps[places] = telemetry.steps
        self.norms[places] = telemetry.norms
        if telemetry.clipped is not None:
            if self.clipped is None:
                self.clipped = torch.zeros(len(self.ids), dtype=torch.bool)
            self.clipped[places] = telemetry.clipped
        self.met[places] += 1
        self.bytes += message.bytes
        self.states |= arrival.states
        for phase, seconds in telemetry.seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds
        for name, leaf in message.payload.items():
            if self._is_sum:
                held = self._payload.get(name)
                self._payload[name] = leaf.clone() if held is None else held.add_(leaf)
            else:
                if name not in self._payload:
                    self._payload[name] = leaf.new_empty((len(self.ids), *leaf.shape[1:]))
                self._payload[name][places] = leaf

    def aggregate(self, aggregator: Aggregator, divisor: float) -> Tree | None:
        """Return the cohort's one payload; None if nobody came, or too few for the rule."""
        if not len(self.ids) or len(self.ids) < aggregator.least:
            return None  # cohorts drawn at random may be small; the run was warned of it
        if self._is_sum:
            return tree.scale(self._payload, 1 / max(divisor, 1e-12))
        return aggregator.combine(self._payload, self.weights)


@dataclass(frozen=True)
class Totals:
    """What came back in all legs of a round: `losses`, `norms` and `clipped` of clients, [C].

    `steps` is how many local steps all clients took, `bytes` what they sent, `seconds` the time
    that they trained, by phase.
    """

    losses: Tensor
    steps: int
    norms: Tensor
    clipped: Tensor | None
    bytes: int
    seconds: Mapping[str, float]

    @classmethod
    def of(cls, collected: Sequence[Accumulator]) -> Totals:
        """Return the totals of some legs; of none, where nobody answered."""
        import torch

        seconds: dict[str, float] = {}
        for each in collected:
            for phase, spent in each.seconds.items():
                seconds[phase] = seconds.get(phase, 0.0) + spent
        clipped = [each.clipped for each in collected if each.clipped is not None]
        empty = torch.zeros(0, dtype=torch.float64)
        return cls(
            torch.cat([empty, *(each.losses for each in collected)]),
            sum(int(each.steps.sum()) for each in collected),
            torch.cat([empty, *(each.norms for each in collected)]),
            torch.cat(clipped) if clipped else None,
            sum(each.bytes for each in collected),
            seconds,
        )

    def split(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return a round's seconds with the training parted by what the clients spent it on."""
        whole = sum(self.seconds.values())
        if not whole:
            return dict(seconds)
        found = {key: value for key, value in seconds.items() if key != "training"}
        for phase, spent in self.seconds.items():
            share = seconds["training"] * spent / whole
            found[phase] = found.get(phase, 0.0) + share
        return found
