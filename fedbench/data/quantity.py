"""Partitions in which clients hold unequal amounts of alike data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.partition import ClassSplit, Owners, Split
from fedbench.data.source import Dataset, Source

Law = Literal["lognormal", "powerlaw", "exponential"]


class Sizes(ClassSplit):
    """Split rows at random into unequal numbers: all clients have the same mix of classes.

    lognormal: the logarithm of a size is normal with standard deviation `spread`. powerlaw: the
    r-th largest client holds in proportion to r^-spread (Zipf). exponential: sizes follow an
    exponential distribution, to the power of `spread`. A spread of 0 makes all sizes equal.
    """

    display: ClassVar[str] = "By size"

    law: Annotated[
        Law, Field(title="Distribution", description="distribution of the clients' sizes")
    ] = "lognormal"
    spread: Annotated[
        float,
        Field(
            ge=0,
            le=5,
            title="Spread",
            description="how unequal the sizes are: 0 is equal, 1 common, 3 extreme",
            json_schema_extra={
                "slider": [0, 3, 0.05],
                "formula": "n_i ∝ exp(s·z_i) (lognormal), r_i^{−s} (powerlaw), E_i^s (exponential)",
            },
        ),
    ] = 1.0
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
        """Return the law with its spread."""
        return f"{self.law} sizes {self.spread:g}"

    def assign(
        self, train: NDArray[np.int64], test: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Owners, Owners]:
        """Return owners of random rows."""
        share = weights(self.law, self.spread, self.clients, rng)
        sizes = integers(share, len(train), self.min_samples)
        tested = integers(sizes.astype(np.float64), len(test), 0)
        return _random(sizes, len(train), rng), _random(tested, len(test), rng)


class GivenSizes(Split):
    """Split rows at random, with the given number for each client.

    Rows beyond their sum are unused; test rows are shared out in proportion.
    """

    display: ClassVar[str] = "Given sizes"

    leaves_out: ClassVar[bool] = True
    sizes: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Field(
            min_length=1,
            title="Sizes",
            description="number of training samples of each client, in order",
        ),
    ] = (100, 50, 25)

    @property
    def samples_needed(self) -> int:
        """Return the sum of the sizes."""
        return sum(self.sizes)

    def count(self, source: Source) -> int:
        """Return the number of sizes."""
        return len(self.sizes)

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse sizes that add up to more than there is."""
        available = setup.data.training_samples
        if available is not None and self.samples_needed > available:
            yield Problem(
                ".sizes",
                f"they add up to {self.samples_needed} training samples and {setup.data.kind()} "
                f"has {available}; choose smaller ones",
                self.sizes,
            )

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return owners of random rows, -1 for those that are left over."""
        sizes = np.array(self.sizes)
        tested = integers(sizes.astype(np.float64), len(data.y_test), 0)
        return _random(sizes, len(data.y), rng), _random(tested, len(data.y_test), rng)


def weights(law: Law, spread: float, clients: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the share of each client, float64[clients], adding up to one."""
    match law:
        case "lognormal":
            logs = spread * rng.standard_normal(clients)
        case "powerlaw":
            logs = -spread * np.log(rng.permutation(clients) + 1.0)
        case "exponential":
            logs = spread * np.log(rng.exponential(size=clients))
    share = np.exp(logs - logs.max())
    return share / share.sum()


def integers(share: NDArray[np.float64], total: int, least: int = 1) -> NDArray[np.int64]:
    """Return whole numbers in proportion to `share` that add up to `total`, each `least` or more.

    What rounding leaves goes to the largest remainders.
    """
    rest = total - least * len(share)
    exact = share / share.sum() * rest
    whole = np.floor(exact).astype(np.int64)
    most = np.argsort(whole - exact, kind="stable")[: rest - int(whole.sum())]
    whole[most] += 1
    return whole + least


def _random(sizes: NDArray[np.int64], rows: int, rng: np.random.Generator) -> Owners:
    owners = np.full(rows, -1, dtype=np.int64)
    owners[rng.permutation(rows)[: sizes.sum()]] = np.repeat(np.arange(len(sizes)), sizes)
    return owners
