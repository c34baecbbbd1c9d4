"""Clients without number, over data that are there once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.partition import Deal, Partitioner, positions
from fedbench.data.source import Dataset, Source
from fedbench.randomness import Stream, generator

TESTED = 1000  # clients that hold test rows


class Population(Partitioner):
    """Any number of clients, each of which draws its samples from the same data.

    A client's mix of classes is drawn from Dirichlet(α), and its samples from the data by that mix;
    both are recomputed from (seed, client) when it takes part, so a client costs eight bytes. Use
    it to study a federation at the scale of phones; clients share rows, so the data do not grow.
    Test rows are split at random among the first 1000 clients at most.
    """

    shares_rows: ClassVar[bool] = True
    clients: Annotated[
        int,
        Field(
            ge=1,
            le=2**31 - 1,
            title="Clients",
            description="number of clients that draw on the training data",
            json_schema_extra={"slider": [100, 1_000_000, 1], "scale": "log"},
        ),
    ] = 100_000
    samples: Annotated[
        int,
        Field(
            ge=1,
            title="Samples per client",
            description=(
                "number of training samples each client holds: with few, each local step is noisy"
            ),
            json_schema_extra={"slider": [1, 200, 1], "unit": "samples"},
        ),
    ] = 20
    alpha: Annotated[
        float,
        Field(
            gt=0,
            title="α",
            description=(
                "evenness of each client's classes: 100 is even, at 0.1 most clients hold "
                "one or two classes"
            ),
            json_schema_extra={
                "slider": [0.01, 100, 0.01],
                "scale": "log",
                "formula": "q_i ~ Dir(α, …, α), q_{i,k} the share of class k at client i",
            },
        ),
    ] = 1.0

    @property
    def samples_needed(self) -> int:
        """Return how many samples one client holds."""
        return self.samples

    def count(self, source: Source) -> int:
        """Return `clients`."""
        return self.clients

    def deal(self, data: Dataset, seed: int) -> Deal:
        """Return every row where it lies, and the rule by which clients choose among them."""
        train, test = data.strata()
        rng, tested = generator(seed, Stream.PARTITION), min(self.clients, TESTED)
        order = np.argsort(train, kind="stable")
        owners = np.empty(len(test), dtype=np.int64)
        owners[rng.permutation(len(test))] = np.arange(len(test)) % tested
        ends = np.cumsum(np.bincount(train))
        return Deal(
            order=order,
            offsets=np.arange(self.clients + 1, dtype=np.int64) * self.samples,
            test_order=np.argsort(owners, kind="stable"),
            test_offsets=positions(owners, tested),
            choice=Choice(seed, self.samples, self.alpha, np.concatenate([[0], ends])),
        )


@dataclass(frozen=True, eq=False)
class Choice:
    """The rows of each client; class k is at rows bounds[k] to bounds[k + 1]."""

    seed: int
    samples: int
    alpha: float
    bounds: NDArray[np.int64]

    def rows(self, client: int) -> NDArray[np.int64]:
        """Return the client's rows, none twice, a pure function of (seed, client)."""
        rng = generator(self.seed, Stream.POPULATION, client)
        sizes = np.diff(self.bounds)
        wish = rng.dirichlet(np.full(len(sizes), self.alpha)) * (sizes > 0)
        if wish.sum() < 1e-12:  # the only classes that were wished for have no rows
            wish = (sizes > 0).astype(float)
        taken = np.minimum(rng.multinomial(self.samples, wish / wish.sum()), sizes)
        while (short := self.samples - int(taken.sum())) > 0:
            left = sizes - taken
            taken += np.minimum(rng.multinomial(short, left / left.sum()), left)
        chosen = [
            self.bounds[k] + rng.choice(sizes[k], size=taken[k], replace=False, shuffle=False)
            for k in np.flatnonzero(taken)
        ]
        return np.concatenate(chosen)
