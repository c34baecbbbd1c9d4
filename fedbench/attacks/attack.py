"""What corrupt clients do to their data or to what they send."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.spec import Part
from fedbench.data.card import Card
from fedbench.randomness import Stream, generator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

Fraction = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        title="Corrupt share",
        description="share of the clients that attack, the same ones in every round: 0 is none",
        json_schema_extra={"slider": [0, 0.5, 0.01]},
    ),
]


class Attack(Part, family=True):
    """Corrupt clients; two pure hooks change their targets or their payloads."""

    def share(self) -> float:
        """Return the share of the clients that attack."""
        return 0.0

    def corrupt(self, clients: int, seed: int) -> NDArray[np.bool_]:
        """Return who of `clients` attacks, a pure function of (clients, share, seed)."""
        return _corrupt(clients, self.share(), seed)

    def poison(self, targets: Tensor, card: Card) -> Tensor:
        """Return the targets that a corrupt client trains on, in place of its own."""
        return targets

    def forge(self, payloads: Tree, rng: np.random.Generator) -> Tree:
        """Return what one corrupt client sends, in place of what it should, as [1, ...]."""
        return payloads


class NoAttack(Attack):
    """No client attacks."""


@lru_cache(maxsize=8)
def _corrupt(clients: int, share: float, seed: int) -> NDArray[np.bool_]:
    chosen = np.zeros(clients, dtype=bool)
    count = round(share * clients)
    rng = generator(seed, Stream.CORRUPT)
    chosen[rng.choice(clients, size=count, replace=False, shuffle=False)] = True
    chosen.setflags(write=False)
    return chosen
