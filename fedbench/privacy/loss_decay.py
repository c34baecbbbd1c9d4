"""Proof that the transform of a composed loss stays small beyond a frequency.

An integral over all frequencies may only end where everything beyond is known to be small; a
transform that has decayed at one frequency may come back at another, as that of a lattice does.

Let φ(t) = E exp(itL) for the tilted loss L of one release. From one frequency to the next, g = |φ|²
is bounded by its Taylor polynomial, since |g''| is at most twice the variance of L. Far out,
integration by parts bounds |φ(t)| by V/t, where V is the total variation of the density of L.
Outcomes where the quadrature cannot follow the frequency, or where the density has a peak, such as
the one at log(1 − rate), count with their whole chance: |φ| is at most that chance plus the bound
of the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedbench.privacy.events import Mechanism
from fedbench.privacy.loss_nodes import ORDER, Floats, Nodes, chances_of, density_of

MOST_STEPS = 100  # from one frequency to the next
MOST_PHASE = 8.0  # radians over one panel that the quadrature follows to machine precision


def stays_below(parts: Sequence[Release], start: float, target: float) -> bool:
    """Whether log Π|φ|^count is proved to be at most `target` from the frequency `start` on."""
    frequency = start
    for _ in range(MOST_STEPS):
        if sum(part.count * part.log_bound_beyond(frequency) for part in parts) <= target:
            return True
        here = [(part.count, part.near(frequency)) for part in parts]
        step = frequency
        while sum(count * near.log_bound(step) for count, near in here) > target:
            step /= 2
            if step < 1e-3 * frequency:
                return False
        frequency += step
    return False


@dataclass(frozen=True)
class _Near:
    """|φ| at a frequency and up to twice that: g, g', half the bound of g'', chance left out."""

    value: float
    slope: float
    curvature: float
    left_out: float

    def log_bound(self, step: float) -> float:
        """The logarithm of a bound of |φ| up to `step` further on; the polynomial is convex."""
        far = self.value + self.slope * step + self.curvature * step**2
        return math.log(math.sqrt(max(self.value, far)) + self.left_out + 1e-300)


class Release:
    """The tilted loss of one release, repeated `count` times."""

    def __init__(
        self, known: Mechanism, count: int, nodes: Nodes, tail: float, tilt: float, remove: bool
    ) -> None:
        self.count = count
        self.chances = chances_of(nodes, tilt)
        self.losses = nodes.losses - self.chances @ nodes.losses
        panels = self.losses.reshape(ORDER, -1)
        # the outermost nodes lie within 1 % of a panel's ends
        self.widths = np.tile(1.02 * np.abs(panels[-1] - panels[0]), ORDER)
        self.below, self.variation = _variation(known, tail, tilt, remove)

    def log_bound_beyond(self, frequency: float) -> float:
        """The logarithm of a bound of |φ| at all frequencies from this one on."""
        least = float((self.below + self.variation / frequency).min())
        return math.log(min(1.0, least))

    def near(self, frequency: float) -> _Near:
        """What is known of |φ| from this frequency to twice this frequency."""
        followed = 2 * frequency * self.widths < MOST_PHASE
        chances, losses = self.chances[followed], self.losses[followed]
        turned = chances * np.exp(1j * frequency * losses)
        value, slope = complex(turned.sum()), 1j * complex(turned @ losses)
        mean = float(chances @ losses)
        return _Near(
            abs(value) ** 2,
            2 * (value.conjugate() * slope).real,
            float(chances.sum()) * float(chances @ losses**2) - mean**2,
            max(0.0, float(self.chances[~followed].sum())),
        )


def _variation(known: Mechanism, tail: float, tilt: float, remove: bool) -> tuple[Floats, Floats]:
    """For ascending outcomes: the chance below each, and the density's variation above it."""
    chance, density = density_of(known, tail, tilt, remove)
    below = np.concatenate([[0.0], np.cumsum(chance)])
    above = np.cumsum(np.abs(np.diff(density))[::-1])[::-1]
    # 1 %: extrema between two outcomes; the density is cut off at both ends
    return below, 1.01 * (np.concatenate([above, [0.0]]) + density + density[-1])
