"""Privacy accounting of the Poisson-subsampled Gaussian mechanism, composed once over a run.

The privacy loss of one release is put on a grid by Connect-the-Dots (Doroshenko et al. 2022,
arXiv:2207.04380), which dominates the true mechanism, and composed by FFT (Koskela et al. 2020,
arXiv:1906.03049). Every ε is therefore an upper bound (to floating-point rounding, about 1e-12
in δ). The grid follows the standard deviation s of the loss, h = s / 50, because rounding to a
grid inflates the composed variance by about h² / (6 s²): 7e-5, which is about 4e-5 of ε. Without
subsampling ε is exact (Balle and Wang 2018, arXiv:1805.06530).

Neighbours differ by the addition or removal of one unit. The unit (client or example) and the
clipping norm belong to the caller: the noise has standard deviation `noise_multiplier` times the
clipping norm, on the sum. All functions are pure, cached and safe to call from several threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Parts = tuple[tuple[float, float, int], ...]

FINE, COARSE = 50, 8  # grid cells per standard deviation of one release's loss
NOISE_RANGE = (1e-2, 1e4)
NOISE_TOLERANCE = 5e-5  # relative width of the final bracket of `noise_multiplier`
EXACT_ROUNDS = 1024  # a curve longer than this is sampled: see `epsilon_curve`
_TAIL_SIGMAS = 10.2  # beyond it lies 1e-24 of a Gaussian, counted as infinite loss
_LOG_TAIL = math.log(1e-15)  # mass allowed outside the FFT window, counted as infinite loss
_MAX_CELLS, _MAX_WINDOW = 2**18, 2**22
_ORDERS = 2.0 ** -np.arange(20, 0, -1)  # Chernoff orders, per grid cell


def epsilon(rate: float, noise_multiplier: float, steps: int, delta: float) -> float:
    """Upper bound of ε after `steps` releases of the Poisson-subsampled Gaussian mechanism.

    `rate` is the probability that a unit takes part in a release, `noise_multiplier` the noise's
    standard deviation over the clipping norm. Exact at rate 1; otherwise at most about 1e-4
    (relative) above the true value as long as that is below 1000. No noise gives infinity, no
    release or rate 0 gives 0.
    Raises ValueError for values outside their range.
    """
    entry = _entry(rate, noise_multiplier, steps)
    return _epsilon(_canonical((entry,)), _delta(delta))


def epsilon_curve(
    rate: float, noise_multiplier: float, steps: int, delta: float
) -> tuple[float, ...]:
    """ε after each of the rounds 1..`steps`: non-decreasing, the last one is `epsilon(...)`.

    Up to 1024 rounds every value is the one `epsilon` gives. Beyond, rounds further than 1/256
    apart are computed and those between take the next one's value: still an upper bound, at most
    about 0.2 % above. Raises ValueError for values outside their range.
    """
    rate, noise, steps = _entry(rate, noise_multiplier, steps)
    return _curve(rate, noise, steps, _delta(delta))


def noise_multiplier(rate: float, steps: int, epsilon: float, delta: float) -> float:
    """Smallest noise multiplier that keeps `steps` releases within (`epsilon`, `delta`).

    Within 1e-4 (relative) of the optimum and never below it: `epsilon` of the answer is at most
    the target. 0.01 where less noise would do, 0 where nothing is released. Raises ValueError
    where no noise up to 10,000 reaches the target, and for values outside their range.
    """
    rate, _, steps = _entry(rate, 1.0, steps)
    target = float(epsilon)
    if not (math.isfinite(target) and target > 0):
        raise ValueError(f"epsilon = {epsilon!r} is not a positive number; give one, such as 3.0")
    return _noise_multiplier(rate, steps, target, _delta(delta))


class Entry(NamedTuple):
    """`steps` releases at one sampling rate and one noise multiplier."""

    rate: float
    noise_multiplier: float
    steps: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a run has released so far; its ε composes all of it at once, never adding epsilons.

    `entries` are in the order of the run; neither their order nor how they are split changes ε.
    """

    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(_entry(*entry) for entry in self.entries))

    @property
    def steps(self) -> int:
        """Number of releases."""
        return sum(entry.steps for entry in self.entries)

    def spend(self, rate: float, noise_multiplier: float, steps: int = 1) -> Ledger:
        """The ledger after `steps` more releases. Raises ValueError as `epsilon` does."""
        new = _entry(rate, noise_multiplier, steps)
        if not new.steps:
            return self
        *head, last = self.entries or (new._replace(steps=0),)
        if last[:2] == new[:2]:
            return Ledger((*head, new._replace(steps=last.steps + new.steps)))
        return Ledger((*self.entries, new))

    def epsilon(self, delta: float) -> float:
        """Upper bound of ε over the whole run (add/remove of one unit)."""
        return _epsilon(_canonical(self.entries), _delta(delta))

    def after(self, rate: float, noise_multiplier: float, steps: int = 1, *, delta: float) -> float:
        """ε that the run would have after `steps` more releases: what a hard budget asks."""
        return self.spend(rate, noise_multiplier, steps).epsilon(delta)

    def to_dict(self) -> dict[str, list[dict[str, float | int]]]:
        """Plain JSON data; `from_dict` restores it exactly."""
        return {"entries": [entry._asdict() for entry in self.entries]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """Restore `to_dict`'s data. Raises ValueError for unknown or missing fields."""
        items = data.get("entries") if isinstance(data, Mapping) and len(data) == 1 else None
        if not isinstance(items, list | tuple):
            raise ValueError(f"ledger = {data!r} is not {{'entries': [...]}}; save it with to_dict")
        for item in items:
            if (
                not isinstance(item, Mapping)
                or set(item) != set(Entry._fields)
                or not all(isinstance(value, int | float) for value in item.values())
            ):
                raise ValueError(
                    f"ledger entry = {item!r} does not give numbers for exactly "
                    f"{', '.join(Entry._fields)}; save the ledger with to_dict"
                )
        return cls(tuple(Entry(**item) for item in items))


def _entry(rate: float, noise_multiplier: float, steps: int) -> Entry:
    if not 0 <= rate <= 1:
        raise ValueError(f"rate = {rate!r} is not a probability; give a value from 0 to 1")
    if not 0 <= noise_multiplier < math.inf:
        raise ValueError(
            f"noise_multiplier = {noise_multiplier!r} is not finite and non-negative; "
            "give the noise's standard deviation over the clipping norm, such as 1.0"
        )
    if not 0 <= steps < math.inf or steps != int(steps):
        raise ValueError(f"steps = {steps!r} is not a count; give a whole number, 0 or more")
    return Entry(float(rate), float(noise_multiplier), int(steps))


def _delta(delta: float) -> float:
    if not 0 < delta < 1:
        raise ValueError(
            f"delta = {delta!r} is not strictly between 0 and 1; "
            "give a value well below 1 / number of units, such as 1e-5"
        )
    return float(delta)


def _canonical(entries: tuple[Entry, ...]) -> Parts:
    """Equal mechanisms merged and sorted, so that the same run always gives the same float."""
    totals: dict[tuple[float, float], int] = {}
    for rate, noise, steps in entries:
        if rate and steps:
            totals[rate, noise] = totals.get((rate, noise), 0) + steps
    return tuple(sorted((rate, noise, steps) for (rate, noise), steps in totals.items()))


@lru_cache(maxsize=2**16)
def _epsilon(parts: Parts, delta: float, cells: int = FINE) -> float:
    if not parts:
        return 0.0
    if any(noise == 0 for _, noise, _ in parts):
        return math.inf
    if all(rate == 1 for rate, _, _ in parts):
        from dp_accounting.gaussian_mechanism import get_epsilon_gaussian

        precision = math.fsum(steps / noise**2 for _, noise, steps in parts)
        return float(get_epsilon_gaussian(precision**-0.5, delta))
    # Rounding the counts up lets one composition serve every round until they double.
    room = tuple((rate, noise, 1 << max(6, (n - 1).bit_length())) for rate, noise, n in parts)
    composition = _composition(room, cells)
    return composition.epsilon(tuple(steps for _, _, steps in parts), delta)


@lru_cache(maxsize=256)
def _curve(rate: float, noise: float, steps: int, delta: float) -> tuple[float, ...]:
    values = np.empty(steps)
    end = steps
    while end > 0:
        start = end - 1 if end <= EXACT_ROUNDS or end == steps else end - end // 256
        values[start:end] = _epsilon(_canonical((Entry(rate, noise, end),)), delta)
        end = start
    return tuple(np.maximum.accumulate(values).tolist())


@lru_cache(maxsize=4096)
def _noise_multiplier(rate: float, steps: int, target: float, delta: float) -> float:
    if not (rate and steps):
        return 0.0
    least, most = NOISE_RANGE
    # Central limit theorem of Gaussian DP (Dong et al. 2019, arXiv:1905.02383), for a start only.
    log_inverse = -math.log(delta)
    mu = math.sqrt(2) * (math.sqrt(log_inverse + target) - math.sqrt(log_inverse))
    guess = math.log1p(mu**2 / (rate**2 * steps)) ** -0.5
    start = min(max(guess, least), most)

    def spent(noise: float, cells: int) -> float:
        return _epsilon(((rate, noise, steps),), delta, cells)

    for cells, factor, tolerance in ((COARSE, 1.3, 1e-3), (FINE, 1.001, NOISE_TOLERANCE)):
        grid_epsilon = partial(spent, cells=cells)
        start = _narrow(
            grid_epsilon, target, *_bracket(grid_epsilon, target, start, factor), tolerance
        )
    if spent(start, FINE) > target:
        raise ValueError(
            f"epsilon = {target!r} is out of reach of any noise multiplier up to {most:g} at "
            f"rate {rate:g}, {steps} steps and delta {delta:g}; raise epsilon or delta, or lower "
            "rate or steps"
        )
    return start


def _bracket(
    spent: Callable[[float], float], target: float, start: float, factor: float
) -> tuple[float, float]:
    """Too little and enough noise around `start`; equal at an end of the range."""
    least, most = NOISE_RANGE
    low = high = start
    grow = factor
    while high < most and spent(high) > target:
        low, high, grow = high, min(high * grow, most), grow * factor
    while low > least and spent(low) <= target:
        low, high, grow = max(low / grow, least), low, grow * factor
    return (low, low) if spent(low) <= target else (low, high)


def _narrow(
    spent: Callable[[float], float], target: float, low: float, high: float, tolerance: float
) -> float:
    """The enough side of a bracket, shrunk by regula falsi on both sides of the root."""
    over, under = spent(low), spent(high)
    while high > low * (1 + tolerance):
        share = (over - target) / (over - under) if math.isfinite(over) else 0.5
        root = low * (high / low) ** share
        tries = (root * (1 + tolerance / 3), root * (1 - tolerance / 3))
        middle = next((noise for noise in tries if low < noise < high), math.sqrt(low * high))
        value = spent(middle)
        if value > target:
            low, over = middle, value
        else:
            high, under = middle, value
    return high


class _Loss(NamedTuple):
    """Privacy loss of one release, one direction: `mass[i]` at loss (`first` + i) · cell width."""

    first: int
    mass: Floats
    infinity: float
    log_mgf: Floats  # [2, orders] of +i and -i


def _cell(rate: float, noise: float, cells: int) -> float:
    """Cell width: a share of the loss's standard deviation, wide where the loss itself is huge."""
    grid = np.linspace(-8.0, 8.0, 257)
    weights = np.exp(-(grid**2) / 2)
    weights /= weights.sum()
    absent, present = (
        np.logaddexp(
            math.log1p(-rate) if rate < 1 else -math.inf,
            math.log(rate) + ((grid + shift) / noise - 0.5 / noise**2),
        )
        for shift in (0.0, 1 / noise)
    )
    mean = weights @ ((1 - rate) * absent + rate * present)
    variance = weights @ ((1 - rate) * (absent - mean) ** 2 + rate * (present - mean) ** 2)
    top = float(np.logaddexp(math.log(rate) + 0.5 / noise**2 + _TAIL_SIGMAS / noise, 0.0))
    widest = max(1.0, 0.05 / noise**2) / cells
    return max(min(math.sqrt(variance) / cells, widest), top / _MAX_CELLS)


@lru_cache(maxsize=256)
def _losses(rate: float, noise: float, cell: float) -> tuple[_Loss, _Loss]:
    """The loss of removing a unit and that of adding it, by Connect-the-Dots."""
    from scipy.special import log_ndtr, ndtr

    reach = _TAIL_SIGMAS / noise
    floor = math.log1p(-rate) if rate < 1 else -math.inf
    log_rate = math.log(rate)
    top = np.logaddexp(floor, log_rate + 0.5 / noise**2 + reach)
    bottom = np.logaddexp(floor, log_rate - 0.5 / noise**2 - reach)
    first, last = math.floor(bottom / cell) - 1, math.ceil(top / cell)
    losses = np.arange(first, last + 1) * cell
    # δ(ε) of the subsampled mechanism is rate · δ(u) of the plain one, with
    # ε = log(1 + rate · (exp(u) - 1)) (Balle et al. 2018, arXiv:1807.01647); below `floor`
    # it is 1 - exp(ε).
    deltas = -np.expm1(np.minimum(losses, 0.0))
    inside = losses > floor
    inner = losses[inside]
    with np.errstate(over="ignore"):
        plain = np.where(
            inner > 0,
            inner - log_rate + np.log1p(-(1 - rate) * np.exp(-np.maximum(inner, 0))),
            np.log1p(np.expm1(np.minimum(inner, 0)) / rate),
        )
    upper = ndtr(0.5 / noise - plain * noise)
    lower = np.exp(plain + log_ndtr(-0.5 / noise - plain * noise))
    deltas[inside] = rate * (upper - lower)
    deltas = np.minimum.accumulate(np.clip(deltas, 0.0, 1.0))
    change = np.diff(deltas)
    removal = np.empty_like(deltas)
    removal[0] = 1 - deltas[0] + change[0] / math.expm1(cell)
    removal[1:-1] = (change[1:] - change[:-1] * math.exp(cell)) / math.expm1(cell)
    removal[-1] = change[-1] / math.expm1(-cell)
    removal = np.maximum(removal, 0.0)
    # Adding is the mirror image: the other distribution's mass, at the negated loss.
    addition = (removal * np.exp(-losses))[::-1]
    beyond = max(math.exp(-losses[0]) * (deltas[0] + math.expm1(losses[0])), 0.0)
    return (
        _Loss(first, removal, float(deltas[-1]), _log_mgf(removal)),
        _Loss(-last, addition, float(beyond), _log_mgf(addition)),
    )


def _log_mgf(mass: Floats) -> Floats:
    """Log moment generating function of ±index at every Chernoff order; infinite where unsure."""
    index = np.arange(len(mass), dtype=float)
    result = np.full((2, len(_ORDERS)), math.inf)
    for row, sign in enumerate((1.0, -1.0)):
        factors = np.exp(sign * _ORDERS[0] * index)
        for column in range(len(_ORDERS)):
            value = float(np.einsum("i,i->", mass, factors))  # BLAS would wake threads
            if not 1e-100 < value < 1e100:
                break
            result[row, column] = math.log(value)
            factors *= factors
            factors[factors < 1e-150] = 0.0  # denormal arithmetic is many times slower
    return result


class _Composition:
    """Spectra of some mechanisms on one grid, ready to be raised to any counts up to `room`."""

    def __init__(self, room: Parts, cells: int) -> None:
        from scipy.fft import next_fast_len

        total = sum(n for _, _, n in room)
        squares = math.fsum(n * _cell(rate, noise, cells) ** 2 for rate, noise, n in room)
        self.cell = math.sqrt(squares / total)
        if len(room) > 1:
            # A grid that does not move with every count keeps the losses cached.
            self.cell = 2 ** (math.floor(2 * math.log2(self.cell)) / 2)
        counts = tuple(n for _, _, n in room)
        while True:
            parts = [_losses(rate, noise, self.cell) for rate, noise, _ in room]
            self.directions = tuple(zip(*parts, strict=True))
            windows = [self._window(losses, counts) for losses in self.directions]
            widest = max(high - low for low, high in windows) + 1
            if widest <= _MAX_WINDOW:
                break
            self.cell *= 2
        length = max(widest, max(len(loss.mass) for pair in parts for loss in pair))
        self.length = int(next_fast_len(length, True))  # pyright: ignore[reportArgumentType]
        self.spectra = [
            [np.fft.rfft(loss.mass, self.length) for loss in losses] for losses in self.directions
        ]

    @staticmethod
    def _window(losses: tuple[_Loss, ...], counts: tuple[int, ...]) -> tuple[int, int]:
        """Chernoff bounds of the index sum: outside lies at most the tail mass on each side."""
        log_mgf = np.sum([n * loss.log_mgf for n, loss in zip(counts, losses, strict=True)], axis=0)
        high, low = np.min((log_mgf - _LOG_TAIL) / _ORDERS, axis=1)
        most = sum(n * (len(loss.mass) - 1) for n, loss in zip(counts, losses, strict=True))
        return math.floor(max(-low, 0.0)), math.ceil(min(high, most))

    def epsilon(self, counts: tuple[int, ...], delta: float) -> float:
        """The larger ε of the two directions."""
        return max(
            self._direction_epsilon(losses, spectra, counts, delta)
            for losses, spectra in zip(self.directions, self.spectra, strict=True)
        )

    def _direction_epsilon(
        self,
        losses: tuple[_Loss, ...],
        spectra: list[NDArray[np.complex128]],
        counts: tuple[int, ...],
        delta: float,
    ) -> float:
        product = _power(spectra[0], counts[0])
        for spectrum, n in zip(spectra[1:], counts[1:], strict=True):
            product = product * _power(spectrum, n)
        mass = np.fft.irfft(product, self.length)
        low, high = self._window(losses, counts)
        first = sum(n * loss.first for n, loss in zip(counts, losses, strict=True))
        start = max(low, 1 - first)  # only positive losses count towards δ
        survival = sum(
            n * math.log1p(-loss.infinity) for n, loss in zip(counts, losses, strict=True)
        )
        infinity = math.exp(_LOG_TAIL) - math.expm1(survival)
        kept = np.maximum(mass[np.arange(start, high + 1) % self.length], 0.0)
        return _invert(kept, (first + start) * self.cell, self.cell, infinity, delta)


@lru_cache(maxsize=8)
def _composition(room: Parts, cells: int) -> _Composition:
    return _Composition(room, cells)


def _power(base: NDArray[np.complex128], exponent: int) -> NDArray[np.complex128]:
    """Repeated squaring: numpy's complex power takes a logarithm per element."""
    result = None
    while True:
        if exponent & 1:
            result = base if result is None else result * base
        exponent >>= 1
        if not exponent:
            return base if result is None else result
        base = base * base


def _invert(mass: Floats, lowest: float, cell: float, infinity: float, delta: float) -> float:
    """Smallest ε ≥ 0 whose hockey-stick divergence Σ (1 - e^(ε - loss))₊ · mass is at most δ."""
    from scipy.signal import lfilter

    if infinity > delta:
        return math.inf
    if not len(mass):
        return 0.0
    above = infinity + np.cumsum(mass[::-1])[::-1]
    # Σ_{k ≥ j} mass[k] e^(loss[j] - loss[k]) as a recursion, which never overflows.
    decayed = np.asarray(lfilter([1.0], [1.0, -math.exp(-cell)], mass[::-1]))[::-1]
    if above[0] - math.exp(-lowest) * decayed[0] <= delta:
        return 0.0
    exceeding = np.flatnonzero(above - decayed > delta)
    index = int(exceeding[-1]) + 1 if len(exceeding) else 0
    if index == len(mass):
        return lowest + (index - 1) * cell
    loss = lowest + index * cell
    return max(loss + math.log((above[index] - delta) / decayed[index]), 0.0)
