"""What simulated worlds have in common beside their knobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.simulated.knobs import FEWEST, too_few


class World:
    """A source that simulates its rows, held by a number of clients of one kind.

    The field named `holder` and an s gives the number of holders, and `total` names the field with
    the number of rows they share; without it each makes its own rows. `stream` separates the random
    numbers of this world from those of others with the same seed.
    """

    holder: ClassVar[str]
    total: ClassVar[str] = ""
    stream: ClassVar[int]
    if TYPE_CHECKING:  # a field here would come before those of the world, in TOML as well
        world_seed: int

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many hold rows."""
        return {self.holder: getattr(self, f"{self.holder}s")}

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse so few rows that somebody could be left with none."""
        if not self.total:
            return
        rows, holders = getattr(self, self.total), self.natural[self.holder]
        if rows < FEWEST * holders:
            yield Problem(f".{self.total}", too_few(holders, rows), rows)

    def _chance(self, *more: int) -> np.random.Generator:
        """Return the world's source of chance, or with `more` another one of its own."""
        return np.random.default_rng([self.world_seed, self.stream, *more])

    def _names(self) -> tuple[str, ...]:
        """Return the names of those who hold rows: a number each, from 1."""
        return tuple(f"{self.holder} {k + 1}" for k in range(self.natural[self.holder]))
