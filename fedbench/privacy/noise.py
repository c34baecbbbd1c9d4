"""Normal and Laplace numbers whose tails are deep enough for any δ that can be asked for.

A sampler that cannot give a number beyond some bound hides an event from the accounting: a result
out there proves which of two data sets it came from. The smallest uniform numbers, which become the
largest normal ones, are therefore drawn with more bits than the others. What is still cut off has
probability 2⁻¹⁵⁹ a draw; docs/adr/0017-noise-sampler.md has the proof.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LOW = 1 << 7  # of 2³¹ radii those that get 128 bits more: one pair in 2²⁴
BLOCK = 1 << 16  # pairs at once: their intermediate values stay near the processor

_UNIT = np.float32(2.0**-31)
_TURN = np.float32(math.pi * 2.0**-31)  # makes a signed 32-bit number an angle in [-π, π]


def normal(bits: np.random.BitGenerator, out: NDArray[np.float32], std: float = 1.0) -> None:
    """Fill `out`, float32[n], with normal numbers of deviation `std`, up to 14.9 deviations.

    By Box and Muller (1958), as quick as torch's own, which ends at 5.77 deviations.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a deviation beyond float32
        for start in range(0, len(out), 2 * BLOCK):
            _fill(bits, out[start : start + 2 * BLOCK], np.float32(std))


def laplace(bits: np.random.BitGenerator, count: int) -> NDArray[np.float64]:
    """Return Laplace numbers of scale 1, float64[count], up to 133; numpy's end at 36."""
    words = bits.random_raw(count)
    sign = np.where(words & np.uint64(1), -1.0, 1.0)
    return sign * -np.log(_finer(bits, (words >> np.uint64(1)).astype(np.float64), 2.0**-63))


def _fill(bits: np.random.BitGenerator, out: NDArray[np.float32], std: np.float32) -> None:
    pairs = -(-len(out) // 2)
    rest = len(out) - pairs
    cosine, sine = out[:pairs], out[pairs:]
    words = bits.random_raw(pairs).view(np.int32)
    k, turns = words[:pairs], words[pairs:]
    k &= 0x7FFFFFFF
    low, far = None, None
    if k.min() < LOW:
        low = np.flatnonzero(k < LOW)
        far = np.sqrt(-2.0 * np.log(_finer(bits, k[low].astype(np.float64), 2.0**-31)))
    radius, angle = _floats(k), _floats(turns)
    radius += np.float32(0.5)
    radius *= _UNIT
    np.log(radius, out=radius)
    radius *= np.float32(-2.0)
    np.sqrt(radius, out=radius)
    if low is not None:
        radius[low] = far
    radius *= std
    angle *= _TURN
    np.cos(angle, out=cosine)
    cosine *= radius
    np.sin(angle[:rest], out=sine)
    sine *= radius[:rest]


def _floats(a: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the same numbers in the same memory: less of it stays near the processor."""
    found = a.view(np.float32)
    np.copyto(found, a, casting="unsafe")
    return found


def _finer(
    bits: np.random.BitGenerator, k: NDArray[np.float64], unit: float
) -> NDArray[np.float64]:
    """Return uniform numbers between k · `unit` and (k + 1) · `unit`, by 128 bits more."""
    high, low = bits.random_raw(2 * len(k)).astype(np.float64).reshape(2, -1)
    return (k + (high + (low + 0.5) * 2.0**-64) * 2.0**-64) * unit
