"""Privacy accounting: what a run has released, composed once over all of it.

A release is one of dp-accounting's events: a Gaussian mechanism (or several of them on the same
units, as one) or a Laplace mechanism, alone or on a Poisson sample of the units. Every ε is an
upper bound, close to the true one for every δ (see `fedbench.privacy.losses`): within 1e-4
(relative) in ordinary cases, and within 1e-3 with noise multipliers below 0.05 and where a grid has
to hold rare losses that are very much larger than all others. Gaussian mechanisms without sampling
are exact (Balle and Wang 2018, arXiv:1805.06530).

Between neighbours the contribution of one unit is what it is, or nothing; how many units there are
is public. The unit (client or example) and the clipping norm belong to the caller: the noise has
standard deviation `noise_multiplier` times the clipping norm, on the sum. All functions are pure,
cached and safe to call from several threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from fedbench.privacy.events import EVENTS, Kind, Mechanism, gaussian, mechanism

if TYPE_CHECKING:
    from dp_accounting import DpEvent

# Grid cells per standard deviation of one release's loss: for what is reported, for finding it,
# and for what is shown while a slider moves.
FINE, COARSE, CRUDE = 100, 8, 2
NOISE_RANGE = (1e-2, 1e4)
NOISE_TOLERANCE = 2e-5  # relative

Releases = Iterable[tuple["DpEvent", int]]


def epsilon(rate: float, noise_multiplier: float, steps: int, delta: float) -> float:
    """Upper bound of ε after `steps` releases of `gaussian(rate, noise_multiplier)`.

    Exact at rate 1; otherwise at most about 1e-4 (relative) above the true value, if that is not
    tiny. No noise gives
    infinity, no release or rate 0 gives 0. Raises ValueError for values outside their range.
    """
    return composed([(gaussian(rate, noise_multiplier), whole(steps))], delta)


def composed(releases: Releases, delta: float) -> float:
    """Upper bound of ε after events, each so many times, in whatever order they came.

    Raises ValueError for an event that has no accounting and for a δ outside its range.
    """
    return _epsilon(_canonical(releases), _delta(delta))


def noise_multiplier(
    rate: float, steps: int, epsilon: float, delta: float, kind: Kind = "gaussian"
) -> float:
    """Smallest noise multiplier that keeps `steps` releases within (`epsilon`, `delta`).

    Within 1e-4 (relative) of the optimum and never below it: ε of the answer is at most the
    target. 0.01 where less noise would do, 0 where nothing is released. Raises ValueError where no
    noise up to 10,000 reaches the target, and for values outside their range.
    """
    EVENTS[kind](rate, 1.0)
    target = float(epsilon)
    if not (math.isfinite(target) and target > 0):
        raise ValueError(f"epsilon = {epsilon!r} is not a positive number; give one, such as 3.0")
    return _noise_multiplier(float(rate), whole(steps), target, _delta(delta), kind)


def shared_epsilon(
    releases: Iterable[tuple[float, int]],
    noise_multiplier: float,
    delta: float,
    kind: Kind = "gaussian",
) -> float:
    """Largest ε among units with these (rate, steps); see `epsilon`."""

    def exact(rate: float, steps: int) -> float:
        return composed([(EVENTS[kind](rate, noise_multiplier), whole(steps))], delta)

    front = _front(releases)
    if len(front) == 1:
        return exact(*front[0])
    # An ε on a coarse grid is an upper bound too, and cheap: it tells whom to look at closely.
    bounds = [
        (_coarse(rate, steps, noise_multiplier, delta, kind), rate, steps) for rate, steps in front
    ]
    largest = 0.0
    for bound, rate, steps in sorted(bounds, reverse=True):
        if bound < largest:
            break
        largest = max(largest, exact(rate, steps))
    return largest


def rough_noise_multiplier(
    releases: Iterable[tuple[float, int]],
    epsilon: float,
    delta: float,
    kind: Kind = "gaussian",
) -> float:
    """Noise multiplier close to `shared_noise_multiplier`'s, some per cent off, in a fraction.

    It is for what is shown while somebody still chooses, never for noise that is added. Infinity
    where no noise reaches the target.
    """
    front = _front(releases)
    if not front:
        return 0.0
    rate, steps = max(front, key=lambda pair: pair[0] * math.sqrt(pair[1]))
    found = math.exp(_root(_excess(rate, steps, epsilon, delta, kind, CRUDE), 0.0, 0.3, 5e-3))
    return found if found < NOISE_RANGE[1] else math.inf


def rough_epsilon(
    releases: Iterable[tuple[float, int]],
    noise_multiplier: float,
    delta: float,
    kind: Kind = "gaussian",
) -> float:
    """Upper bound of ε close to `shared_epsilon`'s, some per cent above it, in a fraction."""
    front = _front(releases)
    if not front:
        return 0.0
    rate, steps = max(front, key=lambda pair: pair[0] * math.sqrt(pair[1]))
    return _epsilon(((Mechanism(rate, noise_multiplier, kind), steps),), delta, CRUDE)


