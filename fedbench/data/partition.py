"""Partitioners: who holds which sample. Each is a pure function of (data, seed)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.kinds import is_user_class
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.data.returned import check_owners
from fedbench.data.source import Dataset, Source
from fedbench.randomness import Stream, generator

Owners = NDArray[np.int64]

Clients = Annotated[
    int,
    Field(
        ge=1,
        title="Clients",
        description=("number of clients that share the training data: with more, each holds less"),
        json_schema_extra={"slider": [2, 500, 1], "scale": "log"},
    ),
]


class Choosing(Protocol):
    """A rule by which clients draw rows that other clients may hold too."""

    def rows(self, client: int) -> NDArray[np.int64]:
        """Return the rows of a client."""
        ...


@dataclass(frozen=True, eq=False)
class Deal:
    """The rows of each client: `order` sorts the rows of a table by client.

    Client i then holds rows offsets[i] to offsets[i+1] or, where a `choice` is given, as many rows
    drawn by that rule. Test rows are arranged likewise; clients beyond `test_offsets` hold none.
    Rows that `order` omits are unused. `names` are those of the clients, if any; they come from
    data and are untrusted text.
    """

    order: NDArray[np.int64]
    offsets: NDArray[np.int64]
    test_order: NDArray[np.int64]
    test_offsets: NDArray[np.int64]
    choice: Choosing | None = None
    names: tuple[str, ...] = ()


class Partitioner(Part, family=True):
    """Assigns training and test rows to clients.

    `shares_rows` says that several clients may hold the same row, which therefore cannot be changed
    for one of them alone. `keeps_holders` says that it is meant where the data name the holder of
    a row: who holds what is given, or another order is asked for.
    """

    shares_rows: ClassVar[bool] = False
    keeps_holders: ClassVar[bool] = False

    @abstractmethod
    def count(self, source: Source) -> int:
        """Return how many clients there will be; may read the data where they alone tell."""

    @abstractmethod
    def deal(self, data: Dataset, seed: int) -> Deal:
        """Return who holds which training and test rows, a pure function of the arguments.

        Raises ValueError where the data do not allow it.
        """

    @property
    def samples_needed(self) -> int:
        """Return how many training samples there must be at least."""
        return 1

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse more clients than the data have samples for."""
        source: Source = setup.data
        available = source.training_samples
        if available is not None and self.samples_needed > available:
            yield Problem(
                ".clients",
                f"{self.count(source)} clients need {self.samples_needed} training samples and "
                f"{source.kind()} has {available}; choose fewer clients",
                getattr(self, "clients", self.kind()),
            )

    def warn(self, setup: Setup) -> Iterator[str]:
        """Say that rows have a holder where they are dealt out anew."""
        if self.keeps_holders:
            return
        try:
            natural = setup.data.natural
        except (ValueError, OSError):  # the run will say what is wrong with them
            return
        if len(natural) == 1:  # where several may be holders, none is meant
            (column,) = natural
            yield (
                f"partition = {self.kind()}: rows are split anew, although {setup.data.kind()} "
                f"names their holder in {column!r}; Natural keeps them there"
            )

    def describe(self) -> str:
        """Return a few words for a line that sums an experiment up."""
        return self.kind().rpartition(":")[2]


class Split(Partitioner, family=True):
    """A partition in the strict sense: each row has one client, or at most one if `leaves_out`."""

    leaves_out: ClassVar[bool] = False

    @abstractmethod
    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the client of each training and each test row, -1 for nobody.

        A client's test rows follow the same mix as its training rows.
        """

    def client_names(self, data: Dataset) -> tuple[str, ...]:
        """Return what the clients are called, or nothing where they have numbers alone."""
        return ()

    def deal(self, data: Dataset, seed: int) -> Deal:
        """Return the rows in the order of their owners."""
        found = self.owners(data, generator(seed, Stream.PARTITION))
        if is_user_class(type(self)):
            check_owners(self, found, (len(data.y), len(data.y_test)))
        owners, test_owners = found
        names = self.client_names(data)
        clients = len(names) or int(max(owners.max(initial=0), test_owners.max(initial=0))) + 1
        clients = max(clients, getattr(self, "clients", 0))
        return Deal(
            order=in_order(owners),
            offsets=positions(owners, clients),
            test_order=in_order(test_owners),
            test_offsets=positions(test_owners, clients),
            names=names,
        )


class ClassSplit(Split, family=True):
    """A split among a number of clients that depends only on the stratum of each row."""

    clients: Clients = 20

    def count(self, source: Source) -> int:
        """Return `clients`."""
        return self.clients

    @property
    def samples_needed(self) -> int:
        """Return how many training samples there must be at least: one a client."""
        return self.clients

    @abstractmethod
    def assign(
        self, train: NDArray[np.int64], test: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return the client of each training and each test row, given their strata.

        A stratum is a class, or a tenth of a regression target.
        """

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the owners by the strata of the data."""
        return self.assign(*data.strata(), rng)


def in_order(owners: Owners) -> NDArray[np.int64]:
    """Return the rows that have an owner, in the order of their owners."""
    order = np.argsort(owners, kind="stable")
    return order[np.searchsorted(owners[order], 0) :]


def positions(owners: Owners, clients: int) -> NDArray[np.int64]:
    """Return where each client's rows begin once rows are in the order of their owners."""
    owned = owners[owners >= 0]
    return np.concatenate([[0], np.cumsum(np.bincount(owned, minlength=clients))])


