"""What is released, as dp-accounting's events, and what of them decides the accounting."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from dp_accounting import DpEvent

Kind = Literal["gaussian", "laplace"]


class Mechanism(NamedTuple):
    """What decides the accounting of an event.

    `noise` is the standard deviation of a Gaussian over the L2 norm of what one unit may change, or
    the scale of a Laplace distribution over its L1 norm.
    """

    rate: float
    noise: float
    kind: Kind = "gaussian"


def gaussian(rate: float, noise_multiplier: float, *more: float) -> DpEvent:
    """Return the release of a noisy sum over a Poisson sample of the units, as an event.

    `rate` is the probability that a unit takes part, `noise_multiplier` the noise's standard
    deviation over the clipping norm. With `more` of them, so many sums are released about the same
    sample. Raises ValueError for values outside their range.
    """
    from dp_accounting import ComposedDpEvent, GaussianDpEvent

    events = [GaussianDpEvent(_noise(noise)) for noise in (noise_multiplier, *more)]
    # a tuple, though a list is announced: events are keys
    return _sampled(rate, ComposedDpEvent(tuple(events)) if more else events[0])  # pyright: ignore[reportArgumentType]


def laplace(rate: float, noise_multiplier: float) -> DpEvent:
    """Return the release of a sum with Laplace noise, as an event; see `gaussian`.

    `noise_multiplier` is the noise's scale over the L1 norm of what one unit may change. The
    accounting is that of one coordinate which takes the whole norm: no other split loses more.
    """
    from dp_accounting import LaplaceDpEvent

    return _sampled(rate, LaplaceDpEvent(_noise(noise_multiplier)))


EVENTS: dict[Kind, Callable[..., DpEvent]] = {"gaussian": gaussian, "laplace": laplace}


def _sampled(rate: float, event: DpEvent) -> DpEvent:
    from dp_accounting import PoissonSampledDpEvent

    if not 0 <= rate <= 1:
        raise ValueError(f"rate = {rate!r} is not a probability; give a value from 0 to 1")
    return event if rate == 1 else PoissonSampledDpEvent(float(rate), event)


def _noise(noise_multiplier: float) -> float:
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(
            f"noise_multiplier = {noise_multiplier!r} is not finite and non-negative; "
            "give the noise's standard deviation over the clipping norm, such as 1.0"
        )
    return float(noise_multiplier)


def mechanism(event: DpEvent) -> Mechanism:
    """Return what decides the accounting of an event made by `gaussian` or `laplace`.

    Several Gaussian mechanisms on the same units are one, whose precision is the sum of theirs.
    Raises ValueError for any other event.
    """
    from dp_accounting import (
        ComposedDpEvent,
        GaussianDpEvent,
        LaplaceDpEvent,
        PoissonSampledDpEvent,
    )

    rate, inner = 1.0, event
    if isinstance(inner, PoissonSampledDpEvent):
        rate, inner = inner.sampling_probability, inner.event
    match inner:
        case GaussianDpEvent(noise_multiplier=noise):
            return Mechanism(rate, noise)
        case LaplaceDpEvent(noise_multiplier=noise):
            return Mechanism(rate, noise, "laplace")
        case ComposedDpEvent(events=events) if all(isinstance(e, GaussianDpEvent) for e in events):
            return Mechanism(rate, joint(e.noise_multiplier for e in events))  # pyright: ignore[reportAttributeAccessIssue]
        case _:
            pass
    raise ValueError(
        f"event = {event!r} has no accounting here; release a Gaussian or Laplace mechanism, alone "
        "or on a Poisson sample"
    )


def joint(noises: Iterable[float]) -> float:
    """Return the noise multiplier of several Gaussian releases about the same units, as one."""
    each = list(noises)
    if 0 in each:
        return 0.0
    return math.fsum(noise**-2 for noise in each) ** -0.5