def shared_noise_multiplier(
    releases: Iterable[tuple[float, int]],
    epsilon: float,
    delta: float,
    kind: Kind = "gaussian",
) -> float:
    """Smallest noise multiplier that keeps every unit within (`epsilon`, `delta`).

    `releases` has the (rate, steps) of each unit. See `noise_multiplier`.
    """
    largest = 0.0
    # Whoever is likely to need most comes first; the others are mostly content with that.
    front = sorted(_front(releases), key=lambda pair: -pair[0] * math.sqrt(pair[1]))
    for rate, steps in front:
        if largest and _coarse(rate, steps, largest, delta, kind) <= epsilon:
            continue
        largest = max(largest, noise_multiplier(rate, steps, epsilon, delta, kind))
    return largest


def _front(releases: Iterable[tuple[float, int]]) -> list[tuple[float, int]]:
    """The (rate, steps) that no other exceeds in both: ε grows with either."""
    found: list[tuple[float, int]] = []
    for rate, steps in sorted(set(releases), reverse=True):
        if steps and rate and (not found or steps > found[-1][1]):
            found.append((rate, steps))
    return found


def _coarse(
    rate: float, steps: int, noise_multiplier: float, delta: float, kind: Kind = "gaussian"
) -> float:
    """An upper bound of ε, rough and quick."""
    parts = _canonical([(EVENTS[kind](rate, noise_multiplier), whole(steps))])
    return _epsilon(parts, _delta(delta), COARSE)


def whole(steps: int) -> int:
    """Return a number of releases as it is; raises ValueError if it is no count."""
    if not 0 <= steps < math.inf or steps != int(steps):
        raise ValueError(f"steps = {steps!r} is not a count; give a whole number, 0 or more")
    return int(steps)


def _delta(delta: float) -> float:
    if not 0 < delta < 1:
        raise ValueError(
            f"delta = {delta!r} is not strictly between 0 and 1; "
            "give a value well below 1 / number of units, such as 1e-5"
        )
    return float(delta)


def _canonical(entries: Releases) -> tuple[tuple[Mechanism, int], ...]:
    """Equal mechanisms merged and sorted, so that the same run always gives the same float."""
    totals: dict[Mechanism, int] = {}
    for event, count in entries:
        known = mechanism(event)
        if known.rate and count:
            totals[known] = totals.get(known, 0) + count
    return tuple(sorted(totals.items()))


