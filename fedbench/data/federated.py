"""A data set dealt out to clients, and the batches that a cohort trains on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.config.kinds import is_user_class
from fedbench.config.usercode import attributed
from fedbench.data.card import Card
from fedbench.data.heterogeneity import Heterogeneity, heterogeneity
from fedbench.data.kept import Kept
from fedbench.data.partition import Choosing, Deal, Partitioner
from fedbench.data.returned import check_deal
from fedbench.data.skews import Skew, skewed
from fedbench.data.source import Column, Source
from fedbench.data.values import Features
from fedbench.randomness import Stream, generator

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Plan:
    """Which rows some clients train on: rows[C, S, B], -1 for padding; steps[C].

    S is the most steps and B the largest batch of any client here; a client's samples stand first
    in each of its batches. Client c takes the first steps[c] of them; a batch may be empty where
    batches are drawn at random. `expected` [C] is the size of batch that a step is meant to have.
    """

    ids: NDArray[np.int64]
    rows: NDArray[np.int64]
    steps: NDArray[np.int64]
    expected: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FederatedDataset:
    """Rows in order of their client; client i holds rows offsets[i] to offsets[i+1].

    Where a `choice` is given, client i holds that many rows of its own choosing, which others may
    hold too. `strata` is the class, or the tenth of a regression target, of each training row. The
    test rows are ordered by client too; together they are the held-out test set of the federation.
    Clients beyond `test_offsets` have none, and `test_columns` tell test rows apart otherwise;
    `test_latest` is the last value of the target known before each of them, where there is one.
    `names` are those of the clients, if they have any.
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
    choice: Choosing | None = None
    names: tuple[str, ...] = ()
    test_columns: Mapping[str, Column] = field(default_factory=dict)
    test_latest: NDArray[np.float64] | None = None

    @classmethod
    def build(
        cls, source: Source, partition: Partitioner, seed: int, skews: tuple[Skew, ...] = ()
    ) -> FederatedDataset:
        """Load `source`, deal it out and skew it; the same arguments give the same object.

        Raises ValueError when a client would be left without a training sample.
        """
        # a frozen spec is hashable, which pyright cannot see through pydantic
        return _build(source, partition, seed, skews)

    def __repr__(self) -> str:
        rows = f"{len(self.y)} training and {len(self.y_test)} test rows"
        return f"<FederatedDataset of {self.card.name}: {self.clients} clients, {rows}>"

    @property
    def clients(self) -> int:
        """Return the number of clients."""
        return len(self.offsets) - 1

    @property
    def tested(self) -> int:
        """Return how many clients, from the first, may hold test rows."""
        return len(self.test_offsets) - 1

    def name(self, client: int) -> str:
        """Return what a client is called; untrusted text where it comes from data."""
        return self.names[client] if self.names else f"client {client}"

    def number(self, client: int | str) -> int:
        """Return the number of a client, given that or its name. Raises ValueError for another."""
        if isinstance(client, str) and client in self.names:
            return self.names.index(client)
        if not isinstance(client, str) and 0 <= client < self.clients:
            return int(client)
        names = f", or a name such as {self.names[0]!r}" if self.names else ""
        raise ValueError(
            f"client = {client!r}: there is no such client; give a number from 0 to "
            f"{self.clients - 1}{names}"
        )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the number of training samples of each client, int64[clients]."""
        return np.diff(self.offsets)

    def sizes_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of training samples of clients `ids`, int64[C]."""
        return self.offsets[ids + 1] - self.offsets[ids]

    def tests_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of test rows of clients `ids`, int64[C]."""
        found = np.zeros(len(ids), dtype=np.int64)
        held = ids < self.tested
        found[held] = self.test_offsets[ids[held] + 1] - self.test_offsets[ids[held]]
        return found

    def pooled(self) -> FederatedDataset:
        """Return the same rows, skewed as they are, with one client that holds them all."""
        ends = (np.array([0, len(y)]) for y in (self.y, self.y_test))
        offsets, test_offsets = ends
        names = ("all",) if self.names else ()
        return replace(self, offsets=offsets, test_offsets=test_offsets, choice=None, names=names)

    def counts(self, clients: int | None = None) -> NDArray[np.int64]:
        """Return how many training rows of each stratum each client holds, [clients, strata].

        `clients` limits the answer to the first so many of them.
        """
        strata, clients = len(self.strata_names), min(clients or self.clients, self.clients)
        owner = np.repeat(np.arange(clients), self.sizes[:clients])
        if self.choice is None:
            held = self.strata[: self.offsets[clients]]
        else:
            held = self.strata[np.concatenate([self.choice.rows(k) for k in range(clients)])]
        flat = np.bincount(owner * strata + held, minlength=clients * strata)
        return flat.reshape(clients, strata)

    def heterogeneity(self) -> Heterogeneity:
        """Return how far the clients' labels, features and sizes differ."""
        return heterogeneity(self)

    def figure(self, title: str = "") -> go.Figure:
        """Return a plotly figure: who holds how much of which class."""
        from fedbench.figures import partition_figure

        names = tuple(self.name(client) for client in range(self.clients))
        return partition_figure(self.counts(), self.strata_names, names, title)

    def lengths(
        self,
        ids: NDArray[np.int64],
        *,
        batch_size: int | None,
        epochs: int | None,
        steps: int | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the batch size and the number of local steps of clients `ids`, int64[C] each."""
        counts = self.sizes_of(ids)
        widths = counts if batch_size is None else np.minimum(counts, batch_size)
        per_pass = -(-counts // widths)
        taken = per_pass * (epochs or 1) if steps is None else np.full(len(ids), steps)
        return widths, taken

    def plan(
        self,
        ids: NDArray[np.int64],
        *,
        batch_size: int | None,
        epochs: int | None,
        steps: int | None,
        seed: int,
        round: int,
        poisson: Callable[[int], np.random.Generator] | None = None,
    ) -> Plan:
        """Return which rows the clients `ids` train on in one round.

        Each client is shuffled from (seed, round, client) alone, so its batches do not depend on
        who else takes part. `batch_size=None` means all of a client's samples at once; `steps`
        batches are taken if given, else those of `epochs` passes. `poisson` gives a client's source
        of chance, and each sample is then in each batch independently, with the probability that
        makes batches of `batch_size` on average.
        """
        widths, taken = self.lengths(ids, batch_size=batch_size, epochs=epochs, steps=steps)
        drawn = []
        for client, count, width, total in zip(
            ids.tolist(), self.sizes_of(ids).tolist(), widths.tolist(), taken.tolist(), strict=True
        ):
            if poisson is not None:
                own = _poisson(count, width, total, poisson(client))
            else:
                rng = generator(seed, Stream.BATCHES, round, client)
                own = _passes(count, width, total, rng)
            drawn.append(self.rows(client, own))
        depth = max((rows.shape[0] for rows in drawn), default=0)
        width = max((rows.shape[1] for rows in drawn), default=0)
        rows = np.full((len(ids), depth, width), -1, dtype=np.int64)
        for client, own in enumerate(drawn):
            rows[client, : own.shape[0], : own.shape[1]] = own
        return Plan(ids, rows, taken, widths)

    def rows(self, client: int, own: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return row numbers of the table for numbers of the client's samples; -1 stays."""
        if self.choice is None:
            return np.where(own >= 0, own + self.offsets[client], -1)
        return np.where(own >= 0, self.choice.rows(client)[own], -1)


def _passes(count: int, width: int, steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return sample numbers [steps, batch], -1 where the last batch of a pass falls short."""
    per_pass = -(-count // width)
    rows = np.full((-(-steps // per_pass), per_pass * width), -1, dtype=np.int64)
    for each in rows:
        each[:count] = rng.permutation(count) if per_pass > 1 else np.arange(count)
    return rows.reshape(-1, width)[:steps]


def _poisson(count: int, width: int, steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return sample numbers [steps, largest batch], -1 behind the samples that were drawn."""
    chosen = rng.random((steps, count)) < width / count
    counts = chosen.sum(1)
    rows = np.full((steps, int(counts.max(initial=0))), -1, dtype=np.int64)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = np.nonzero(chosen)[1]
    return rows


@Kept
def _build(
    source: Source, partition: Partitioner, seed: int, skews: tuple[Skew, ...]
) -> FederatedDataset:
    data = source.load()
    if partition.samples_needed > len(data.y):
        raise ValueError(
            f"partition.clients: {partition.count(source)} clients need "
            f"{partition.samples_needed} training samples and {data.card.name} has "
            f"{len(data.y)}; choose fewer clients"
        )
    with attributed(f"partition: {type(partition).__name__}.deal()"):
        deal = partition.deal(data, seed)
    if is_user_class(type(partition)) or is_user_class(type(source)):
        check_deal(partition, data, deal, partition.count(source))
    _refuse_empty(source, partition, deal)
    x, y = data.x[deal.order], data.y[deal.order]
    x_test, y_test = data.x_test[deal.test_order], data.y_test[deal.test_order]
    many = {"seed": seed, "clients": len(deal.offsets) - 1}
    x, y = skewed(skews, data.card, x, y, deal.offsets, training=True, **many)
    x_test, y_test = skewed(
        skews, data.card, x_test, y_test, deal.test_offsets, training=False, **many
    )
    return FederatedDataset(
        card=data.card,
        x=x,
        y=y,
        offsets=deal.offsets,
        x_test=x_test,
        y_test=y_test,
        test_offsets=deal.test_offsets,
        strata=data.strata()[0][deal.order],
        strata_names=data.strata_names,
        choice=deal.choice,
        names=deal.names,
        test_columns={name: each[deal.test_order] for name, each in data.test_columns.items()},
        test_latest=None if data.test_latest is None else data.test_latest[deal.test_order],
    )


def _refuse_empty(source: Source, partition: Partitioner, deal: Deal) -> None:
    empty = np.flatnonzero(np.diff(deal.offsets) == 0)
    if not len(empty):
        return
    first = empty[0]
    who = repr(deal.names[first]) if deal.names else f"number {first}"
    where, remedies = "", ["GroupedNatural"]
    if "clients" in type(partition).model_fields:
        remedies = ["fewer clients"]
    if source.arrived:
        where, fields = f" in {source.arrived[0]}", source.arrived[1]
        remedies.insert(0, f"another {fields}")
    elif is_user_class(type(source)) and not np.diff(deal.test_offsets)[first : first + 1].any():
        remedies.append("a column without values that no row has, as Column.of makes it")
    raise ValueError(
        f"partition: {partition.describe()} leaves client {who} without a training sample{where} "
        f"({len(empty)} of {len(deal.offsets) - 1} such clients); choose {', or '.join(remedies)}, "
        "so that each has one"
    )
