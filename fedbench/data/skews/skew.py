"""What makes the rows of one client unlike those of another, beyond who holds which class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.config.declared import Claim
from fedbench.config.kinds import is_user_class
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.config.usercode import attributed
from fedbench.data.card import Card
from fedbench.data.returned import check_skewed
from fedbench.data.values import FARTHEST, Features
from fedbench.randomness import Stream, generator

NO_NUMBERS = "its features are ids, not numbers"
Rows = tuple[Features, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Holder:
    """The client whose rows are changed: number `client` of `clients`.

    `own` is a random generator that is the same for its training and its test rows: what a skew
    draws from it, such as an angle, applies to all of the client's rows. `rows` differs between the
    two. `training` says which of them are passed.
    """

    card: Card
    client: int
    clients: int
    own: np.random.Generator
    rows: np.random.Generator
    training: bool


class Skew(Part, family=True):
    """A change to each client's rows: a pure function of the rows and the client.

    `keeps_privacy` declares that each row is changed by itself, whatever the other rows of its
    client are. Example-level privacy rests on that and refuses a class that does not declare it.
    """

    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        ("apply",),
        "change a row by other rows of its client, and ε holds where each changes only itself",
        "leave it out",
    )

    @abstractmethod
    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return the changed features [n, ...] and targets [n]; the arguments stay as they are."""

    def describe(self) -> str:
        """Return a few words for a line that sums an experiment up."""
        return self.kind().rpartition(":")[2]

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse rows that several clients share, which cannot be changed for one of them alone."""
        if setup.partition.shares_rows:
            reason = f"clients of {setup.partition.kind()} share rows; choose another partition"
            yield self._unfit(setup, reason)

    def _unfit(self, setup: Setup, reason: str) -> Problem:
        """Return that the data cannot be changed like this."""
        return Problem(".kind", f"{setup.data.kind()}: {reason}", self.kind())


def _refuse_far(skew: Skew, place: int, client: int, changed: Rows) -> None:
    """Raise ValueError where a skew makes values that single precision cannot compute with."""
    for kind, values in zip(("feature", "target"), changed, strict=True):
        if values.dtype.kind != "f" or not values.size:
            continue
        largest = float(np.max(np.abs(values)))
        if not largest <= FARTHEST:
            raise ValueError(
                f"skews.{place}: {skew.code()} makes a {kind} of client {client} {largest:g}, and "
                f"values up to {FARTHEST:g} can be computed with; choose a weaker skew"
            )


def skewed(
    skews: tuple[Skew, ...],
    card: Card,
    x: Features,
    y: NDArray[np.generic],
    offsets: NDArray[np.int64],
    *,
    seed: int,
    clients: int,
    training: bool,
) -> Rows:
    """Return rows that lie in the order of their clients after every skew, one after another."""
    if not skews:
        return x, y
    x, y = x.copy(), y.copy()
    for client, (first, last) in enumerate(pairwise(offsets.tolist())):
        for place, skew in enumerate(skews):
            who = Holder(
                card,
                client,
                clients,
                generator(seed, Stream.SKEW_CLIENTS, place, client),
                generator(seed, Stream.SKEW_ROWS, place, client, int(training)),
                training,
            )
            rows = x[first:last], y[first:last]
            # what is too large is refused below, in words
            with (
                attributed(f"skews.{place}: {type(skew).__name__}.apply()"),
                np.errstate(over="ignore", invalid="ignore"),
            ):
                changed = skew.apply(*rows, who)
            if is_user_class(type(skew)):
                check_skewed(skew, place, client, card, rows, changed)
            _refuse_far(skew, place, client, changed)
            x[first:last], y[first:last] = changed
    return x, y
