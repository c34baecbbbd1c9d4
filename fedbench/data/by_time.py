"""Clients that see the world one after another."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fedbench.data.partition import Clients, Owners, Split
from fedbench.data.source import Dataset, Source


class ByTime(Split):
    """Cut the rows, in order of time, into one equal period per client.

    A test row belongs to the period it falls into, or to the last one if it is later than all
    training rows, as in sets that are split by time.
    """

    display: ClassVar[str] = "By time"
    keeps_holders: ClassVar[bool] = True

    clients: Clients = 12

    def count(self, source: Source) -> int:
        """Return `clients`."""
        return self.clients

    @property
    def samples_needed(self) -> int:
        """Return how many training samples there must be at least: one a client."""
        return self.clients

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the period of each row. Raises ValueError where the data have no time."""
        if data.time is None or data.test_time is None:
            raise ValueError(
                f"partition.kind: {data.card.name} does not record when a row was observed; "
                "choose another partition than ByTime"
            )
        rows = len(data.time)
        order = np.argsort(data.time, kind="stable")
        owners = np.empty(rows, dtype=np.int64)
        owners[order] = np.arange(rows) * self.clients // rows
        starts = data.time[order][-(-np.arange(1, self.clients) * rows // self.clients)]
        return owners, np.searchsorted(starts, data.test_time, side="right")
