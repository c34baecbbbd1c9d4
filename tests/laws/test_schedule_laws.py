"""Laws of all schedules: one seed gives one history, whoever trains and however it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

import fedbench as fb
from fedbench.schedules import Schedule
from tests.laws.conftest import concrete

SCHEDULES = [*(cls() for cls in concrete(Schedule)), fb.Cyclic(shuffled=True)]
EXPERIMENT = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=5),
    strategy=fb.Scaffold(),
    model=fb.MLP(hidden=(4,)),
    training=fb.LocalTraining(steps=2, batch_size=8, lr=0.05),
    channel=(fb.Clip(norm=0.5, clipping=fb.AdaptiveClipping()),),
    sampling=fb.FixedCohort(size=3),
    engine=fb.StackedEngine(workers=0),
    rounds=4,
)
schedules = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda part: part.code()[3:])


@schedules
def test_a_history_is_the_same_with_workers_and_without(schedule: Schedule) -> None:
    here = fb.run(EXPERIMENT.replace(schedule=schedule), progress=False)
    for workers in (1, 2):
        engine = fb.StackedEngine(workers=workers)
        there = fb.run(EXPERIMENT.replace(schedule=schedule, engine=engine), progress=False)
        assert there.rows == here.rows


@schedules
def test_the_slow_engine_gives_the_same_within_rounding(schedule: Schedule) -> None:
    here = fb.run(EXPERIMENT.replace(schedule=schedule), progress=False)
    slow = fb.run(EXPERIMENT.replace(schedule=schedule, engine=fb.LoopEngine()), progress=False)
    for one, other in zip(here.rows, slow.rows, strict=True):
        assert one.cohort.tolist() == other.cohort.tolist()
        assert one.metrics == pytest.approx(other.metrics, abs=1e-5)
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)


@schedules
def test_steps_a_pause_and_saved_files_change_nothing(schedule: Schedule, tmp_path: Path) -> None:
    experiment = EXPERIMENT.replace(schedule=schedule)
    whole = fb.run(experiment, progress=False)
    session = fb.Session(experiment)
    for _ in range(2):
        session.step()
        assert session.wait(60) == "paused"
    fb.save(session, tmp_path / "run")
    session.resume()
    assert session.wait(60) == "done"
    assert session.history == whole
    resumed = fb.resume(tmp_path / "run")
    assert resumed.experiment.schedule == schedule
    resumed.start()
    assert resumed.wait(60) == "done"
    assert resumed.history.rows == whole.rows


def test_no_two_schedules_give_the_same() -> None:
    found = [
        fb.run(EXPERIMENT.replace(schedule=each), progress=False).rows[-1].metrics["loss"]
        for each in SCHEDULES
    ]
    assert len(set(found)) == len(SCHEDULES)
