"""What stays at hand, and what does not."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass

import numpy as np
import pytest

import fedbench as fb
from fedbench.data import FederatedDataset, federated, kept
from fedbench.data.kept import Kept


@dataclass(eq=False)
class Made:
    """A result of some bytes."""

    x: np.ndarray


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> tuple[Kept[Made], list[int]]:
    """Return a function that keeps 1000 bytes, and the sizes that it was asked to make."""
    monkeypatch.setattr(kept, "KEPT", 1000)
    asked: list[int] = []

    def make(size: int) -> Made:
        asked.append(size)
        return Made(np.zeros(size, dtype=np.uint8))

    return Kept(make), asked


def test_what_is_small_stays_and_the_oldest_goes_first(making) -> None:
    function, asked = making
    for size in (400, 500, 400, 300, 400, 500):  # 300 is one too many, and 500 was idle longest
        assert function(size).x.nbytes == size
        gc.collect()
    assert asked == [400, 500, 300, 500]


def test_the_latest_stays_however_large_and_alone(making) -> None:
    function, asked = making
    for size in (10, 5000, 5000, 10):
        function(size)
        gc.collect()
    assert asked == [10, 5000, 10]


def test_nobody_has_a_second_one_of_what_is_in_use(making) -> None:
    function, asked = making
    mine = function(900)
    function(5000)
    function(10)
    assert function(900) is mine
    assert asked == [900, 5000, 10]


def test_two_threads_that_ask_at_once_get_one_object() -> None:
    both = threading.Barrier(2)

    @Kept
    def make(size: int) -> Made:
        both.wait(30)  # each is making one of its own
        return Made(np.zeros(size))

    found: list[Made] = []
    threads = [threading.Thread(target=lambda: found.append(make(3))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1]


def test_what_is_cleared_is_made_anew(making) -> None:
    function, asked = making
    mine = function(10)
    function.cache_clear()
    assert function(10) is not mine
    assert asked == [10, 10]


def test_federations_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def alive() -> list[FederatedDataset]:
        gc.collect()
        return [each for each in gc.get_objects() if isinstance(each, FederatedDataset)]

    data, before = FederatedDataset.build(fb.CityLoad(days=56), fb.IID(clients=3), 0), len(alive())
    monkeypatch.setattr(kept, "KEPT", 3 * kept.size(data))
    monkeypatch.setattr(federated, "_build", Kept(federated._build.make))
    for seed in range(1, 10):
        FederatedDataset.build(fb.CityLoad(days=56), fb.IID(clients=3), seed)
    assert len(alive()) == before + 3
