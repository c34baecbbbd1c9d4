"""Workers that are ready when they are wanted, and gone when nobody is left who wants them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from torch import nn

import fedbench as fb
from fedbench.engine import pool as pools
from fedbench.models import Model
from fedbench_widgets import Workbench, warming
from fedbench_widgets.warming import WORTH, pool_size

pytestmark = pytest.mark.process

LIGHT = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=100_000)
HEAVY = fb.Experiment(
    data=fb.Digits(),
    partition=fb.IID(clients=10),
    model=fb.MLP(hidden=(512, 512)),
    training=fb.LocalTraining(epochs=1, batch_size=10),
)
ONE = LIGHT.replace(engine=fb.StackedEngine(workers=1))


class Broken(Model):
    """A model that cannot be built."""

    def build(self, card) -> nn.Module:
        raise RuntimeError("no such layer")


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    """Begin and end without workers, and without what other tests left open."""
    for left in list(warming._wanted):
        warming._wanted.pop(left)
    settle()
    pools.close_workers()
    yield
    settle()
    pools.close_workers()


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two cores, whatever machine this is."""
    monkeypatch.setattr(warming, "cores", lambda: 2)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def settle() -> None:
    """Wait until whoever was to see to the workers has done so."""
    # not by `join`, which refuses a thread that is listed and about to start
    until(lambda: not any(each.name == "fedbench-workers" for each in threading.enumerate()))


def decided(workbench: Workbench) -> bool:
    return warming._wanted.get(workbench) is not None


def pids() -> list[int]:
    return [worker.process.pid for each in pools._pools.values() for worker in each.workers]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def with_workers() -> tuple[Workbench, list[int]]:
    made = Workbench(ONE)
    until(pids)
    return made, pids()


@pytest.mark.parametrize(
    ("experiment", "size"),
    [
        (LIGHT, 0),
        (HEAVY, 2),
        (HEAVY.replace(sampling=fb.Poisson(rate=0.5)), 0),
        (HEAVY.replace(sampling=fb.Poisson(rate=0.5), strategy=fb.Ditto()), 2),
        (HEAVY.replace(training=fb.LocalTraining(steps=2, batch_size=10)), 0),
        (HEAVY.replace(training=fb.LocalTraining(steps=20, batch_size=10)), 2),
        (LIGHT.replace(data=fb.Digits(), model=fb.CNN()), 2),
        (HEAVY.replace(engine=fb.StackedEngine(workers=0)), 0),
        (LIGHT.replace(engine=fb.StackedEngine(workers=3)), 3),
        (HEAVY.replace(engine=fb.StackedEngine(workers=3, device="cuda")), 0),
        (HEAVY.replace(engine=fb.LoopEngine()), 0),
        (LIGHT.replace(model=Broken()), 0),
    ],
)
def test_a_run_is_judged_by_its_work(two: None, experiment: fb.Experiment, size: int) -> None:
    assert pool_size(experiment) == size


def test_the_estimate_is_by_samples_and_weights() -> None:
    data = HEAVY.federation()
    weights = 64 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert 6 * weights * len(data.y) > WORTH > 6 * weights * len(data.y) / 2


def test_a_single_core_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "cores", lambda: 1)
    assert pool_size(HEAVY) == 0


def test_a_light_form_starts_no_process() -> None:
    made = Workbench(LIGHT)
    until(lambda: decided(made))
    settle()
    assert pids() == []
    made.close()


def test_a_slider_on_its_way_starts_nothing_and_what_it_leaves_ends() -> None:
    made, started = with_workers()
    for workers in (2, 3, 1, 2):
        made.experiment = ONE.replace(**{"engine.workers": workers})
        until(lambda workers=workers: warming._wanted[made] == workers)
    until(lambda: len(pids()) == 2)
    assert not any(map(alive, started))
    made.experiment = LIGHT
    until(lambda: pids() == [])
    made.close()


def test_workers_start_with_the_form_and_end_with_the_workbench() -> None:
    made, started = with_workers()
    assert made.session.state == "idle"
    assert len(started) == 1
    assert pools.pool(1).wait(60)
    made.close()
    until(lambda: not any(map(alive, started)))
    assert pids() == []


def test_closing_does_not_wait_for_the_round_that_is_under_way() -> None:
    made, started = with_workers()
    made.start()
    until(lambda: len(made.history))
    made.close()
    assert made.session.wait(60) == "done"
    until(lambda: not any(map(alive, started)))


def test_workers_stay_while_another_workbench_wants_them() -> None:
    first, started = with_workers()
    second = Workbench(ONE)
    first.close()
    until(lambda: decided(second))
    settle()
    assert pids() == started
    assert all(map(alive, started))
    second.close()
    until(lambda: not any(map(alive, started)))


def test_a_run_elsewhere_goes_on_when_its_workers_end() -> None:
    made, started = with_workers()
    session = fb.Session(ONE.replace(rounds=100_000))
    session.start()
    until(lambda: len(session.history) > 3)
    made.close()
    until(lambda: not any(map(alive, started)))
    rounds = len(session.history)
    until(lambda: len(session.history) > rounds + 3)
    assert session.state == "running"
    session.stop()
    assert session.wait(60) == "done"


def test_a_workbench_that_takes_the_place_of_another_ends_workers_it_does_not_want() -> None:
    first, started = with_workers()
    second = Workbench(LIGHT)  # as when a cell is run again: the new one is there before the old
    first.close()
    until(lambda: not any(map(alive, started)))
    assert decided(second)
    second.close()


def test_what_was_closed_meanwhile_starts_nothing() -> None:
    made = Workbench(LIGHT)
    until(lambda: decided(made))
    made.close()
    warming.prepare(made, ONE)
    settle()
    assert pids() == []


def test_workers_are_not_ended_before_a_new_workbench_has_said_what_it_wants() -> None:
    first, started = with_workers()
    owner = type("Owner", (), {})()
    warming.enter(owner)  # what it wants is not known yet
    first.close()
    settle()
    assert pids() == started
    assert all(map(alive, started))
    warming.prepare(owner, ONE)
    settle()
    assert pids() == started
    assert all(map(alive, started))
    warming.leave(owner)
    until(lambda: not any(map(alive, started)))
