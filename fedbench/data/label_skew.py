"""Partitions in which clients see some classes and not others."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.partition import ClassSplit, Owners, alike, share_out, top_up
from fedbench.data.quantity import integers, weights

Strata = NDArray[np.int64]


class Pathological(ClassSplit):
    """Give each client rows of k classes only, with about as many clients for every class.

    Source: "#C = k" of Li et al. 2022, NIID-Bench (arXiv:2102.02079), after McMahan et al. 2017. A
    class is shared evenly among its clients. Where clients × k is less than the number of classes,
    some clients hold more than k; where a class has fewer rows than clients, clients that would be
    left empty get single rows of others.
    """

    display: ClassVar[str] = "By label (k classes per client)"

    classes: Annotated[
        int,
        Field(
            ge=1,
            title="Classes per client",
            description="number of classes each client holds: fewer make clients less alike",
            json_schema_extra={"slider": [1, 10, 1]},
        ),
    ] = 2

    def describe(self) -> str:
        """Return the name with k."""
        return f"{self.classes} classes per client"

    def assign(
        self, train: Strata, test: Strata, rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return owners that hold k classes each; see the class."""
        known = int(max(train.max(initial=0), test.max(initial=0))) + 1
        holds = np.zeros((known, self.clients))
        for client in range(self.clients):
            rarest = np.lexsort((rng.random(known), holds.sum(axis=1)))
            holds[rarest[: self.classes], client] = 1
        for orphan in np.flatnonzero(holds.sum(axis=1) == 0):
            holds[orphan, holds.sum(axis=0).argmin()] = 1
        owners = share_out(train, holds / holds.sum(axis=1, keepdims=True), rng)
        top_up(owners, self.clients, 1, rng)
        return owners, alike(train, owners, test, self.clients, rng)


class Shards(ClassSplit):
    """Sort the rows by class, cut them into equal shards, and give each client a few of them.

    Source: McMahan et al. 2017 (arXiv:1602.05629), with two shards each.
    """

    display: ClassVar[str] = "By label (shards)"

    shards: Annotated[
        int,
        Field(
            ge=1,
            title="Shards per client",
            description="number of shards each client gets; few shards mean few classes",
            json_schema_extra={"slider": [1, 10, 1]},
        ),
    ] = 2

    @property
    def samples_needed(self) -> int:
        """Return clients × shards."""
        return self.clients * self.shards

    def describe(self) -> str:
        """Return the name with the number of shards."""
        return f"{self.shards} shards per client"

    def assign(
        self, train: Strata, test: Strata, rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return the owners of consecutive blocks of the rows in order of their class."""
        pieces = self.clients * self.shards
        order = np.lexsort((rng.random(len(train)), train))
        owner = rng.permutation(np.arange(pieces) % self.clients)
        owners = np.empty(len(train), dtype=np.int64)
        owners[order] = owner[np.arange(len(train)) * pieces // len(train)]
        return owners, alike(train, owners, test, self.clients, rng)


class InnerDirichlet(ClassSplit):
    """Draw each client's mix of classes from Dirichlet(α), and its rows by that mix.

    Sizes are equal, or log-normal with `spread`, independently of α: class and quantity skew are
    separate, unlike in `Dirichlet`. Clients take turns in random order; a class that has run out is
    replaced by the client's next draw. Source: Acar et al. 2021, FedDyn (arXiv:2111.04263).
    """

    display: ClassVar[str] = "By label within clients (Dirichlet)"

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
    ] = 0.3
    spread: Annotated[
        float,
        Field(
            ge=0,
            le=5,
            title="Size spread",
            description=(
                "standard deviation s of the logarithm of the sizes: 0 makes them equal, 3 is "
                "extreme"
            ),
            json_schema_extra={
                "slider": [0, 3, 0.05],
                "formula": "n_i ∝ exp(s·z_i), z_i ~ N(0, 1)",
            },
        ),
    ] = 0.0

    def describe(self) -> str:
        """Return the name with α."""
        return f"By label within clients, α = {self.alpha:g}"

    def assign(
        self, train: Strata, test: Strata, rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return owners whose sizes are as asked and whose mixes are their own."""
        sizes = integers(weights("lognormal", self.spread, self.clients, rng), len(train))
        left = np.bincount(train)
        counts = np.zeros((self.clients, len(left)), dtype=np.int64)
        for client in rng.permutation(self.clients):
            wish = rng.dirichlet(np.full(len(left), self.alpha))
            counts[client] = drawn(wish, left, int(sizes[client]), rng)
            left = left - counts[client]
        owners = by_counts(train, counts, rng)
        return owners, alike(train, owners, test, self.clients, rng)


def drawn(
    wish: NDArray[np.float64], left: Strata, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return how many rows of each class to take: `count` by the wish, as far as there are any."""
    taken = np.zeros_like(left)
    while (short := count - int(taken.sum())) > 0:
        open_ = left - taken
        share = wish * (open_ > 0)
        if share.sum() < 1e-12:  # all that was wished for is gone: anything will do
            share = open_.astype(np.float64)
        taken += np.minimum(rng.multinomial(short, share / share.sum()), open_)
    return taken


def by_counts(strata: Strata, counts: Strata, rng: np.random.Generator) -> Owners:
    """Return owners such that client i holds counts[i, k] rows of stratum k, -1 for the rest."""
    owners = np.full(len(strata), -1, dtype=np.int64)
    for stratum, wanted in enumerate(counts.T):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        owners[rows[: wanted.sum()]] = np.repeat(np.arange(len(wanted)), wanted)
    return owners
