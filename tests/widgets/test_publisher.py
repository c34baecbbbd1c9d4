"""The publisher: what was touched last is shown, never more often than its period."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from itertools import pairwise

from fedbench_widgets.publisher import PERIOD, Publisher


class Owner:
    def __init__(self, going: bool = False) -> None:
        self.value = 0
        self.shown: list[tuple[float, int]] = []
        self.beats = threading.Event()
        self.caught_up = threading.Event()
        self.going = going
        self.publisher = Publisher(self.publish, self.beat, self.alive)

    def publish(self) -> None:
        self.shown.append((time.monotonic(), self.value))
        if self.value == 1000:
            self.caught_up.set()

    def beat(self) -> None:
        self.beats.set()

    def alive(self) -> bool:
        return self.going


def test_many_touches_are_few_publishes_and_the_last_one_counts() -> None:
    owner = Owner()
    for owner.value in range(1, 1001):
        owner.publisher.touch()
    assert owner.caught_up.wait(10)
    owner.publisher.close()
    times = [at for at, _ in owner.shown]
    assert owner.shown[-1][1] == 1000
    assert all(b - a >= 0.9 * PERIOD for a, b in pairwise(times))


def test_while_running_it_says_that_it_is_there() -> None:
    owner = Owner(going=True)
    assert owner.beats.wait(10)
    owner.publisher.close()
    assert owner.shown == []


def test_the_thread_ends_with_its_owner() -> None:
    owner = Owner()
    thread, gone = owner.publisher._thread, weakref.ref(owner)
    publisher = owner.publisher
    del owner
    gc.collect()
    assert gone() is None
    publisher.touch()
    thread.join(10)
    assert not thread.is_alive()


def test_closing_ends_the_thread() -> None:
    owner = Owner()
    owner.publisher.close()
    owner.publisher._thread.join(10)
    assert not owner.publisher._thread.is_alive()
