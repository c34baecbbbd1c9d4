"""Privacy accounting: what a run has released, composed once over all of it by dp-accounting.

A release is one of dp-accounting's events: a Gaussian mechanism, alone or on a Poisson sample of
the units. Its privacy loss distribution (Connect-the-Dots, Doroshenko et al. 2022,
arXiv:2207.04380) dominates the true one, so every ε is an upper bound. The grid follows the
standard deviation s of the loss, h = s / 50: rounding to a grid inflates the composed variance by
about h² / (6 s²), 7e-5, which is some 4e-5 of ε, and the answer takes milliseconds. At a low rate
and little noise s is tiny beside the rare large losses that decide ε; there 32,768 cells over them
do as well. Without sampling ε is exact (Balle and Wang 2018, arXiv:1805.06530).

Neighbours differ by the addition or removal of one unit. The unit (client or example) and the
clipping norm belong to the caller: the noise has standard deviation `noise_multiplier` times the
clipping norm, on the sum. All functions are pure, cached and safe to call from several threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dp_accounting import DpEvent
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

FINE, COARSE = 50, 8  # grid cells per standard deviation of one release's loss
MOST_CELLS = 650  # times FINE: over the whole range of one release's loss
TAIL = 10.2  # standard deviations; beyond lies 1e-24 of a Gaussian
NOISE_RANGE = (1e-2, 1e4)
NOISE_TOLERANCE = 2e-5  # relative

Releases = Iterable[tuple["DpEvent", int]]


def gaussian(rate: float, noise_multiplier: float) -> DpEvent:
    """Return the release of a noisy sum over a Poisson sample of the units, as an event.

    `rate` is the probability that a unit takes part, `noise_multiplier` the noise's standard
    deviation over the clipping norm. Raises ValueError for values outside their range.
    """
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent

    if not 0 <= rate <= 1:
        raise ValueError(f"rate = {rate!r} is not a probability; give a value from 0 to 1")
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(
            f"noise_multiplier = {noise_multiplier!r} is not finite and non-negative; "
            "give the noise's standard deviation over the clipping norm, such as 1.0"
        )
    event = GaussianDpEvent(float(noise_multiplier))
    return event if rate == 1 else PoissonSampledDpEvent(float(rate), event)


def epsilon(rate: float, noise_multiplier: float, steps: int, delta: float) -> float:
    """Upper bound of ε after `steps` releases of `gaussian(rate, noise_multiplier)`.

    Exact at rate 1; otherwise at most about 1e-4 (relative) above the true value. No noise gives
    infinity, no release or rate 0 gives 0. Raises ValueError for values outside their range.
    """
    return Ledger().spend(gaussian(rate, noise_multiplier), steps).epsilon(delta)


def noise_multiplier(rate: float, steps: int, epsilon: float, delta: float) -> float:
    """Smallest noise multiplier that keeps `steps` releases within (`epsilon`, `delta`).

    Within 1e-4 (relative) of the optimum and never below it: ε of the answer is at most the
    target. 0.01 where less noise would do, 0 where nothing is released. Raises ValueError where no
    noise up to 10,000 reaches the target, and for values outside their range.
    """
    gaussian(rate, 1.0)
    target = float(epsilon)
    if not (math.isfinite(target) and target > 0):
        raise ValueError(f"epsilon = {epsilon!r} is not a positive number; give one, such as 3.0")
    return _noise_multiplier(float(rate), _count(steps), target, _delta(delta))


def shared_epsilon(
    releases: Iterable[tuple[float, int]], noise_multiplier: float, delta: float
) -> float:
    """Largest ε among units with these (rate, steps); see `epsilon`."""
    front = _front(releases)
    if len(front) == 1:
        ((rate, steps),) = front
        return epsilon(rate, noise_multiplier, steps, delta)
    # An ε on a coarse grid is an upper bound too, and cheap: it tells whom to look at closely.
    bounds = [(_coarse(rate, steps, noise_multiplier, delta), rate, steps) for rate, steps in front]
    largest = 0.0
    for bound, rate, steps in sorted(bounds, reverse=True):
        if bound < largest:
            break
        largest = max(largest, epsilon(rate, noise_multiplier, steps, delta))
    return largest


def shared_noise_multiplier(
    releases: Iterable[tuple[float, int]], epsilon: float, delta: float
) -> float:
    """Smallest noise multiplier that keeps every unit within (`epsilon`, `delta`).

    `releases` has the (rate, steps) of each unit. See `noise_multiplier`.
    """
    largest = 0.0
    # Whoever is likely to need most comes first; the others are mostly content with that.
    front = sorted(_front(releases), key=lambda pair: -pair[0] * math.sqrt(pair[1]))
    for rate, steps in front:
        if largest and _coarse(rate, steps, largest, delta) <= epsilon:
            continue
        largest = max(largest, noise_multiplier(rate, steps, epsilon, delta))
    return largest


def _front(releases: Iterable[tuple[float, int]]) -> list[tuple[float, int]]:
    """The (rate, steps) that no other exceeds in both: ε grows with either."""
    found: list[tuple[float, int]] = []
    for rate, steps in sorted(set(releases), reverse=True):
        if steps and rate and (not found or steps > found[-1][1]):
            found.append((rate, steps))
    return found


def _coarse(rate: float, steps: int, noise_multiplier: float, delta: float) -> float:
    """An upper bound of ε, rough and quick."""
    parts = _canonical([(gaussian(rate, noise_multiplier), _count(steps))])
    return _epsilon(parts, _delta(delta), COARSE)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a run has released so far; its ε composes all of it at once, never adding epsilons.

    `entries` are events with their counts, in the order of the run; neither their order nor how
    they are split changes ε.
    """

    entries: tuple[tuple[DpEvent, int], ...] = ()

    @property
    def steps(self) -> int:
        """Number of releases."""
        return sum(count for _, count in self.entries)

    def spend(self, event: DpEvent, count: int = 1) -> Ledger:
        """The ledger after `count` more releases. Raises ValueError for what has no accounting."""
        _numbers(event)
        if not _count(count):
            return self
        *head, (last, before) = self.entries or ((event, 0),)
        if last == event:
            return Ledger((*head, (event, before + count)))
        return Ledger((*self.entries, (event, count)))

    def epsilon(self, delta: float) -> float:
        """Upper bound of ε over the whole run (add/remove of one unit)."""
        return _epsilon(_canonical(self.entries), _delta(delta))

    def after(self, event: DpEvent, count: int = 1, *, delta: float) -> float:
        """ε that the run would have after `count` more releases: what a hard budget asks."""
        return self.spend(event, count).epsilon(delta)

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Plain JSON data; `from_dict` restores it exactly."""
        return {
            "entries": [
                dict(zip(("rate", "noise_multiplier"), _numbers(event), strict=True))
                | {"steps": count}
                for event, count in self.entries
            ]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """Restore `to_dict`'s data. Raises ValueError for unknown or missing fields."""
        items = data.get("entries") if isinstance(data, Mapping) and len(data) == 1 else None
        if not isinstance(items, list):
            raise ValueError(f"ledger = {data!r} is not {{'entries': [...]}}; save it with to_dict")
        ledger, fields = cls(), {"rate", "noise_multiplier", "steps"}
        for item in items:
            if (
                not isinstance(item, Mapping)
                or set(item) != fields
                or not all(isinstance(value, int | float) for value in item.values())
            ):
                raise ValueError(
                    f"ledger entry = {item!r} does not give numbers for exactly "
                    f"{', '.join(sorted(fields))}; save the ledger with to_dict"
                )
            event = gaussian(item["rate"], item["noise_multiplier"])
            ledger = ledger.spend(event, item["steps"])
        return ledger


