"""Devices that take their time, come and go, and do not always answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup, located
from fedbench.config.spec import Spec
from fedbench.participation.availability import Always, Availability
from fedbench.randomness import Stream, generator

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
SPREAD = "x_i = median·exp(s·z_i), z_i ~ N(0, 1)"


class LogNormal(Spec):
    """A positive number per client, log-normally distributed over the clients."""

    median: Annotated[
        float,
        Field(
            gt=0,
            title="Median",
            description="value that half of the clients exceed",
            json_schema_extra={
                "slider": [0.01, 1000, 0.01],
                "scale": "log",
                "formula": SPREAD,
            },
        ),
    ] = 1.0
    spread: Annotated[
        float,
        Field(
            ge=0,
            le=5,
            title="Spread",
            description=(
                "standard deviation s of the logarithm: 0 makes all clients equal, at 1 one "
                "in six is below 0.37 of the median"
            ),
            json_schema_extra={"slider": [0, 2, 0.05], "formula": SPREAD},
        ),
    ] = 0.5

    def draw(self, rng: np.random.Generator, clients: int) -> Floats:
        """Return the number of each client, float64[clients]."""
        return self.median * np.exp(self.spread * rng.standard_normal(clients))


class Devices(Spec):
    """The devices that clients run on: which are reachable, how fast they are, which fail.

    Time is simulated: a client takes bytes down / downlink + examples / speed + bytes up / uplink.
    A round takes as long as its slowest counted client, or until the deadline if a client did not
    answer in time. Everything is a pure function of (seed, round, client). Deadlines and
    over-selection follow Bonawitz et al. 2019 (arXiv:1902.01046).
    """

    availability: Annotated[
        Availability,
        Field(title="Availability", description=("which clients are reachable in a round")),
    ] = Always()
    speed: Annotated[
        LogNormal,
        Field(title="Speed", description="training examples per second, forward and backward"),
    ] = LogNormal(median=200.0, spread=0.5)
    uplink: Annotated[
        LogNormal,
        Field(title="Uplink", description=("upload speed of a client, in megabytes per second")),
    ] = LogNormal(median=1.0, spread=0.5)
    downlink: Annotated[
        LogNormal,
        Field(
            title="Downlink", description=("download speed of a client, in megabytes per second")
        ),
    ] = LogNormal(median=4.0, spread=0.5)
    dropout: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="Drop-out",
            description="probability that a client fails to answer in a round: 0 is never",
            json_schema_extra={"slider": [0, 0.9, 0.01]},
        ),
    ] = 0.0
    deadline: Annotated[
        float | None,
        Field(
            gt=0,
            title="Deadline",
            description=(
                "simulated seconds after which a round stops waiting: a short deadline loses "
                "slow clients"
            ),
            json_schema_extra={"slider": [1, 600, 1], "scale": "log", "none": "wait for all"},
        ),
    ] = None
    over_selection: Annotated[
        float,
        Field(
            ge=1,
            le=5,
            title="Over-selection",
            description=(
                "clients asked per client needed: more make rounds faster, because the first "
                "to answer count"
            ),
            json_schema_extra={"slider": [1, 3, 0.05]},
        ),
    ] = 1.0

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse what the availability refuses, and over-selection without a number to stop at."""
        wrong = list(located(self.availability.check(setup), ".availability"))
        yield from wrong
        counted = setup.sampling.needed is not None and not setup.privacy.noise_on_server
        if wrong or counted or self.over_selection == 1:
            return
        yield Problem(
            ".over_selection",
            "over-selection needs a fixed number of answers to stop at; choose FixedCohort, or "
            "set it to 1. Under client-level DP every client that is drawn must count, "
            "whatever the others do",
            self.over_selection,
        )

    @property
    def answering(self) -> float:
        """Return the share of sampled clients that is expected to answer, deadlines apart."""
        return self.availability.expected * (1 - self.dropout)

    def answer(
        self,
        asked: Ids,
        load: Load,
        *,
        clients: int,
        seed: int,
        round: int,
        in_turn: bool = False,
    ) -> Answers:
        """Return who of the `asked` clients answers, and how long the round takes.

        Clients that train `in_turn` take as long as all of them together.
        """
        taken = self.seconds(asked, load, clients=clients, seed=seed)
        silent = generator(seed, Stream.DROPOUT, round).random(clients)[asked] < self.dropout
        late = np.zeros(len(asked), bool) if self.deadline is None else taken > self.deadline
        there = ~silent & ~late
        if load.needed is not None and there.sum() > load.needed:
            first = np.argsort(np.where(there, taken, np.inf), kind="stable")[: load.needed]
            there = np.zeros(len(asked), dtype=bool)
            there[first] = True
            enough = True
        else:
            enough = bool(there.all()) or there.sum() == load.needed
        if in_turn:
            return Answers(asked, asked[there], float(taken[there].sum()))
        slowest = float(taken[there].max(initial=0.0))
        if self.deadline is not None and not enough:
            slowest = self.deadline  # who waits for somebody silent waits to the end
        return Answers(asked, asked[there], slowest)

    def seconds(self, ids: Ids, load: Load, *, clients: int, seed: int) -> Floats:
        """Return how long each of `ids` takes for a round, float64[C]."""
        # a frozen spec is hashable, which pyright cannot see through pydantic
        speed, uplink, downlink = _rates(self, clients, seed)
        sent = load.down / (1e6 * downlink[ids]) + load.up / (1e6 * uplink[ids])
        return sent + load.examples / speed[ids]


@dataclass(frozen=True, eq=False)
class Load:
    """What a round asks of its clients: bytes down and up, and examples [C] each processes.

    `needed` is how many answers are enough; None means all.
    """

    down: int
    up: int
    examples: NDArray[Any]
    needed: int | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """The clients asked in a round, those that answered in time, and its simulated seconds."""

    asked: Ids
    ids: Ids
    seconds: float


@lru_cache(maxsize=8)
def _rates(devices: Devices, clients: int, seed: int) -> tuple[Floats, Floats, Floats]:
    rng = generator(seed, Stream.DEVICES)
    rates = (devices.speed, devices.uplink, devices.downlink)
    speed, uplink, downlink = (rate.draw(rng, clients) for rate in rates)
    return speed, uplink, downlink
