"""Which clients can be reached in a round."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.randomness import Stream, generator

Mask = NDArray[np.bool_]

Share = Annotated[float, Field(gt=0, le=1, json_schema_extra={"slider": [0.01, 1, 0.01]})]


class Availability(Part, family=True):
    """Which clients are reachable: a pure function of (seed, round, client)."""

    @abstractmethod
    def there(self, clients: int, seed: int, round: int) -> Mask:
        """Return who of all clients can be reached in `round`, bool[clients]."""

    @property
    @abstractmethod
    def expected(self) -> float:
        """Return the share of rounds in which a client can be reached, as far as is known."""


class Always(Availability):
    """Every client is reachable in every round."""

    def there(self, clients: int, seed: int, round: int) -> Mask:
        """Return that all can."""
        return np.ones(clients, dtype=bool)

    @property
    def expected(self) -> float:
        """Return 1."""
        return 1.0


class Bernoulli(Availability):
    """Every client is reachable with the same probability, independently in each round."""

    display: ClassVar[str] = "At random"

    probability: Annotated[
        Share,
        Field(title="Reachable", description="probability that a client is reachable: 1 is always"),
    ] = 0.8

    def there(self, clients: int, seed: int, round: int) -> Mask:
        """Return whose coin came up."""
        return generator(seed, Stream.AVAILABILITY, round).random(clients) < self.probability

    @property
    def expected(self) -> float:
        """Return the probability."""
        return self.probability


class Diurnal(Availability):
    """Reachability follows the time of day, which differs between time zones.

    The probability swings between `trough` and `peak` as a sine over `period` rounds; each client's
    time zone is drawn once. Phones are idle and charging at night, so clients that are reachable
    together are in the same part of the world (Bonawitz et al. 2019, arXiv:1902.01046; Yang et al.
    2021, arXiv:2006.06983).
    """

    display: ClassVar[str] = "By time of day"

    period: Annotated[
        int,
        Field(
            ge=2,
            title="Length of a day",
            description="rounds per day: with more, reachability changes more slowly",
            json_schema_extra={
                "slider": [2, 200, 1],
                "unit": "rounds",
                "formula": "p = (best + worst)/2 + (best − worst)/2·sin 2π(t/day + j/zones)",
            },
        ),
    ] = 24
    peak: Annotated[
        Share,
        Field(
            title="Best hour",
            description="probability that a client is reachable at its best hour",
            json_schema_extra={
                "formula": "p = (best + worst)/2 + (best − worst)/2·sin 2π(t/day + j/zones)"
            },
        ),
    ] = 0.9
    trough: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            title="Worst hour",
            description="probability that a client is reachable at its worst hour",
            json_schema_extra={
                "slider": [0, 1, 0.01],
                "formula": "p = (best + worst)/2 + (best − worst)/2·sin 2π(t/day + j/zones)",
            },
        ),
    ] = 0.1
    zones: Annotated[
        int,
        Field(
            ge=1,
            title="Time zones",
            description=(
                "number of time zones the clients are spread over: with one, all share the "
                "same hours"
            ),
            json_schema_extra={"slider": [1, 24, 1]},
        ),
    ] = 4

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a worst hour that is better than the best."""
        if self.trough > self.peak:
            reason = f"must not exceed the probability at the best hour, {self.peak:g}"
            yield Problem(".trough", reason, self.trough)

    def there(self, clients: int, seed: int, round: int) -> Mask:
        """Return whose coin came up, with the probability of its hour."""
        zone = generator(seed, Stream.TIME_ZONES).integers(self.zones, size=clients)
        hour = round / self.period + zone / self.zones
        middle, swing = (self.peak + self.trough) / 2, (self.peak - self.trough) / 2
        chance = middle + swing * np.sin(2 * np.pi * hour)
        return generator(seed, Stream.AVAILABILITY, round).random(clients) < chance

    @property
    def expected(self) -> float:
        """Return the mean over a day."""
        return (self.peak + self.trough) / 2


class Trace(Availability):
    """Reachability is read from a file, such as a recorded trace.

    A CSV file with the columns client, first and last: client numbers from 0, and the rounds, from
    1, between which it is reachable, both included. A client may have several lines; one without
    any is never reachable. After the last round of the file it starts over.
    """

    display: ClassVar[str] = "From a file"

    path: Annotated[
        str,
        Field(title="File", description="path of a CSV file with the columns client, first, last"),
    ] = ""

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a file that cannot be read."""
        try:
            _spans(self.path, _stamp(self.path))
        except ValueError as error:
            yield Problem(".path", str(error), self.path)

    def there(self, clients: int, seed: int, round: int) -> Mask:
        """Return who the file says. Raises ValueError where it cannot be read."""
        spans = _spans(self.path, _stamp(self.path))
        now = (round - 1) % int(spans[:, 2].max()) + 1
        open_ = spans[(spans[:, 1] <= now) & (now <= spans[:, 2]) & (spans[:, 0] < clients), 0]
        mask = np.zeros(clients, dtype=bool)
        mask[open_] = True
        return mask

    @property
    def expected(self) -> float:
        """Return 1: what share it is, nobody knows before."""
        return 1.0


def _stamp(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError as error:
        raise ValueError(
            f"{path!r} cannot be read ({error.strerror}); name a CSV file with the columns client, "
            "first, last"
        ) from error


@lru_cache(maxsize=8)
def _spans(path: str, _: float) -> NDArray[np.int64]:
    """Return client, first and last of each line, int64[lines, 3]."""
    import pandas as pd

    where = repr(path)
    try:
        frame = pd.read_csv(path)
        spans = frame[["client", "first", "last"]].to_numpy()
    except (KeyError, ValueError) as error:
        raise ValueError(f"{where} needs the columns client, first, last ({error})") from error
    if not len(spans) or not np.issubdtype(spans.dtype, np.integer):
        raise ValueError(f"{where} needs lines of three whole numbers: client, first, last")
    wrong = np.flatnonzero((spans[:, 0] < 0) | (spans[:, 1] < 1) | (spans[:, 2] < spans[:, 1]))
    if len(wrong):
        client, first, last = spans[wrong[0]]
        raise ValueError(
            f"{where}, line {wrong[0] + 2}: client {client} from round {first} to {last}; clients "
            "count from 0, rounds from 1, and the last comes after the first"
        )
    return spans.astype(np.int64)