@lru_cache(maxsize=2**16)
def _epsilon(parts: tuple[tuple[Mechanism, int], ...], delta: float, cells: int = FINE) -> float:
    if not parts:
        return 0.0
    if any(known.noise == 0 for known, _ in parts):
        return math.inf
    if all(known.rate == 1 and known.kind == "gaussian" for known, _ in parts):
        from dp_accounting.gaussian_mechanism import get_epsilon_gaussian

        precision = math.fsum(count / known.noise**2 for known, count in parts)
        return float(get_epsilon_gaussian(precision**-0.5, delta))
    from fedbench.privacy import losses

    found = losses.epsilon(parts, delta, cells)
    if all(known.kind == "laplace" for known, _ in parts):  # holds with δ = 0 as well
        pure = math.fsum(
            count * math.log1p(known.rate * math.expm1(min(1 / known.noise, 700.0)))
            for known, count in parts
        )
        return min(found, pure)
    return found


@lru_cache(maxsize=4096)
def _noise_multiplier(rate: float, steps: int, target: float, delta: float, kind: Kind) -> float:
    if not (rate and steps):
        return 0.0

    # Central limit theorem of Gaussian DP (Dong et al. 2019, arXiv:1905.02383), for a start only.
    mu = math.sqrt(2) * (math.sqrt(target - math.log(delta)) - math.sqrt(-math.log(delta)))
    needed = math.log1p(mu**2 / (rate**2 * steps))  # z⁻²; 0 where it is too small to be a number
    start = -0.5 * math.log(max(needed, NOISE_RANGE[1] ** -2))
    coarse = _excess(rate, steps, target, delta, kind, COARSE)
    fine = _excess(rate, steps, target, delta, kind, FINE)
    rough = _root(coarse, start, 0.2, 1e-3)
    if (found := _refined(fine, rough, (coarse(rough) - coarse(rough + 0.01)) / 0.01)) is not None:
        return math.exp(found)
    found = _root(fine, rough, 2e-3, NOISE_TOLERANCE)
    while fine(found) > 0:  # the root may lie a rounding on the wrong side
        if found >= math.log(NOISE_RANGE[1]):
            raise ValueError(
                f"epsilon = {target!r} is out of reach of any noise multiplier up to "
                f"{NOISE_RANGE[1]:g} at rate {rate:g}, {steps} steps and delta {delta:g}; raise "
                "epsilon or delta, or lower rate or steps"
            )
        found += NOISE_TOLERANCE
    return math.exp(found)


def _excess(
    rate: float, steps: int, target: float, delta: float, kind: Kind, cells: int
) -> Callable[[float], float]:
    """How far ε lies above the target, as a logarithm, by the logarithm of the noise."""

    def gap(log_noise: float) -> float:
        parts = ((Mechanism(rate, math.exp(log_noise), kind), steps),)
        return min(math.log(max(_epsilon(parts, delta, cells), 1e-300) / target), 1e3)

    return gap


def _refined(gap: Callable[[float], float], place: float, slope: float) -> float | None:
    """A zero of a decreasing function near `place`, a little on the right of it, or None.

    The coarse function's slope brings the fine one's zero within a step or two; the next are by
    what was seen. A look at the fine function is what takes long.
    """
    least, most = (math.log(end) for end in NOISE_RANGE)
    for _ in range(4):
        over = gap(place)
        if -NOISE_TOLERANCE * slope <= over <= 0:
            return place
        step = over / slope + NOISE_TOLERANCE / 2 if slope > 0 else math.inf
        if not (least < place + step < most and abs(step) < 0.05):
            return None
        if abs(step) > 1e-4:
            slope = (over - gap(place + step)) / step
        place += step
    return None


def _root(gap: Callable[[float], float], start: float, step: float, tolerance: float) -> float:
    """The zero of a decreasing function near `start`; the end of the range where it has none."""
    from scipy.optimize import brentq

    least, most = (math.log(end) for end in NOISE_RANGE)
    low = high = min(max(start, least), most)
    while high < most and gap(high) > 0:
        low, high, step = high, min(high + step, most), 2 * step
    while low > least and gap(low) <= 0:
        low, high, step = max(low - step, least), low, 2 * step
    if low == high or gap(low) <= 0:
        return low
    if gap(high) > 0:
        return high
    return float(brentq(gap, low, high, xtol=tolerance))  # pyright: ignore[reportArgumentType]
