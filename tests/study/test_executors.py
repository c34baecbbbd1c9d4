"""Sweeps by executors of others: the same bits, what is lost is told, and nothing is shut down."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from distributed import Client, LocalCluster

import fedbench as fb
from fedbench.study import PointAdvanced, PointBegun, Sweep, SweepEvent
from fedbench.study.dispatch import Tasks
from fedbench.study.grid import axes_of, grid
from fedbench.study.job import Job
from fedbench.study.kept import Kept
from fedbench.study.task import compute, packed, versions
from fedbench.tree import Tree

torch.set_num_threads(1)

pytestmark = [pytest.mark.process, pytest.mark.filterwarnings("ignore:privacy.noise_seed")]

ROOT = Path(__file__).parents[2]
# Workers inherit the environment of the process that starts them.
MAIN = int(os.environ.setdefault("FEDBENCH_TEST_PARENT", str(os.getpid())))
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
AXES = {
    "model": [fb.Linear(), fb.MLP(hidden=(32,))],
    "privacy.epsilon": [1.0, math.inf],
    "seed": range(2),
}
SOON = 90  # seconds by which anything here has happened


def swept(
    experiment: fb.Experiment, axes: dict[str, Any], by: Executor | int, **options: Any
) -> tuple[Sweep, list[SweepEvent]]:
    """A sweep that is done, and what it told."""
    made, events = idle(experiment, axes, by, **options)
    made.resume()
    assert made.wait(SOON) == "done"
    return made, events


def idle(
    experiment: fb.Experiment,
    axes: dict[str, Any],
    by: Executor | int,
    *,
    folder: Path | None = None,
    levels: bool = False,
) -> tuple[Sweep, list[SweepEvent]]:
    found = axes_of(axes)
    kept = None if folder is None else Kept(folder)
    made = Sweep(grid(experiment, found), found, kept, by, levels)
    events: list[SweepEvent] = []
    made.subscribe(events.append)
    return made, events


def begun(events: list[SweepEvent]) -> list[int]:
    return [event.index for event in events if isinstance(event, PointBegun)]


def was_here(events: list[SweepEvent]) -> bool:
    """Whether this process computed any of it: an executor says nothing of rounds."""
    return any(isinstance(event, PointAdvanced) for event in events)


def known(going: Sweep) -> list[dict[str, Any]]:
    """Everything that a sweep came to but the time that it took."""
    return [{**vars(result), "seconds": 0.0} for result in going.results]


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            worker_dashboard_address=None,
            silence_logs=logging.ERROR,
            local_directory=str(tmp_path_factory.mktemp("dask")),
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def dask(client: Client) -> Executor:
    return client.get_executor()


@pytest.fixture(scope="module")
def built_in() -> Sweep:
    return swept(PRIVATE, AXES, 2, levels=True)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["processes", "threads", "dask"])
def test_an_executor_gives_the_bits_of_the_worker_pool(
    name: str, built_in: Sweep, request: pytest.FixtureRequest
) -> None:
    executor = request.getfixturevalue(name)
    going, events = swept(PRIVATE, AXES, executor, levels=True)
    np.testing.assert_equal(known(going), known(built_in))
    assert going.levels == built_in.levels
    assert not any(result.error for result in going.results)
    assert sorted(begun(events)) == list(range(8)) and not was_here(events)
    assert executor.submit(abs, -3).result(SOON) == 3  # it was not shut down


def test_threads_that_draw_random_numbers_do_not_disturb_each_other(threads: Executor) -> None:
    class Dropout(fb.MLP):
        """A model that draws from torch's own generator while it trains."""

        hidden: tuple[int, ...] = (16,)

        def build(self, card: Any) -> torch.nn.Module:
            plain = super().build(card)
            assert isinstance(plain, torch.nn.Sequential)
            return torch.nn.Sequential(*plain[:-1], torch.nn.Dropout(0.5), plain[-1])

    axes = {"seed": range(6)}
    together, events = swept(PLAIN.replace(model=Dropout()), axes, threads)
    apart, _ = swept(PLAIN.replace(model=Dropout()), axes, 1)
    np.testing.assert_equal(known(together), known(apart))
    assert not was_here(events)


def test_a_class_and_a_frame_of_this_process_travel_and_are_not_kept(
    processes: Executor, dask: Executor, tmp_path: Path
) -> None:
    class Half(fb.FedAvg):
        def adjust(
            self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree
        ) -> Any:
            return {name: leaf * 0.5 for name, leaf in grads.items()}

    x = np.random.default_rng(0).standard_normal(60)
    frame = pd.DataFrame({"x": x, "y": (x > 0).astype(int)})
    wines = PLAIN.replace(strategy=Half())
    table = PLAIN.replace(data=fb.Table(frame, target="y"), strategy=fb.FedAvg())
    for experiment in (wines, table):
        alone, _ = swept(experiment, {"seed": [0]}, 1)
        for executor in (processes, dask):
            going, events = swept(experiment, {"seed": [0]}, executor, folder=tmp_path)
            assert going.results[0].error == "" and not was_here(events)
            np.testing.assert_equal(known(going), known(alone))
    assert list(tmp_path.glob("*.json")) == []  # their texts do not say what they do
    usual, _ = swept(PLAIN, {"seed": [0]}, processes, folder=tmp_path)
    assert usual.results[0].metrics != swept(wines, {"seed": [0]}, processes)[0].results[0].metrics