@dataclass(frozen=True, slots=True)
class Ledgers:
    """What a run has released about the data of each client: a `Ledger` for every one of them."""

    own: Mapping[int, Ledger] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Number of releases of the client that released most."""
        return max((ledger.steps for ledger in self.own.values()), default=0)

    def spend(self, releases: Mapping[int, tuple[DpEvent, int]]) -> Ledgers:
        """The ledgers after some clients' releases, as event and count by client."""
        own = dict(self.own)
        for client, (event, count) in releases.items():
            own[client] = own.get(client, Ledger()).spend(event, count)
        return Ledgers(own)

    def epsilon(self, delta: float) -> float:
        """Upper bound of the largest ε over the clients (add/remove of one of their examples)."""
        plain: dict[float, list[tuple[float, int]]] = {}
        mixed: list[Ledger] = []
        for ledger in set(self.own.values()):
            if len(ledger.entries) == 1:
                (event, count) = ledger.entries[0]
                rate, noise = _numbers(event)
                plain.setdefault(noise, []).append((rate, count))
            else:
                mixed.append(ledger)
        spent = [ledger.epsilon(delta) for ledger in mixed]
        spent += [shared_epsilon(pairs, noise, delta) for noise, pairs in plain.items()]
        return max(spent, default=0.0)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain JSON data; `from_dict` restores it exactly."""
        return {"clients": {str(client): own.to_dict() for client, own in self.own.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledgers:
        """Restore `to_dict`'s data. Raises ValueError for unknown or missing fields."""
        clients = data.get("clients") if isinstance(data, Mapping) and len(data) == 1 else None
        named = isinstance(clients, Mapping) and all(
            isinstance(key, str) and key.isdigit() for key in clients
        )
        if not (named and isinstance(clients, Mapping)):
            raise ValueError(f"ledgers = {data!r} is not {{'clients': {{...}}}}")
        return cls({int(client): Ledger.from_dict(own) for client, own in clients.items()})


