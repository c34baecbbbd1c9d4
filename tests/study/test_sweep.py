"""Sweeps with real worker processes: the same bits, nothing twice, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

import fedbench as fb
from fedbench.runs import Cautioned
from fedbench.runs.store import StoreError
from fedbench.study import (
    PointAdvanced,
    PointBegun,
    PointFinished,
    SweepChanged,
    SweepEvent,
    SweepResult,
)
from fedbench.study.dispatch import SweepPool
from fedbench.study.grid import axes_of, grid
from fedbench.study.job import Job
from fedbench.study.kept import Kept
from fedbench.study.sweep import Sweep
from fedbench.tree import Tree

torch.set_num_threads(1)

pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("ignore:privacy.noise_seed")]

ROOT = Path(__file__).parents[2]
PRIVATE = fb.Experiment(
    data=fb.Digits(),
    partition=fb.Dirichlet(clients=8, alpha=1.0),
    training=fb.LocalTraining(steps=2, batch_size=None, lr=1.0),
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.7),
    privacy=fb.ClientLevelDP(epsilon=4, delta=1e-2, noise_seed=3),
    rounds=3,
)
PLAIN = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2)
AXES = {"privacy.epsilon": [1.0, math.inf], "seed": range(2)}
SOON = 60  # seconds by which anything here has happened


def idle(
    experiment: fb.Experiment,
    axes: dict[str, Any],
    *,
    folder: Path | None = None,
    workers: int = 1,
    levels: bool = False,
) -> tuple[Sweep, list[SweepEvent]]:
    """A sweep that is not started yet, and the list of what it will tell."""
    found = axes_of(axes)
    kept = None if folder is None else Kept(folder)
    made = Sweep(grid(experiment, found), found, kept, workers, levels)
    events: list[SweepEvent] = []
    made.subscribe(events.append)
    return made, events


def begun(events: list[SweepEvent]) -> list[int]:
    return [event.index for event in events if isinstance(event, PointBegun)]


def finished(events: list[SweepEvent]) -> list[int]:
    return [event.index for event in events if isinstance(event, PointFinished)]


def pids(going: Sweep) -> list[int]:
    assert going._dispatcher is not None and isinstance(going._dispatcher.remote, SweepPool)
    return [worker.process.pid for worker in going._dispatcher.remote.workers]


def assert_gone(numbers: list[int]) -> None:
    """Processes are gone, or go within a moment where nobody waited for them."""
    known = [psutil.Process(pid) for pid in numbers if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(known, timeout=SOON)
    assert alive == []


def assert_as_by_itself(result: SweepResult) -> None:
    assert result.error == ""
    session = fb.Session(result.experiment)
    session.start()
    session.wait()
    alone, last = session.history, session.history.rows[-1]
    assert result.attack_auc == fb.membership_inference(session).auc
    assert result.metrics == last.metrics
    np.testing.assert_equal(
        (result.epsilon, result.personal, result.noise_multiplier),
        (last.epsilon, last.personal, alone.noise_multiplier),
    )
    assert (result.rounds, result.ended) == (len(alone), alone.ended)
    assert result.bytes_up == sum(row.bytes_up for row in alone.rows)
    assert result.bytes_down == sum(row.bytes_down for row in alone.rows)


@pytest.fixture(scope="module")
def done() -> tuple[Sweep, list[SweepEvent]]:
    made, events = idle(PRIVATE, AXES, workers=2, levels=True)
    made.resume()
    assert made.wait(SOON) == "done"
    return made, events


def test_workers_give_the_bits_of_a_run_by_itself(done: tuple[Sweep, list[SweepEvent]]) -> None:
    results = done[0].results
    assert [result.settings for result in results] == [
        {"privacy.epsilon": budget, "seed": seed} for budget in (1.0, math.inf) for seed in (0, 1)
    ]
    for result in results:
        assert_as_by_itself(result)
    assert [result.unit for result in results] == ["client", "client", None, None]
    assert results[0].epsilon == pytest.approx(1.0, rel=1e-3)
    assert results[0].ledger is not None and results[2].ledger is None
    assert results[0].ledger.epsilon(1e-2) == results[0].epsilon


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": fb.Ditto(), "sampling": fb.Everyone(), "privacy": fb.NoPrivacy()},
        {"privacy": fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=2), "model": fb.MLP()},
        {"privacy": fb.LocalGaussian(noise_multiplier=5.0, noise_seed=2)},
    ],
    ids=["personal models", "example-level", "local"],
)
def test_other_runs_are_the_same_to_the_bit_too(changes: dict[str, Any]) -> None:
    going = fb.sweep(PRIVATE.replace(**changes), {"seed": [5]})
    assert going.wait(SOON) == "done"
    assert_as_by_itself(going.results[0])
    assert going.levels == {}  # privacy is not swept


def test_events_come_in_order(done: tuple[Sweep, list[SweepEvent]]) -> None:
    going, events = done
    assert events[0] == SweepChanged("running")
    assert events[-1] == SweepChanged("done")
    for index, result in enumerate(going.results):
        own = [event for event in events[1:-1] if getattr(event, "index", None) == index]
        first, *rounds, last = own
        assert first == PointBegun(index)
        assert last == PointFinished(index, result)
        assert rounds and all(isinstance(event, PointAdvanced) for event in rounds)


def test_levels_are_the_mean_over_the_seeds(done: tuple[Sweep, list[SweepEvent]]) -> None:
    found = [fb.baselines(PRIVATE.replace(seed=seed)) for seed in (0, 1)]
    levels = [each.levels for each in found if each is not None]
    assert done[0].levels == {name: (levels[0][name] + levels[1][name]) / 2 for name in levels[0]}
    assert list(done[0].levels)[:2] == ["pooled", "alone"]
    assert any(name.startswith("always “") for name in done[0].levels)


def test_a_table_has_a_row_a_point(done: tuple[Sweep, list[SweepEvent]]) -> None:
    going, _ = done
    frame = going.frame()
    assert frame["privacy.epsilon"].tolist() == [1, 1, math.inf, math.inf]
    assert frame["seed"].tolist() == [0, 1, 0, 1]
    assert frame["accuracy"].tolist() == [result.value for result in going.results]
    assert frame["epsilon"].notna().tolist() == [True, True, False, False]
    assert frame["example_epsilon"].isna().all()
    assert frame["rounds_done"].tolist() == [3] * 4
    assert repr(going) == "<Sweep done, 4 of 4 points>"
    assert going.progress == (4, 4, 0.0)


def test_an_infinite_budget_leaves_everything_else_as_it_is() -> None:
    finite, infinite = grid(PRIVATE, axes_of({"privacy.epsilon": [4, math.inf]}))
    assert finite.experiment == PRIVATE
    assert infinite.experiment == PRIVATE.replace(privacy=fb.NoPrivacy())


def test_any_setting_can_be_swept() -> None:
    axes = {
        "strategy.mu": [0.5],
        "strategy": [fb.FedProx(weighting="uniform")],
        "skews": [(fb.FeatureNoise(std=1),), ()],
        "partition.alpha": np.array([0.5, 2.0]),
        "target.value": [0.5],
    }
    points = grid(PRIVATE, axes_of(axes))
    assert len(points) == 4
    first, second = points[0].experiment, points[1].experiment
    assert first.strategy == fb.FedProx(mu=0.5, weighting="uniform")
    assert first.target == fb.Target(value=0.5)
    assert (first.skews, points[2].experiment.skews) == ((fb.FeatureNoise(std=1),), ())
    assert (first.partition.alpha, second.partition.alpha) == (0.5, 2.0)  # pyright: ignore
    (point,) = grid(first, axes_of({"skews.0.std": [3.0]}))
    assert point.experiment.skews == (fb.FeatureNoise(std=3),)
    (point,) = grid(PRIVATE, axes_of({"partition.kind": ["IID"]}))
    assert point.experiment.partition == fb.IID(clients=8)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({}, "axes: none"),
        ({"seed": []}, "seed: there are no values"),
        ({"strategy.kind": "FedAvg"}, "strategy.kind = 'FedAvg': give several values"),
        ({"seed": 3}, "seed = 3: give several values"),
        ({"seed": [1, 2, 1]}, "seed = 1: this value is given twice"),
        ({"sede": [1]}, "no setting is called 'sede'; did you mean 'seed'"),
        ({"training.lrr": [1]}, "LocalTraining has no field 'lrr'; did you mean 'lr'"),
        (
            {"privacy.epsilon": [1, -1], "seed": [0]},
            r"privacy.epsilon = -1, seed = 0: privacy.epsilon: must be more than 0",
        ),
        (
            {"data": [fb.Wine(), fb.DiabetesProgression()]},
            "by accuracy and rmse cannot be compared",
        ),
        ({"sampling": [fb.FixedCohort(size=99)]}, r"sampling = FixedCohort\(size=99\): sampling"),
    ],
)
def test_axes_that_cannot_be_are_refused_before_anything_starts(
    axes: dict[str, Any], message: str
) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with pytest.raises(ValueError, match=message):
        fb.sweep(PRIVATE, axes)
    assert {thread.name for thread in threading.enumerate()} == before


def test_other_arguments_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="is not an Experiment"):
        fb.sweep({}, {"seed": [1]})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="workers = 0"):
        fb.sweep(PLAIN, {"seed": [1]}, workers=0)
    (tmp_path / "file").touch()
    with pytest.raises(fb.SweepError, match="cannot be written to"):
        fb.sweep(PLAIN, {"seed": [1]}, folder=tmp_path / "file")


def test_points_that_come_to_the_same_share_a_run() -> None:
    axes = {"privacy.epsilon": [math.inf], "privacy.clip": [0.5, 1.0]}
    made, events = idle(PRIVATE, axes)
    made.resume()
    assert made.wait(SOON) == "done"
    first, second = made.results
    assert first.metrics == second.metrics and first.seconds == second.seconds
    assert (begun(events), finished(events)) == ([0, 1], [0, 1])


def test_what_only_this_process_has_is_run_in_it(tmp_path: Path) -> None:
    trained: list[int] = []

    class Noted(fb.FedAvg):
        def update(self, params: Tree, payload: Tree, server: Tree, info: Any) -> Any:
            trained.append(os.getpid())
            return super().update(params, payload, server, info)

    going = fb.sweep(PLAIN, {"strategy": [Noted(), fb.FedAvg()]}, folder=tmp_path)
    assert going.wait(SOON) == "done"
    assert set(trained) == {os.getpid()} and len(trained) >= PLAIN.rounds  # once more to try it
    own, usual = going.results
    assert own.error == usual.error == "" and own.metrics == usual.metrics
    # its text does not say what it does: in another process nobody could tell it from another
    assert len(list(tmp_path.iterdir())) == 1

    x = np.random.default_rng(0).standard_normal(40)
    frame = pd.DataFrame({"x": x, "y": np.arange(40) % 2})
    table = PLAIN.replace(data=fb.Table(frame, target="y"))
    going = fb.sweep(table, {"seed": [0]})
    assert going.wait(SOON) == "done"
    assert_as_by_itself(going.results[0])


def test_a_run_that_diverges_is_a_result_and_is_tried_again() -> None:
    made, events = idle(PLAIN, {"training.lr": [0.1, 1e38, 0.2]})
    made.resume()
    assert made.wait(SOON) == "done"
    good, bad, other = made.results
    assert good.error == other.error == "" and good.rounds == other.rounds == 2
    assert "the loss is no longer finite" in bad.error and bad.ended == f"failed: {bad.error}"
    assert (bad.rounds, bad.metrics) == (0, {}) and math.isnan(bad.value)
    assert "training.lr = 1e+38" in repr(bad)
    events.clear()
    made.resume()
    assert made.wait(SOON) == "done"
    assert begun(events) == finished(events) == [1]


def test_what_is_cancelled_goes_on_with_what_is_missing() -> None:
    made, events = idle(PLAIN, {"seed": range(5)})
    alive: list[int] = []

    def cancel(event: SweepEvent) -> None:
        if isinstance(event, PointFinished) and event.index == 1:
            alive.extend(pids(made))
            made.cancel()

    end = made.subscribe(cancel)
    made.resume()
    assert made.wait(SOON) == "cancelled"
    assert_gone(alive)
    assert len(alive) == 1
    assert made.progress == (2, 5, None) and len(made.results) == 2
    assert events[-1] == SweepChanged("cancelled")
    kept = made.results
    end()
    events.clear()
    made.resume()
    made.resume()  # it goes on already
    assert asyncio.run(made.wait_async(SOON)) == "done"
    assert begun(events) == [2, 3, 4]
    assert [r.seconds for r in made.results[:2]] == [r.seconds for r in kept]  # not run again
    made.cancel()
    assert made.state == "done"


def test_a_folder_serves_later_sweeps(tmp_path: Path) -> None:
    first = fb.sweep(PRIVATE, AXES, folder=tmp_path, workers=1)
    assert first.wait(SOON) == "done"
    assert first.folder == tmp_path
    wider = {"privacy.epsilon": [1.0, 2.0, math.inf], "seed": range(2)}
    second, events = idle(PRIVATE, wider, folder=tmp_path, levels=True)
    second.resume()
    assert second.wait(SOON) == "done"
    assert begun(events) == [2, 3]
    assert sorted(finished(events)) == list(range(6))
    assert [r.metrics for r in second.results[:2]] == [r.metrics for r in first.results[:2]]
    assert second.results[0].ledger == first.results[0].ledger
    assert second.levels == first.levels
    assert not list(tmp_path.glob("*.part"))


def test_a_point_is_computed_anew_where_its_table_has_changed(tmp_path: Path) -> None:
    path, rng = tmp_path / "rows.csv", np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])

    def written(scale: float) -> None:
        frame.assign(y=scale * (frame["a"] - frame["b"])).to_csv(path, index=False)

    def fresh() -> tuple[Sweep, list[Any]]:
        table = fb.Table(str(path), target="y", task="regression")
        experiment = PLAIN.replace(data=table, partition=fb.IID(clients=3), model=fb.Linear())
        return idle(experiment, {"seed": [0]}, folder=tmp_path / "kept")

    written(1)
    made, events = fresh()
    losses, computed = [], []
    for scale in (1, 3, 9, 9):
        if scale == 3:  # the same sweep goes on, and then others
            written(scale)
            events.clear()
        elif losses:
            written(scale)
            made, events = fresh()
        made.resume()
        assert made.wait(SOON) == "done"
        computed.append(begun(events) == [0])
        losses.append(made.results[0].metrics["rmse"])
    assert computed == [True, True, True, False]
    assert losses[0] < losses[1] < losses[2] == losses[3]


def test_a_point_is_computed_anew_where_a_helper_of_the_users_class_was_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "slowed.py").write_text(
        "import fedbench as fb\nfrom slowed_factor import factor\n"
        "class Slowed(fb.LocalTraining):\n"
        "    def rate(self, number):\n"
        "        return factor() * super().rate(number)\n"
    )
    helper = tmp_path / "slowed_factor.py"
    helper.write_text("def factor():\n    return 1.0\n")
    import slowed

    experiment, axes = PLAIN.replace(training=slowed.Slowed()), {"seed": [0]}
    losses, computed = [], []
    made, events = idle(experiment, axes, folder=tmp_path / "kept")
    for text in (None, None, "def factor():\n    return 0.01\n", None):
        if text is not None:  # the same sweep goes on
            helper.write_text(text)
            events.clear()
        else:
            made, events = idle(experiment, axes, folder=tmp_path / "kept")
        made.resume()
        assert made.wait(SOON) == "done"
        computed.append(begun(events) == [0])
        losses.append(made.results[0].metrics["loss"])
    assert computed == [True, False, True, False]
    assert losses[0] == losses[1] != losses[2] == losses[3]


def test_two_processes_share_a_folder_and_compute_each_point_once(tmp_path: Path) -> None:
    """Noise from the system: a point that were computed twice would come to two results."""
    open_noise = PRIVATE.replace(**{"privacy.noise_seed": None, "rounds": 30})
    (tmp_path / "e.toml").write_text(open_noise.to_toml())
    words = ["sweep", "e.toml", "--over", "seed=0..5", "--folder", "o", "--workers", "1"]
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "fedbench", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    tables = [each.communicate(timeout=2 * SOON)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert tables[0] == tables[1]
    paths = sorted((tmp_path / "o").iterdir())
    assert len(paths) == 6 and all(path.suffix == ".json" for path in paths)  # no claim is left
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o666 & ~umask}


def test_a_point_is_left_to_the_sweep_that_claimed_it_and_taken_over_when_that_ends(
    tmp_path: Path,
) -> None:
    cache = Kept(tmp_path)
    jobs = {seed: Job("run", PLAIN.replace(seed=seed)) for seed in (0, 1)}
    assert cache.take(jobs[0]) is True
    made, events = idle(PLAIN, {"seed": [0, 1]}, folder=tmp_path)
    waits, mine = threading.Event(), threading.Event()

    def note(event: SweepEvent) -> None:
        if isinstance(event, PointFinished):
            mine.set()
        if isinstance(event, Cautioned) and "another process" in event.text:
            waits.set()

    made.subscribe(note)
    made.resume()
    assert mine.wait(SOON) and waits.wait(SOON)
    assert begun(events) == finished(events) == [1]
    cache.release(jobs[0])  # without a result, as when its process was killed
    assert made.wait(SOON) == "done"
    assert finished(events) == [1, 0]
    taken = cache.take(jobs[0])
    assert isinstance(taken, dict) and taken["rounds"] == PLAIN.rounds


def test_a_folder_of_a_run_is_refused(tmp_path: Path) -> None:
    session = fb.Session(PLAIN)
    session.start()
    session.wait()
    fb.save(session, tmp_path)
    with pytest.raises(fb.SweepError, match=r"holds a run \(history.csv\); choose another folder"):
        fb.sweep(PLAIN, {"seed": [1]}, folder=tmp_path)
    assert fb.sweep(PLAIN, {"seed": [0]}, folder=tmp_path / "s", workers=1).wait(SOON) == "done"
    with pytest.raises(StoreError, match="holds the results of a sweep"):
        fb.save(session, tmp_path / "s")


def test_levels_that_were_kept_under_an_earlier_name_go_by_todays(tmp_path: Path) -> None:
    wards = PLAIN.replace(data=fb.Hospitals(), partition=fb.Natural())
    first, _ = idle(wards, {"seed": [0]}, folder=tmp_path, levels=True)
    first.resume()
    assert first.wait(SOON) == "done"
    (path,) = (each for each in tmp_path.iterdir() if '"levels"' in each.read_text())
    path.write_text(path.read_text().replace('"true model"', '"oracle"'))
    second, _ = idle(wards, {"seed": [0, 1]}, folder=tmp_path, levels=True)
    second.resume()  # the levels of the other seed are computed, and called what they are today
    assert second.wait(SOON) == "done"
    assert '"oracle"' in path.read_text()
    assert list(second.levels)[:3] == ["pooled", "alone", "true model"]
    assert second.levels["true model"] == pytest.approx(first.levels["true model"], rel=1e-12)


def test_a_file_that_is_not_what_it_should_be_is_named(tmp_path: Path) -> None:
    axes = {"seed": [0, 1]}
    assert fb.sweep(PLAIN, axes, folder=tmp_path, workers=1).wait(SOON) == "done"
    path, other = sorted(tmp_path.iterdir())
    sound = path.read_text()
    broken = json.loads(sound)
    broken["result"]["metrics"] = 3
    for text in ("{", "[]", other.read_text(), json.dumps(broken)):
        path.write_text(text)
        with pytest.raises(fb.SweepError, match=path.name):
            fb.sweep(PLAIN, axes, folder=tmp_path, workers=1)
    path.write_text(sound)
    assert fb.sweep(PLAIN, axes, folder=tmp_path, workers=1).wait(SOON) == "done"


def test_a_worker_that_dies_is_replaced_and_a_second_death_is_the_result() -> None:
    longer = PLAIN.replace(rounds=200)
    made, events = idle(longer, {"seed": range(3)})
    deaths = {0: 1, 1: 2}

    def kill(event: SweepEvent) -> None:
        if isinstance(event, PointAdvanced) and event.round < 50 and deaths.get(event.index):
            deaths[event.index] -= 1
            os.kill(pids(made)[0], signal.SIGKILL)

    made.subscribe(kill)
    made.resume()
    assert made.wait(SOON) == "done"
    once, twice, never = made.results
    assert begun(events) == [0, 0, 1, 1, 2]
    assert_as_by_itself(once)
    assert "its worker process ended twice (exit code -9, as happens when memory" in twice.error
    assert (never.error, never.rounds) == ("", 200)


@pytest.mark.filterwarnings("ignore:a listener raised")
def test_a_listener_that_raises_hears_no_more() -> None:
    made, events = idle(PLAIN, {"seed": [0]})

    def fail(event: SweepEvent) -> None:
        raise OSError("no screen")

    made.subscribe(fail)
    made.resume()
    assert made.wait(SOON) == "done"
    cautions = [event for event in events if isinstance(event, Cautioned)]
    (caution,) = cautions
    assert isinstance(caution, Cautioned)
    assert caution.text.startswith("a listener was unsubscribed as it raised OSError: no screen (")


def test_a_worker_that_dies_idle_is_replaced() -> None:
    made, _ = idle(PLAIN, {"seed": range(2)})
    pid: list[int] = []

    def kill(event: SweepEvent) -> None:
        if isinstance(event, PointFinished) and event.index == 0:
            pid.extend(pids(made))
            os.kill(pid[0], signal.SIGKILL)

    made.subscribe(kill)
    made.resume()
    assert made.wait(SOON) == "done"
    assert [result.error for result in made.results] == ["", ""]


def test_a_noise_that_all_seeds_share_is_cautioned_against() -> None:
    made, _ = idle(PRIVATE, AXES)
    assert len([text for text in made.cautions() if "the same for every seed" in text]) == 1
    made, _ = idle(PRIVATE, {"seed": [0]})
    assert not [text for text in made.cautions() if "the same for every seed" in text]


def test_levels_that_fail_are_told_of_and_left_out() -> None:
    lost = PRIVATE.replace(**{"training.lr": 1e38})
    made, events = idle(lost, {"privacy.epsilon": [1.0]}, levels=True)
    made.resume()
    assert made.wait(SOON) == "done"
    (caution,) = [event for event in events if isinstance(event, Cautioned)]
    assert caution.text.startswith("reference levels: round 1: the loss")
    assert made.levels == {}


def test_a_sweep_that_nobody_holds_ends() -> None:
    made, events = idle(PLAIN.replace(rounds=1_000_000), {"seed": range(2)}, workers=2)
    going = threading.Event()
    made.subscribe(lambda event: going.set() if isinstance(event, PointAdvanced) else None)
    made.resume()
    assert going.wait(SOON)
    numbers = pids(made)
    assert len(numbers) == 2
    del made
    gc.collect()
    assert_gone(numbers)
    assert SweepChanged("cancelled") not in events


@pytest.mark.parametrize("leaving", ["sys.exit()", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_nothing_is_left_when_the_interpreter_goes(leaving: str) -> None:
    program = f"""
        import os, signal, sys, threading
        import fedbench as fb

        class Own(fb.FedAvg):
            pass

        experiment = fb.Experiment(data=fb.Wine(), rounds=1_000_000)
        going = fb.sweep(experiment, {{"strategy": [Own(), fb.FedAvg()]}}, workers=1)
        trained = set()
        here = threading.Event()

        def note(event):
            if hasattr(event, "round"):
                trained.add(event.index)
            if len(trained) == 2:
                here.set()

        going.subscribe(note)
        assert here.wait({SOON})
        print(*(each.process.pid for each in going._dispatcher.remote.workers), flush=True)
        {leaving}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=SOON,
    )
    assert done.stderr == ""
    numbers = [int(word) for word in done.stdout.split()]
    assert len(numbers) == 1
    assert_gone(numbers)


def test_no_worker_of_the_sweeps_above_is_left() -> None:
    children = psutil.Process().children(recursive=True)
    lines = [" ".join(child.cmdline()) for child in children if child.is_running()]
    assert not [line for line in lines if "sweep_worker" in line]