@pytest.mark.slow
def test_a_class_of_main_without_a_file_travels() -> None:
    program = f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        import fedbench as fb
        from fedbench import tree

        class Half(fb.FedAvg):
            def adjust(self, grads, params, anchor, server, client):
                return tree.scale(grads, 0.5)

        wines = fb.Experiment(data=fb.Wine(), strategy=Half(), rounds=2)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as executor:
            going = fb.sweep(wines, {{"seed": [0]}}, executor=executor)
            heard = []
            going.subscribe(heard.append)
            assert going.wait({SOON}) == "done"
        (result,) = going.results
        last = fb.run(wines, progress=False).rows[-1]
        print(result.error, result.metrics == last.metrics)
        print(any(hasattr(event, "round") for event in heard))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=2 * SOON,
    )
    assert (done.returncode, done.stdout) == (0, " True\nFalse\n"), done.stderr


@pytest.mark.slow
def test_kernels_that_share_a_worker_may_call_their_classes_alike(tmp_path: Path) -> None:
    send = """
        import sys
        import fedbench as fb
        from fedbench.study.job import Job
        from fedbench.study.task import packed

        class Own(fb.LocalTraining):
            def rate(self, number):
                return FACTOR * super().rate(number)

        FACTOR = float(sys.argv[1])
        wines = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2, training=Own())
        open(sys.argv[1], "wb").write(packed(Job("levels", wines)))
    """
    work = """
        import sys
        from pathlib import Path
        from fedbench.study.task import compute, versions
        found = [compute(Path(name).read_bytes(), versions()) for name in sys.argv[1:]]
        assert not any(each["error"] for each in found), found
    """
    for program, words in ((send, ["0.5"]), (send, ["0.25"]), (work, ["0.5", "0.25", "0.5"])):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=SOON,
        )
        assert done.returncode == 0, done.stderr


def test_what_cannot_be_pickled_is_run_here(threads: Executor) -> None:
    class Fixed(fb.FedAvg):
        def __reduce__(self) -> Any:
            raise TypeError("it stays")

    going, events = swept(PLAIN, {"strategy": [Fixed()]}, threads)
    assert going.results[0].error == "" and was_here(events)


def test_results_are_kept_under_the_same_names_and_not_computed_again(
    threads: Executor, tmp_path: Path
) -> None:
    axes = {"training.lr": [0.1, 1e38]}
    first, _ = swept(PLAIN, axes, threads, folder=tmp_path / "executor")
    swept(PLAIN, axes, 1, folder=tmp_path / "pool")
    names = [{path.name for path in (tmp_path / each).iterdir()} for each in ("executor", "pool")]
    assert names[0] == names[1] and len(names[0]) == 1
    assert "no longer finite" in first.results[1].error
    again, events = swept(PLAIN, axes, threads, folder=tmp_path / "pool")
    assert begun(events) == [1]  # only what had failed
    np.testing.assert_equal(known(again), known(first))


class Deadly(fb.FedAvg):
    """Kills the process that trains with it, as often as `deaths` says; the file counts."""

    log: str
    deaths: int

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Any:
        """Count, then die or change nothing."""
        log = Path(self.log)
        if os.getpid() != MAIN and len(log.read_text()) < self.deaths:
            with log.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return grads


class Renewed(Executor):
    """A process for each task, so that one that dies takes no other along."""

    def __init__(self) -> None:
        self.pools: list[ProcessPoolExecutor] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        context = multiprocessing.get_context("spawn")
        self.pools.append(ProcessPoolExecutor(1, mp_context=context))
        return self.pools[-1].submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for pool in self.pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)


@pytest.mark.slow
def test_a_task_that_kills_its_worker_is_tried_once_more(tmp_path: Path) -> None:
    logs = [tmp_path / "once", tmp_path / "always"]
    for log in logs:
        log.write_text("")
    strategies = [Deadly(log=str(logs[0]), deaths=1), Deadly(log=str(logs[1]), deaths=1000)]
    with Renewed() as executor:
        going, events = swept(PLAIN, {"strategy": [*strategies, fb.FedAvg()]}, executor)
    once, always, never = going.results
    assert [len(log.read_text()) for log in logs] == [1, 2]
    assert sorted(begun(events)) == [0, 0, 1, 1, 2] and not was_here(events)
    assert once.error == never.error == "" and once.metrics == never.metrics
    assert "the executor lost it twice (BrokenProcessPool: " in always.error
    assert always.ended == f"failed: {always.error}" and always.rounds == 0


