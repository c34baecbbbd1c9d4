"""What a sweep tells those who listen, and those who ask how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from fedbench.runs import Cautioned
from fedbench.study.result import SweepResult

SweepState = Literal["running", "cancelled", "done"]


@dataclass(frozen=True)
class PointBegun:
    """Somebody was given a point, by its place in `Sweep.points`; again if it is tried again."""

    index: int


@dataclass(frozen=True)
class PointAdvanced:
    """A run has come to `round`, and its first metric to `value`; ten times a second at most."""

    index: int
    round: int
    value: float


@dataclass(frozen=True)
class PointFinished:
    """A point has its result, computed or found."""

    index: int
    result: SweepResult


@dataclass(frozen=True)
class SweepChanged:
    """The sweep is in another state now; `reason` says why if that is not plain."""

    state: SweepState
    reason: str = ""


SweepEvent = PointBegun | PointAdvanced | PointFinished | SweepChanged | Cautioned


class SweepProgress(NamedTuple):
    """Points that are done, and all; `eta` is the seconds left, None while nobody can tell."""

    done: int
    total: int
    eta: float | None
