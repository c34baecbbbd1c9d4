"""One step of what happens to an update between a client and the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fedbench.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from dp_accounting import DpEvent
    from torch import Tensor

Release = tuple[float, int]  # the rate at which a unit is sampled, and how often


@dataclass(frozen=True)
class Encoded:
    """Payloads [C, ...] as they leave the clients, and what the step can tell about them.

    `norms` are the clients' norms before the step, `changed` marks who was clipped; both [C].
    """

    payloads: Tree
    norms: Tensor | None = None
    changed: Tensor | None = None


class Stage(Part, family=True):
    """A step of the channel: stages run in order on the clients and in reverse on the server."""

    def bind(self, releases: Iterable[Release]) -> Self:
        """Return the stage with everything solved that the plan of the run decides.

        `releases` has an entry for each kind of unit that the run will release something about.
        """
        return self

    def encode(self, payloads: Tree) -> Encoded:
        """Return the payloads [C, ...] as they leave the clients."""
        return Encoded(payloads)

    def decode(self, aggregate: Tree, divisor: float, noise: np.random.Generator | None) -> Tree:
        """Return the aggregate after the server's part; the sum was divided by `divisor`."""
        return aggregate

    def noise(self, round: int) -> np.random.Generator | None:
        """Return the source of the server's noise in `round` (from 1); None if it adds none."""
        return None

    def event(self, rate: float) -> DpEvent | None:
        """Return what one round releases about a client that takes part with probability `rate`.

        None if nothing is promised about it.
        """
        return None

    def wire_bytes(self, plain: int) -> int:
        """Return the bytes on the wire of a payload of `plain` bytes."""
        return plain
