"""ε of composed privacy losses, by inversion of their moments along a tilted line.

For neighbouring outputs P and Q, L = log P/Q is the privacy loss, and A(u) = E_Q[exp(uL)] are its
moments, which composition multiplies. With C(s) = log A(1 + s), the moments under P, and any θ > 0,

    δ(ε) = 1/2πi ∫ exp(C(s) − sε) / (s (1 + s)) ds   over s = θ + it

(Alghamdi et al. 2022, arXiv:2208.09595). At the θ of the best Rényi bound all terms have the size
of the answer: a δ of 1e-15 or 1e-100 is found as precisely as one of 0.1, whereas a convolution in
double precision is blind below 1e-16. The trapezoidal rule adds δ at translates of ε, all of them
positive, so that it overestimates. The integral ends at a frequency beyond which the integrand is
proved to be negligible, and a bound of the rest is added (see `loss_decay`).

Where no such frequency is in reach, as after few releases or with Laplace noise, whose transform
does not decay, losses are moved to a grid by the Connect-the-Dots method (Doroshenko et al. 2022,
arXiv:2207.04380), whose distribution dominates the true one, and composed by the fast Fourier
transform under the same tilt.

A tail far below δ counts as infinite loss. The Rényi bound of the same moments (Canonne et al.
2020, arXiv:2004.00010) holds as well, and the answer is the smaller of the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fedbench.privacy.events import Mechanism
from fedbench.privacy.loss_decay import Release, stays_below
from fedbench.privacy.loss_nodes import (
    LITTLE,
    Floats,
    Nodes,
    cell_of,
    chances_of,
    grid,
    nodes_of,
)

CUT = 10.0  # tails below exp(-CUT) of δ are cut off and count as infinite loss
FAR = 22.0  # what is below exp(-FAR) of the answer is left out
FREQUENCIES, FREQUENCIES_RARE = 1024, 8192  # most terms of the integral; see `_Composition.epsilon`
WORK = 2e6  # most exponentials for the integral
MOST_LENGTH = 2**22  # cells of the composed losses
SAFE = 1e-9  # relative; added to ε for what floating point may lose


def epsilon(parts: Sequence[tuple[Mechanism, int]], delta: float, cells: int) -> float:
    """Upper bound of ε at `delta` after each mechanism so many times, under add and remove.

    `cells` is the number of grid cells per standard deviation of one release's loss, where a grid
    is needed. Each mechanism must have noise, a rate above 0 and a count above 0.
    """
    first = _Composition(parts, delta, cells, remove=True).epsilon()
    if first == 0:  # δ(0), the total variation, is the same in both directions
        return 0.0
    return max(first, _Composition(parts, delta, cells, remove=False).epsilon(above=first))


class _Composition:
    """Composed losses in one direction: a unit is removed from the data, or added to them."""

    def __init__(
        self, parts: Sequence[tuple[Mechanism, int]], delta: float, cells: int, remove: bool
    ) -> None:
        self.parts, self.cells, self.remove = parts, cells, remove
        self.counts = [count for _, count in parts]
        tail = math.log(delta) - CUT - math.log(sum(self.counts))
        self.tail = 2.0 * math.floor(tail / 2)  # rounded: the nodes then serve many rounds
        # Mills' ratio: three tails of at most 0.1 exp(tail) each
        self.log_delta = math.log(delta) + math.log1p(-0.3 * math.exp(-CUT))
        self.nodes = [nodes_of(known, self.tail, 1, remove) for known, _ in parts]
        self.tilt, self.renyi = self._best_order()

    def epsilon(self, above: float = 0.0) -> float:
        """The upper bound of ε; some smaller value where it is not above `above`."""
        if self.renyi <= above:
            return 0.0
        # the largest loss, as if it were certain; of less than 1e-12 only rounding is left
        spread = self._spread(self.tilt)
        if self.tilt * spread < 1e-6 or spread < 1e-12 * self.renyi:
            return self.renyi
        # Where a grid over rare large losses is too coarse for the others, the integral may cost.
        rare = any(cell_of(known, self.tail, 1)[1] for known, _ in self.parts)
        found = self.renyi
        for _ in range(4):
            found = None
            # The transform of a Laplace loss, which has atoms, does not decay; nor does, within
            # reach, that of a Gaussian's with little noise.
            if all(known.kind == "gaussian" for known, _ in self.parts) and not _little(self.parts):
                found = self._by_integral(FREQUENCIES_RARE if rare else FREQUENCIES)
            if found is None:
                found = self._on_grid()
            if found >= self.renyi or not self._moved(found):
                break
        return max(0.0, min(found, self.renyi)) * (1 + SAFE)

    def _moved(self, epsilon: float) -> bool:
        """Whether the tilt was far from the best one for this ε, and has been set to that."""
        from scipy.optimize import minimize_scalar

        def size(log_order: float) -> float:
            s = math.exp(log_order)
            return self._log_moment(s) - s * epsilon - log_order - math.log1p(s)

        place = math.log(self.tilt)
        best = minimize_scalar(size, bounds=(place - 3, place + 3), method="bounded")
        if size(place) - float(best.fun) < 2:  # pyright: ignore[reportAttributeAccessIssue]
            return False
        self.tilt = math.exp(float(best.x))  # pyright: ignore[reportAttributeAccessIssue]
        return True

    def _log_moment(self, order: float) -> float:
        """C(s) for a real s."""
        each = (_log_sum(weights + order * losses) for losses, weights in self.nodes)
        return math.fsum(count * one for count, one in zip(self.counts, each, strict=True))

    def _spread(self, order: float) -> float:
        """Standard deviation of the composed loss under P tilted by exp(sL)."""
        found = 0.0
        for (losses, weights), count in zip(self.nodes, self.counts, strict=True):
            chances = chances_of(Nodes(losses, weights), order)
            found += count * float(chances @ (losses - chances @ losses) ** 2)
        return math.sqrt(found)

    def _best_order(self) -> tuple[float, float]:
        """θ at which the Rényi bound of ε is least, and this bound."""
        from scipy.optimize import minimize_scalar

        def bound(log_order: float) -> float:
            s = math.exp(log_order)
            rest = s * math.log1p(1 / s) + math.log1p(s)  # (1 + s) log(1 + s) − s log s
            return (self._log_moment(s) - self.log_delta - rest) / s

        spread = max(self._spread(0.0), 1e-300)
        low = high = 0.5 * math.log(1 - 2 * self.log_delta) - math.log(spread)
        at_low = at_high = bound(low)
        while (below := bound(low - 1)) < at_low:
            low, at_low = low - 1, below
        while (above := bound(high + 1)) < at_high and above > 0:
            high, at_high = high + 1, above
        ends = (low - 1, high + 1)
        found = minimize_scalar(bound, bounds=ends, method="bounded", options={"xatol": 1e-3})
        return math.exp(float(found.x)), float(found.fun)  # pyright: ignore[reportAttributeAccessIssue]

    def _range(self) -> tuple[float, float]:
        """Ends between which nearly all of the tilted loss lies (Chernoff)."""
        spread, here = self._spread(self.tilt), self._log_moment(self.tilt)
        low, high = -math.inf, math.inf
        for step in (1, 2, 4, 7, 10, 15, 25):
            d = step / spread
            high = min(high, (self._log_moment(self.tilt + d) - here + FAR) / d)
            low = max(low, (here - self._log_moment(self.tilt - d) - FAR) / d)
        return low, high

    def _by_integral(self, most: int) -> float | None:
        """ε by the trapezoidal rule, or None where it would take more than `most` terms."""
        low, high = self._range()
        step = 2 * math.pi / (high - low + FAR / self.tilt)
        end = self._end_of_integral(step * most)
        if end is None:
            return None
        last, rest = end
        count = math.ceil(last / step)
        nodes, refinement, change = self.nodes, 1, math.inf
        exact = max(1e-9, 1e-15 * sum(self.counts))
        while change > exact:  # until the quadrature follows the highest frequency
            refinement *= 2
            finer = [nodes_of(known, self.tail, refinement, self.remove) for known, _ in self.parts]
            if max(len(each.losses) for each in finer) * math.isqrt(count) > WORK:
                return None
            change = sum(
                number * abs(_moment(rough, self.tilt, last) - _moment(fine, self.tilt, last))
                for rough, fine, number in zip(nodes, finer, self.counts, strict=True)
            )
            nodes = finer if change > exact else nodes
        logs = sum(
            number * np.log(_moments(each, self.tilt, step, count))
            for each, number in zip(nodes, self.counts, strict=True)
        )
        line = self.tilt + 1j * step * np.arange(count + 1)
        terms = step / math.pi * np.exp(logs) / (line * (1 + line))
        terms[0] /= 2
        here = self._log_moment(self.tilt)

        def log_delta(epsilon: float) -> float:
            total = float((terms * np.exp(-1j * line.imag * epsilon)).real.sum()) + rest
            return here - self.tilt * epsilon + math.log(max(total, 1e-300))

        return self._meets(log_delta)

    def _end_of_integral(self, most: float) -> tuple[float, float] | None:
        """A frequency from which on the integrand is negligible, and a bound of all the rest.

        None if there is none, or none is proved, up to the frequency `most`.
        """
        spread = self._spread(self.tilt)
        releases = [
            Release(
                known,
                count,
                nodes_of(known, self.tail, 2, self.remove),
                self.tail,
                self.tilt,
                self.remove,
            )
            for known, count in self.parts
        ]
        last = 4.0 / spread
        while last <= most:
            peak = self.tilt * (1 + self.tilt) * spread / (last * math.hypot(1, self.tilt / last))
            negligible = -FAR - math.log(peak)
            if stays_below(releases, last, negligible):
                return last, math.exp(negligible) / (math.pi * last)
            last *= 1.25
        return None

    def _meets(self, log_delta: Callable[[float], float]) -> float:
        """The ε where a decreasing log δ(ε) meets log δ; it is at most the Rényi bound."""
        from scipy.optimize import brentq

        high, step = self.renyi, 0.5 / self.tilt
        if log_delta(high) >= self.log_delta:
            return high
        low = high - step
        while log_delta(low) < self.log_delta:
            if low < 0:
                return 0.0
            high, step = low, 2 * step
            low = high - step
        root = brentq(lambda x: log_delta(x) - self.log_delta, low, high, xtol=1e-12 * self.renyi)
        return float(root)  # pyright: ignore[reportArgumentType]

    def _on_grid(self) -> float:
        """ε by losses on a grid, moved there so that none of them becomes smaller."""
        from scipy.signal import lfilter

        cell = _common_cell(self.parts, self.tail, self.cells)
        low, high = self._range()
        start = math.floor(low / cell) - 1
        if high - low > MOST_LENGTH * cell:
            return self.renyi
        length = 1 << (math.ceil(high / cell) + 1 - start).bit_length()
        spectrum, log_moment, offset = np.ones(length // 2 + 1, dtype=complex), 0.0, 0
        for known, count in self.parts:
            first, logs = grid(known, self.tail, cell, self.remove)
            nodes = Nodes(cell * np.arange(first, first + len(logs), dtype=np.float64), logs)
            log_moment += count * _log_sum(logs + self.tilt * nodes.losses)
            chances = chances_of(nodes, self.tilt)
            folded = np.bincount(np.arange(len(logs)) % length, chances, minlength=length)
            spectrum *= np.fft.rfft(folded) ** count
            offset += count * first
        chances = np.roll(np.fft.irfft(spectrum, length), (offset - start) % length).clip(min=0)
        places = cell * (start + np.arange(length))
        # δ(ε) = exp(C) Σ chance exp(−θy) (1 − exp(ε − y)) over y > ε, from the largest y down
        zero = self.renyi
        kept = self.tilt * (zero - places) < 600
        places, chances = places[kept], chances[kept]
        weights = (chances * np.exp(self.tilt * (zero - places)))[::-1]
        over = np.cumsum(weights)[::-1]
        under = lfilter([1.0], [1.0, -math.exp(-cell)], weights)[::-1]
        target = math.exp(self.log_delta - log_moment + self.tilt * zero)
        reached = np.flatnonzero(over - under >= target)
        if not reached.size:
            return 0.0
        at = min(int(reached[-1]) + 1, len(places) - 1)
        if under[at] <= 0:
            return float(places[at])
        return float(places[at]) + math.log((over[at] - target) / under[at])


def _log_sum(logs: Floats) -> float:
    most = float(logs.max())
    return most + math.log(float(np.exp(logs - most).sum()))


def _moment(nodes: Nodes, tilt: float, frequency: float) -> complex:
    """A(1 + θ + it) / A(1 + θ) for one frequency."""
    chances = chances_of(nodes, tilt)
    return complex(chances @ np.exp(1j * frequency * nodes.losses))


def _moments(nodes: Nodes, tilt: float, step: float, count: int) -> NDArray[np.complex128]:
    """A(1 + θ + it) / A(1 + θ) for t = 0, step, …, count · step, as one product of matrices."""
    chances = chances_of(nodes, tilt)
    width = math.isqrt(count) + 1
    turns = 1j * step * nodes.losses
    fast = np.exp(np.outer(np.arange(width), turns))
    slow = np.exp(np.outer(np.arange(0, count + 1, width), turns)) * chances
    found: NDArray[np.complex128] = slow @ fast.T  # pyright: ignore[reportAssignmentType]
    return found.ravel()[: count + 1]


def _common_cell(parts: Sequence[tuple[Mechanism, int]], tail: float, cells: int) -> float:
    """One cell for all: its rounding adds up over the releases, and so do their variances."""
    total = sum(count for _, count in parts)
    squares = math.fsum(count * cell_of(known, tail, cells)[0] ** 2 for known, count in parts)
    cell = math.sqrt(squares / total)
    if _little(parts):  # rounding adds about noise² · cell of ε: less than 1e-3 at 100 cells
        cell *= 2 * LITTLE / max(known.noise for known, _ in parts)
    # of several it does not move with every count
    return cell if len(parts) == 1 else 2 ** (math.floor(2 * math.log2(cell)) / 2)


def _little(parts: Sequence[tuple[Mechanism, int]]) -> bool:
    """Whether all losses are those of Gaussian mechanisms with little noise."""
    return all(known.kind == "gaussian" and known.noise < LITTLE for known, _ in parts)