def _cell(event: DpEvent, cells: int) -> float:
    """The width of a grid cell that is fine enough for this event."""
    rate, noise = _numbers(event)
    # The chi-square distance of the two distributions; where that explodes, the plain mechanism's.
    spread = min(rate * math.sqrt(math.expm1(min(noise**-2, 600.0))), max(1.0, 0.5 / noise))
    largest = math.log(rate) + 0.5 / noise**2 + TAIL / noise
    return max(spread / cells, largest / (MOST_CELLS * cells))


def _numbers(event: DpEvent) -> tuple[float, float]:
    """The sampling rate and the noise multiplier of an event made by `gaussian`."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent

    match event:
        case GaussianDpEvent(noise_multiplier=noise):
            return 1.0, noise
        case PoissonSampledDpEvent(
            sampling_probability=rate, event=GaussianDpEvent(noise_multiplier=noise)
        ):
            return rate, noise
    raise ValueError(
        f"event = {event!r} has no accounting here; release a Gaussian mechanism, alone or on a "
        "Poisson sample"
    )


def _count(steps: int) -> int:
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


def _canonical(entries: Releases) -> tuple[tuple[DpEvent, int], ...]:
    """Equal events merged and sorted, so that the same run always gives the same float."""
    totals: dict[DpEvent, int] = {}
    for event, count in entries:
        if _numbers(event)[0]:
            totals[event] = totals.get(event, 0) + count
    return tuple(sorted(totals.items(), key=lambda item: _numbers(item[0])))


@lru_cache(maxsize=2**16)
def _epsilon(parts: tuple[tuple[DpEvent, int], ...], delta: float, cells: int = FINE) -> float:
    if not parts:
        return 0.0
    numbers = [(*_numbers(event), count) for event, count in parts]
    if any(noise == 0 for _, noise, _ in numbers):
        return math.inf
    if all(rate == 1 for rate, _, _ in numbers):
        from dp_accounting.gaussian_mechanism import get_epsilon_gaussian

        precision = math.fsum(count / noise**2 for _, noise, count in numbers)
        return float(get_epsilon_gaussian(precision**-0.5, delta))
    # One grid for all: its rounding adds up over the releases, and so do their variances.
    total = sum(count for _, count in parts)
    squares = math.fsum(count * _cell(event, cells) ** 2 for event, count in parts)
    cell = math.sqrt(squares / total)
    if len(parts) > 1:
        cell = 2 ** (math.floor(2 * math.log2(cell)) / 2)  # does not move with every count
    composed = (_composed(event, cell, count) for event, count in parts)
    whole: PrivacyLossDistribution = reduce(lambda a, b: a.compose(b), composed)
    return float(whole.get_epsilon_for_delta(delta))


@lru_cache(maxsize=256)
def _composed(event: DpEvent, cell: float, count: int) -> PrivacyLossDistribution:
    """Halve the count down to powers of two, so that round n + 1 finds most of it cached.

    What is composed with what depends on the count alone: a resumed run gets the same float.
    """
    lowest = count & -count
    if count == 1:
        return _loss(event, cell)
    if count == lowest:
        half = _composed(event, cell, count // 2)
        return half.compose(half)
    return _composed(event, cell, count - lowest).compose(_composed(event, cell, lowest))


@lru_cache(maxsize=64)
def _loss(event: DpEvent, cell: float) -> PrivacyLossDistribution:
    from dp_accounting.pld import privacy_loss_distribution as pld

    rate, noise = _numbers(event)
    return pld.from_gaussian_mechanism(
        noise, sampling_prob=rate, value_discretization_interval=cell
    )


@lru_cache(maxsize=4096)
def _noise_multiplier(rate: float, steps: int, target: float, delta: float) -> float:
    if not (rate and steps):
        return 0.0

    def excess(cells: int) -> Callable[[float], float]:
        def gap(log_noise: float) -> float:
            parts = _canonical([(gaussian(rate, math.exp(log_noise)), steps)])
            return min(math.log(max(_epsilon(parts, delta, cells), 1e-300) / target), 1e3)

        return gap

    # Central limit theorem of Gaussian DP (Dong et al. 2019, arXiv:1905.02383), for a start only.
    mu = math.sqrt(2) * (math.sqrt(target - math.log(delta)) - math.sqrt(-math.log(delta)))
    start = math.log(math.log1p(mu**2 / (rate**2 * steps)) ** -0.5)
    rough = _root(excess(COARSE), start, 0.2, 1e-3)
    fine = excess(FINE)
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
