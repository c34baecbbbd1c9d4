"""Devices that take their time, come and go, and do not always answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.devices.availability import Always, Availability
from fedbench.spec import Spec

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
SPREAD = "x_i = median·exp(s·z_i), z_i ~ N(0, 1)"


class LogNormal(Spec):
    """A positive number that differs from client to client, log-normal over them."""

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
            description="standard deviation s of the logarithm: 0 is equal, 1 is one in six at "
            "less than 0.37 of the median",
            json_schema_extra={"slider": [0, 2, 0.05], "formula": SPREAD},
        ),
    ] = 0.5

    def draw(self, rng: np.random.Generator, clients: int) -> Floats:
        """Return the number of each client, float64[clients]."""
        return self.median * np.exp(self.spread * rng.standard_normal(clients))


class Devices(Spec):
    """What the clients run on: who can be reached, how long they take, who fails to answer.

    Time is simulated: a client takes bytes down / downlink + examples / speed + bytes up / uplink,
    and a round as long as the slowest client that is counted, or up to the deadline if somebody
    did not answer by then. Everything is a pure function of (seed, round, client). Deadlines and
    over-selection are those of Bonawitz et al. 2019 (arXiv:1902.01046).
    """

    availability: Annotated[
        Availability, Field(title="Availability", description="who can be reached in a round")
    ] = Always()
    speed: Annotated[
        LogNormal,
        Field(title="Speed", description="training examples a second, forward and backward"),
    ] = LogNormal(median=200.0, spread=0.5)
    uplink: Annotated[
        LogNormal, Field(title="Uplink", description="megabytes a second that a client sends")
    ] = LogNormal(median=1.0, spread=0.5)
    downlink: Annotated[
        LogNormal, Field(title="Downlink", description="megabytes a second that a client receives")
    ] = LogNormal(median=4.0, spread=0.5)
    dropout: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="Drop-out",
            description="probability that a client never answers in a round: 0 is never",
            json_schema_extra={"slider": [0, 0.9, 0.01]},
        ),
    ] = 0.0
    deadline: Annotated[
        float | None,
        Field(
            gt=0,
            title="Deadline",
            description=(
                "simulated seconds after which answers are not waited for: short ones "
                "lose slow clients"
            ),
            json_schema_extra={"slider": [1, 600, 1], "scale": "log", "none": "wait for everybody"},
        ),
    ] = None
    over_selection: Annotated[
        float,
        Field(
            ge=1,
            le=5,
            title="Over-selection",
            description=(
                "clients asked for each one that is needed: more make rounds quicker, as "
                "the first to answer count"
            ),
            json_schema_extra={"slider": [1, 3, 0.05]},
        ),
    ] = 1.0

    @property
    def answering(self) -> float:
        """Return the share of sampled clients that is expected to answer, deadlines apart."""
        return self.availability.expected * (1 - self.dropout)

    def answer(self, asked: Ids, load: Load, *, clients: int, seed: int, round: int) -> Answers:
        """Return who of the `asked` clients answers, and how long the round takes."""
        taken = self.seconds(asked, load, clients=clients, seed=seed)
        silent = np.random.default_rng([seed, 14, round]).random(clients)[asked] < self.dropout
        late = np.zeros(len(asked), bool) if self.deadline is None else taken > self.deadline
        there = ~silent & ~late
        if load.needed is not None and there.sum() > load.needed:
            first = np.argsort(np.where(there, taken, np.inf), kind="stable")[: load.needed]
            there = np.zeros(len(asked), dtype=bool)
            there[first] = True
            enough = True
        else:
            enough = bool(there.all()) or there.sum() == load.needed
        slowest = float(taken[there].max(initial=0.0))
        if self.deadline is not None and not enough:
            slowest = self.deadline  # who waits for somebody silent waits to the end
        return Answers(asked, asked[there], slowest)

    def seconds(self, ids: Ids, load: Load, *, clients: int, seed: int) -> Floats:
        """Return how long each of `ids` takes for a round, float64[C]."""
        # a frozen spec is hashable, which pyright cannot see through pydantic
        speed, uplink, downlink = _rates(self, clients, seed)  # pyright: ignore[reportArgumentType]
        sent = load.down / (1e6 * downlink[ids]) + load.up / (1e6 * uplink[ids])
        return sent + load.examples / speed[ids]


@dataclass(frozen=True, eq=False)
class Load:
    """What a round asks of clients: bytes down and up, examples [C] that each goes through.

    `needed` is how many answers are enough; none means all of them.
    """

    down: int
    up: int
    examples: NDArray[Any]
    needed: int | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """Who was asked in a round, who answered in time, and the simulated seconds that it took."""

    asked: Ids
    ids: Ids
    seconds: float


@lru_cache(maxsize=8)
def _rates(devices: Devices, clients: int, seed: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng([seed, 15])
    rates = (devices.speed, devices.uplink, devices.downlink)
    speed, uplink, downlink = (rate.draw(rng, clients) for rate in rates)
    return speed, uplink, downlink