class IID(ClassSplit):
    """Equal shares of a random order: every client is a random sample of the whole."""

    display: ClassVar[str] = "At random (IID)"

    def assign(
        self, train: NDArray[np.int64], test: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return owners whose counts differ by one at most."""
        return self._deal(len(train), rng), self._deal(len(test), rng)

    def _deal(self, count: int, rng: np.random.Generator) -> Owners:
        owners = np.empty(count, dtype=np.int64)
        owners[rng.permutation(count)] = np.arange(count) % self.clients
        return owners


class Dirichlet(ClassSplit):
    """Split each class among the clients by proportions drawn from Dirichlet(α).

    Small α concentrates each class on few clients. Source: Yurochkin et al. 2019
    (arXiv:1905.12022), as in NIID-Bench (arXiv:2102.02079). Where that leaves a client with fewer
    than `min_samples`, single samples move to it from whichever client then holds most. The draw
    uses one uniform number per class and client through the inverse distribution function, so the
    partition changes smoothly with α.
    """

    display: ClassVar[str] = "By label (Dirichlet)"

    alpha: Annotated[
        float,
        Field(
            gt=0,
            title="α",
            description=(
                "how evenly classes are spread: 100 is even; at 0.1 each class is held by "
                "few clients"
            ),
            json_schema_extra={
                "slider": [0.01, 100, 0.01],
                "scale": "log",
                "formula": "p_k ~ Dir(α, …, α), p_{k,i} the share of class k at client i",
            },
        ),
    ] = 0.3
    min_samples: Annotated[
        int,
        Field(
            ge=1,
            title="Minimum samples",
            description="smallest number of training samples per client",
            json_schema_extra={"slider": [1, 20, 1], "unit": "samples"},
        ),
    ] = 1

    @property
    def samples_needed(self) -> int:
        """Return clients × min_samples."""
        return self.clients * self.min_samples

    def describe(self) -> str:
        """Return the name with α."""
        return f"Dirichlet α = {self.alpha:g}"

    def assign(
        self, train: NDArray[np.int64], test: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return owners by class proportions; see the class."""
        strata = int(max(train.max(initial=0), test.max(initial=0))) + 1
        shares = _dirichlet(self.alpha, rng.random((strata, self.clients)))
        owners = share_out(train, shares, rng), share_out(test, shares, rng)
        top_up(owners[0], self.clients, self.min_samples, rng)
        return owners


def _dirichlet(alpha: float, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import gammaincinv, gammaln

    gamma = gammaincinv(alpha, uniform)
    # A gamma variate of a small α underflows: there its logarithm is (ln u + ln Γ(α+1)) / α.
    with np.errstate(divide="ignore"):
        small = (np.log(uniform) + gammaln(alpha + 1)) / alpha
        logs = np.where(gamma > 1e-200, np.log(gamma), small)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def share_out(
    strata: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator
) -> Owners:
    """Return the owners of rows, of stratum k in the proportions shares[k] [strata, clients]."""
    owners = np.empty(len(strata), dtype=np.int64)
    for stratum, share in enumerate(shares):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        cuts = np.floor(np.cumsum(share)[:-1] * len(rows) + 0.5).astype(np.int64)
        owners[rows] = np.searchsorted(cuts, np.arange(len(rows)), side="right")
    return owners


def alike(
    strata: NDArray[np.int64],
    owners: Owners,
    test: NDArray[np.int64],
    clients: int,
    rng: np.random.Generator,
) -> Owners:
    """Return the owners of test rows: of each stratum as its training rows are shared.

    A stratum that nobody trains on is shared evenly.
    """
    known = int(max(strata.max(initial=0), test.max(initial=0))) + 1
    owned = owners >= 0
    flat = np.bincount(strata[owned] * clients + owners[owned], minlength=known * clients)
    counts = flat.reshape(known, clients).astype(np.float64)
    counts[counts.sum(axis=1) == 0] = 1.0
    return share_out(test, counts / counts.sum(axis=1, keepdims=True), rng)


def top_up(owners: Owners, clients: int, least: int, rng: np.random.Generator) -> None:
    """Move single rows, in place, from whoever holds most until every client holds `least`."""
    sizes = np.bincount(owners, minlength=clients)
    order = rng.permutation(len(owners))
    for client in np.flatnonzero(sizes < least):
        while sizes[client] < least:
            giver = int(sizes.argmax())
            row = order[np.flatnonzero(owners[order] == giver)[0]]
            owners[row] = client
            sizes[giver] -= 1
            sizes[client] += 1
