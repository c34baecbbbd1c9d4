"""Which clients take part in a round."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.declared import Claim, undeclared
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part

Cohort = Annotated[
    int,
    Field(
        ge=1,
        title="Cohort size",
        description="clients that take part in a round: more give a better update and cost more",
        json_schema_extra={"slider": [1, 100, 1], "unit": "clients"},
    ),
]


MANY = 10_000  # clients from which on a round with all of them is hardly meant
DRAWING = ("draw", "turns", "among", "needed", "expected")  # what decides who is in a cohort


class Sampling(Part, family=True):
    """Draws the cohort of a round.

    `keeps_privacy` declares that each client is drawn with the same probability, the expected share
    of clients, independently of all others and anew in each round: privacy amplification by
    sampling is proved for that alone. It is not claimed for a class that does not declare it, or
    that overrides a method without declaring it anew: each client then pays for the rounds that it
    takes part in, which holds for any draw. `everyone` says that nobody is left out of a round.
    """

    keeps_privacy: ClassVar[bool] = False
    everyone: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        DRAWING, "draw clients in another way than amplification is proved for", "choose Poisson"
    )

    def turns(self, clients: int) -> int:
        """Return how many rounds go by one draw, each as one turn of it."""
        return 1

    @abstractmethod
    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        """Return the sorted ids of the round's clients; may be empty.

        `rng` starts anew for each draw, and so is the same in all its turns.
        """

    def among(
        self,
        there: NDArray[np.int64],
        clients: int,
        rng: np.random.Generator,
        over: float,
        turn: int = 0,
    ) -> NDArray[np.int64]:
        """Return the sorted ids of those asked, where only those `there` can be reached.

        `over` is how many clients are asked for each one that is needed.
        """
        drawn = self.draw(clients, rng, turn)
        return drawn[np.isin(drawn, there, assume_unique=True)]

    @property
    def needed(self) -> int | None:
        """Return how many answers are enough for a round; None if all that were drawn."""
        return None

    @abstractmethod
    def expected(self, clients: int) -> float:
        """Return the expected number of clients in a round."""

    def below(self, count: int, clients: int) -> float:
        """Return the probability that a round draws fewer than `count` of `clients`."""
        return 0.0


class Everyone(Sampling):
    """Every client takes part in every round."""

    display: ClassVar[str] = "All clients"
    keeps_privacy: ClassVar[bool] = True
    everyone: ClassVar[bool] = True

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        """Return all ids."""
        return np.arange(clients)

    def expected(self, clients: int) -> float:
        """Return the number of clients."""
        return float(clients)

    def warn(self, setup: Setup) -> Iterator[str]:
        """Warn of so many clients that a round with all of them is hardly meant."""
        if setup.clients > MANY:
            yield (
                f"sampling = Everyone: all {setup.clients:,} clients train in every round; "
                "FixedCohort or Poisson draws some of them"
            )


class FixedCohort(Sampling):
    """A fixed number of clients, drawn without replacement."""

    size: Cohort = 10

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a cohort of more clients than there are."""
        yield from _too_large(self.size, setup.clients)

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        """Return `size` ids."""
        return np.sort(rng.choice(clients, size=self.size, replace=False, shuffle=False))

    def among(
        self,
        there: NDArray[np.int64],
        clients: int,
        rng: np.random.Generator,
        over: float,
        turn: int = 0,
    ) -> NDArray[np.int64]:
        """Return `size` × `over` ids of those that can be reached, or all of them if too few."""
        asked = min(len(there), round(self.size * over))
        return np.sort(rng.choice(there, size=asked, replace=False, shuffle=False))

    @property
    def needed(self) -> int | None:
        """Return `size`."""
        return self.size

    def expected(self, clients: int) -> float:
        """Return `size`."""
        return float(self.size)


class Shuffled(Sampling):
    """Go through the clients in random order, `size` at a time, reshuffling after each pass.

    Each client takes part once per pass, and the last cohort of a pass may be smaller. Privacy is
    accounted for accordingly: one release per client and pass, without amplification.
    """

    size: Cohort = 10

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a cohort of more clients than there are."""
        yield from _too_large(self.size, setup.clients)

    def turns(self, clients: int) -> int:
        """Return the rounds of a pass."""
        return -(-clients // self.size)

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        """Return the ids of the pass's `turn`."""
        return np.sort(rng.permutation(clients)[turn * self.size : (turn + 1) * self.size])

    def expected(self, clients: int) -> float:
        """Return the mean over a pass: its clients by its rounds."""
        return clients / self.turns(clients)


class Poisson(Sampling):
    """Each client takes part with the same probability, independently of all others.

    Privacy amplification by sampling is proved for this sampling (Abadi et al. 2016,
    arXiv:1607.00133); the size of a cohort varies and may be zero.
    """

    display: ClassVar[str] = "Poisson sampling"
    keeps_privacy: ClassVar[bool] = True

    rate: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            title="Sampling rate",
            description=(
                "probability q that a client takes part in a round: lower is cheaper, and more "
                "private at the same noise"
            ),
            json_schema_extra={
                "slider": [0.01, 1, 0.01],
                "formula": "P[client in cohort] = q, q·N clients expected",
            },
        ),
    ] = 0.5

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        """Return the ids whose coin came up."""
        # Geometric gaps between those drawn: the cost follows the cohort, not the population.
        if self.rate == 1:
            return np.arange(clients)
        ids: list[NDArray[np.int64]] = []
        last = -1
        while last < clients:
            gaps = rng.geometric(self.rate, size=int(clients * self.rate) + 16)
            # a gap beyond the last client ends it; sums of huge ones would overflow
            gaps = np.where((gaps < 1) | (gaps > clients), clients + 1, gaps)
            block = last + np.cumsum(gaps)
            ids.append(block)
            last = int(block[-1])
        drawn = np.concatenate(ids)
        return drawn[drawn < clients]

    def expected(self, clients: int) -> float:
        """Return rate × clients."""
        return self.rate * clients

    def below(self, count: int, clients: int) -> float:
        """Return it by the binomial distribution."""
        if count <= 1 or self.rate == 1:  # a round without clients changes nothing anyway
            return 0.0
        from scipy.stats import binom

        return float(binom.cdf(count - 1, clients, self.rate))


def _too_large(size: int, clients: int) -> Iterator[Problem]:
    if size > clients:
        reason = f"a cohort cannot be larger than the {clients} clients there are"
        yield Problem(".size", reason, size)


def is_independent(sampling: Sampling) -> bool:
    """Return whether each client takes part with the same probability, whatever the others do."""
    return unproven_draws(sampling) is None


def unproven_draws(sampling: Sampling) -> str | None:
    """Return why no amplification by sampling is claimed, or None."""
    return undeclared(sampling)
