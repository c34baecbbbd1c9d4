"""One step of what happens to an update between a client and the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fedbench.config.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Release = tuple[float, int]  # the rate at which a unit is sampled, and how often
Bounds = tuple[float, ...]  # norms that a step holds payloads to, which may change between rounds


@dataclass(frozen=True)
class Leg:
    """Where payloads are on their way: the round (from 1), who sends them, and the norms it has.

    `ids` are the clients' numbers, int64[C]; no `bounds` stand for those of the first round.
    """

    round: int
    ids: NDArray[np.int64]
    bounds: Bounds = ()


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

    def begin(self, payload: Tree) -> Bounds:
        """Return the bounds of the first round, for payloads with the leaves of `payload`."""
        return ()

    def encode(self, payloads: Tree, leg: Leg) -> Encoded:
        """Return the payloads [C, ...] as they leave the clients, with leaves of its own if any."""
        return Encoded(payloads)

    def decode(
        self, aggregate: Tree, divisor: float, noise: np.random.Generator | None, bounds: Bounds
    ) -> tuple[Tree, Bounds]:
        """Return the aggregate after the server's part, and the bounds of the next round.

        The sum was divided by `divisor`. Leaves that `encode` added are taken out again.
        """
        return aggregate, bounds

    def noise(self, round: int) -> np.random.Generator | None:
        """Return the source of the server's noise in `round` (from 1); None if it adds none."""
        return None

    def wire_bytes(self, plain: int) -> int:
        """Return the bytes on the wire of a payload of `plain` bytes."""
        return plain
