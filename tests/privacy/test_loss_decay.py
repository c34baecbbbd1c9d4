"""Where the integral of a composed loss may end."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings, strategies as st

from fedbench.privacy.events import Mechanism
from fedbench.privacy.loss_decay import Release, stays_below
from fedbench.privacy.loss_nodes import chances_of, nodes_of

TAIL = math.log(1e-12)
TARGET = -22.0


class _Case:
    def __init__(self, rate: float, noise: float, count: int, tilt: float, remove: bool) -> None:
        self.known, self.count, self.tilt, self.remove = Mechanism(rate, noise), count, tilt, remove
        nodes = nodes_of(self.known, TAIL, 2, remove)
        self.release = Release(self.known, count, nodes, TAIL, tilt, remove)
        variance = self.release.chances @ self.release.losses**2
        self.deviation = math.sqrt(count * float(variance))

    def size(self, frequencies: np.ndarray) -> np.ndarray:
        """log |φ|^count at many frequencies, from 16 times as many nodes."""
        nodes = nodes_of(self.known, TAIL, 32, self.remove)
        chances = chances_of(nodes, self.tilt)
        each = [abs(chances @ np.exp(1j * one * nodes.losses)) for one in frequencies]
        return self.count * np.log(np.array(each) + 1e-300)

    def proved(self, start: float) -> bool:
        return stays_below([self.release], start, TARGET)


@settings(max_examples=40, deadline=None)
@given(
    log_rate=st.floats(-4, 0),
    log_noise=st.floats(-0.9, 1),
    log_count=st.floats(0.7, 4),
    tilt=st.floats(0.2, 20),
    start=st.floats(4, 40),
    remove=st.booleans(),
)
def test_what_is_proved_small_is_small_at_every_frequency(
    log_rate: float, log_noise: float, log_count: float, tilt: float, start: float, remove: bool
) -> None:
    case = _Case(10**log_rate, 10**log_noise, int(10**log_count), tilt, remove)
    if case.proved(start / case.deviation):
        frequencies = np.geomspace(start, 30 * start, 120) / case.deviation
        assert case.size(frequencies).max() <= TARGET + 1e-6


def test_a_transform_that_comes_back_is_not_proved_small() -> None:
    """48 releases with little noise: losses of nearly equal size, as on a lattice."""
    case = _Case(0.051, 0.1273802, 48, tilt=0.06407, remove=True)
    frequencies = np.linspace(4, 30, 1000) / case.deviation
    size = case.size(frequencies)
    decayed = int(np.argmax(size < TARGET))
    assert size[decayed] < TARGET
    assert size[decayed:].max() > -12  # it comes back
    assert not case.proved(float(frequencies[decayed]))


def test_the_usual_training_run_is_proved_where_it_has_decayed() -> None:
    case = _Case(0.01, 1.0, 1000, tilt=6.887, remove=True)
    assert case.proved(16 / case.deviation)
    assert not case.proved(12 / case.deviation)  # a normal loss would have decayed by exp(−72)
