"""A data set dealt out to clients, and the batches that a cohort trains on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card
from fedbench.data.partition import Partitioner
from fedbench.data.source import Features, Source

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Cohort:
    """The batches of some clients, stacked: x[C, S, B, ...], y[C, S, B], mask[C, S, B].

    S is the most steps and B the largest batch of any client here; `mask` is 1 for a sample and 0
    for padding, and a client's samples stand first in each of its batches.
    """

    ids: NDArray[np.int64]
    x: Tensor
    y: Tensor
    mask: Tensor
    sizes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FederatedDataset:
    """Rows in order of their client; client i holds rows offsets[i] to offsets[i+1].

    `strata` is the class, or the tenth of a regression target, of each training row. The test rows
    are ordered by client too; together they are the held-out test set of the federation.
    """

    card: Card
    x: Features
    y: NDArray[np.generic]
    offsets: NDArray[np.int64]
    x_test: Features
    y_test: NDArray[np.generic]
    test_offsets: NDArray[np.int64]
    strata: NDArray[np.int64]
    strata_names: tuple[str, ...]

    @classmethod
    def build(cls, source: Source, partition: Partitioner, seed: int) -> FederatedDataset:
        """Load `source` and deal it out; the same arguments give the same object.

        Raises ValueError when a client would be left without a training sample.
        """
        # a frozen spec is hashable, which pyright cannot see through pydantic
        return _build(source, partition, seed)  # pyright: ignore[reportArgumentType]

    @property
    def clients(self) -> int:
        """Return the number of clients."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the number of training samples of each client, int64[clients]."""
        return np.diff(self.offsets)

    def counts(self) -> NDArray[np.int64]:
        """Return how many training rows of each stratum each client holds, [clients, strata]."""
        strata = len(self.strata_names)
        owner = np.repeat(np.arange(self.clients), self.sizes)
        flat = np.bincount(owner * strata + self.strata, minlength=self.clients * strata)
        return flat.reshape(self.clients, strata)

    def cohort(
        self,
        ids: NDArray[np.int64],
        *,
        batch_size: int | None,
        epochs: int | None,
        steps: int | None,
        seed: int,
        round: int,
    ) -> Cohort:
        """Return the shuffled batches of the clients `ids` for one round.

        Each client is shuffled from (seed, round, client) alone, so its batches do not depend on
        who else takes part. `batch_size=None` means all of a client's samples at once; `steps`
        batches are taken if given, else those of `epochs` passes.
        """
        import torch

        plans = []
        for client in ids:
            first, last = int(self.offsets[client]), int(self.offsets[client + 1])
            rng = np.random.default_rng([seed, 3, round, int(client)])
            plans.append(_batches(first, last - first, batch_size, epochs, steps, rng))
        depth = max((plan.shape[0] for plan in plans), default=0)
        width = max((plan.shape[1] for plan in plans), default=0)
        rows = np.full((len(ids), depth, width), -1, dtype=np.int64)
        for client, plan in enumerate(plans):
            rows[client, : plan.shape[0], : plan.shape[1]] = plan
        taken = rows.clip(min=0)
        return Cohort(
            ids=ids,
            x=torch.from_numpy(self.x[taken]),
            y=torch.from_numpy(self.y[taken]),
            mask=torch.from_numpy((rows >= 0).astype(np.float32)),
            sizes=self.sizes[ids],
        )


def _batches(
    first: int,
    count: int,
    batch_size: int | None,
    epochs: int | None,
    steps: int | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return row numbers [steps, batch], -1 where the last batch of a pass falls short."""
    width = min(batch_size or count, count)
    per_pass = -(-count // width)
    passes = -(-steps // per_pass) if steps is not None else epochs or 1
    rows = np.full((passes, per_pass * width), -1, dtype=np.int64)
    for each in rows:
        each[:count] = first + (rng.permutation(count) if per_pass > 1 else np.arange(count))
    return rows.reshape(passes * per_pass, width)[:steps]


@lru_cache(maxsize=32)
def _build(source: Source, partition: Partitioner, seed: int) -> FederatedDataset:
    data = source.load()
    if partition.samples_needed > len(data.y):
        raise ValueError(
            f"partition.clients: {partition.clients} clients need {partition.samples_needed} "
            f"training samples and {data.card.name} has {len(data.y)}; take fewer clients"
        )
    strata, test_strata = data.strata()
    rng = np.random.default_rng([seed, 2])
    owners, test_owners = partition.assign(strata, test_strata, rng)
    order, test_order = (np.argsort(who, kind="stable") for who in (owners, test_owners))
    return FederatedDataset(
        card=data.card,
        x=data.x[order],
        y=data.y[order],
        offsets=_offsets(owners, partition.clients),
        x_test=data.x_test[test_order],
        y_test=data.y_test[test_order],
        test_offsets=_offsets(test_owners, partition.clients),
        strata=strata[order],
        strata_names=data.strata_names,
    )


def _offsets(owners: NDArray[np.int64], clients: int) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=clients))])