class Held(Executor):
    """Keeps tasks until the test decides what becomes of them."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self.count = 0
        self.open = True

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.count += 1
        self.tasks.put((future, lambda: fn(*args, **kwargs)))
        return future

    def next(self) -> tuple[Future[Any], Callable[[], Any]]:
        """Wait for a task."""
        return self.tasks.get(timeout=SOON)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.open = False


@pytest.mark.parametrize(
    ("lose", "why"),
    [
        (lambda future: future.cancel(), "CancelledError"),
        (lambda future: future.set_exception(OSError("no route")), "OSError: no route"),
        (lambda future: future.set_exception(KeyboardInterrupt()), "KeyboardInterrupt"),
    ],
    ids=["cancelled", "transport", "interrupted"],
)
def test_a_lost_future_is_submitted_once_more_and_then_fails_its_point_alone(
    lose: Callable[[Future[Any]], Any], why: str
) -> None:
    executor = Held()
    made, events = idle(PRIVATE, {"seed": range(2)}, executor)
    made.resume()
    lost, (fine, run) = executor.next(), executor.next()
    lose(lost[0])
    again, _ = executor.next()
    lose(again)
    fine.set_result(run())
    assert made.wait(SOON) == "done"
    bad, good = made.results
    assert bad.error == f"the executor lost it twice ({why})" and good.error == ""
    assert bad.epsilon == math.inf  # nobody knows what it had spent
    assert begun(events) == [0, 1, 0]
    made.resume()  # what failed is tried again
    future, run = executor.next()
    future.set_result(run())
    assert made.wait(SOON) == "done"
    assert [result.error for result in made.results] == ["", ""]
    assert executor.open


def test_an_executor_that_was_shut_down_fails_the_points_with_its_words() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    going = fb.sweep(PLAIN, {"seed": range(2)}, executor=executor)
    assert going.wait(SOON) == "done"
    why = "the executor lost it twice (RuntimeError: cannot schedule new futures after shutdown)"
    assert [result.error for result in going.results] == [why] * 2


def test_ctrl_c_cancels_what_is_pending_and_leaves_the_executor_open() -> None:
    executor = Held()
    going = fb.sweep(PLAIN, {"seed": range(3)}, executor=executor)
    (first, run), *others = [executor.next() for _ in range(3)]
    assert first.set_running_or_notify_cancel()  # as a worker does that begins with it
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        going.wait(SOON)
    timer.join()
    assert [future.cancelled() for future, _ in others] == [True, True]
    assert going.state == "cancelled" and going.results == () and executor.open
    first.set_result(run())  # it was let go: nobody waits for what comes of it
    assert going.results == ()
    going.resume()
    for future, again in [executor.next() for _ in range(3)]:
        future.set_result(again())
    assert going.wait(SOON) == "done" and len(going.results) == 3


def test_ctrl_c_leaves_a_sweep_of_the_worker_pool_going() -> None:
    made, _ = idle(PLAIN.replace(rounds=1_000_000), {"seed": [0]}, 1)
    made.resume()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        made.wait(SOON)
    timer.join()
    assert made.state == "running"
    made.cancel()


def test_an_executor_has_a_limited_number_of_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tasks, "limit", 2)
    executor = Held()
    going = fb.sweep(PLAIN, {"seed": range(5)}, executor=executor)
    for count in (2, 3, 4, 5, 5):
        future, run = executor.next()
        assert executor.count <= count
        future.set_result(run())
    assert going.wait(SOON) == "done" and len(going.results) == 5


class NoExecutor:
    """It computes, but takes no tasks."""

    def __repr__(self) -> str:
        return "<NoExecutor>"


def test_what_is_no_executor_is_refused(client: Client) -> None:
    values: list[tuple[Any, str]] = [
        (3, r"executor = 3 is not an Executor"),
        (NoExecutor(), r"executor = <NoExecutor> is not an Executor"),
        (ThreadPoolExecutor, r"executor = the class ThreadPoolExecutor is not an Executor"),
        (
            client,
            r"executor = .*Client.* is not an Executor; give what its get_executor\(\) returns",
        ),
    ]
    for value, message in values:
        with pytest.raises(TypeError, match=message):
            fb.sweep(PLAIN, {"seed": [0]}, executor=value)
    with pytest.raises(ValueError, match="workers = 2: leave it out, as the executor has"):
        fb.sweep(PLAIN, {"seed": [0]}, workers=2, executor=Held())


def test_tasks_are_never_alike_and_refuse_other_versions() -> None:
    job = Job("run", PLAIN)
    assert packed(job) != packed(job)  # Dask would take them for one
    with pytest.raises(RuntimeError, match=r"a worker has fedbench .*, and this process .*torch 1"):
        compute(packed(job), versions() | {"torch": "1"})


def test_a_forecast_by_an_executor_is_the_same(threads: Executor) -> None:
    assert fb.forecast(PLAIN, seeds=2, executor=threads) == fb.forecast(PLAIN, seeds=2, workers=1)
