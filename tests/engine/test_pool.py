"""Worker processes: the same bits, nothing hangs, nothing is left behind."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor

import fedbench as fb
from fedbench import tree
from fedbench.config.spec import Spec
from fedbench.engine import pool as pools, stacked
from fedbench.engine.client_round import job_round
from fedbench.engine.pool import Pool
from fedbench.engine.shared import Arrays
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Progress
from fedbench.tree import Tree
from tests.cohorts import arrivals_of, broadcast_of

pytestmark = pytest.mark.process

EXPERIMENT = fb.Experiment(
    data=fb.Digits(),
    partition=fb.Dirichlet(clients=12, alpha=0.2),
    model=fb.MLP(hidden=(16,)),
    training=fb.LocalTraining(epochs=2, lr=0.1),
    sampling=fb.Poisson(rate=0.7),
)
# Workers inherit the environment of the process that starts them.
MAIN = int(os.environ.setdefault("FEDBENCH_TEST_PARENT", str(os.getpid())))

torch.set_num_threads(1)  # as sessions do: the order of sums depends on it


@pytest.fixture(scope="module", autouse=True)
def workers():
    """Workers that are ready, so that no test depends on how long they take to start."""
    for size in (1, 2):
        assert pools.pool(size).wait(60)
    yield
    pools.close_workers()


def trained(experiment: fb.Experiment, workers: int, rounds: int = 3) -> Progress:
    engine = fb.StackedEngine(workers=workers, chunk=2)
    session = Rounds(experiment.replace(engine=engine))
    if workers:
        pools.pool(workers).share(engine, session.context).result(60)
    progress = session.begin()
    for _ in range(rounds):
        progress, _ = session.next(progress)
    return progress


def assert_identical(first: Progress, second: Progress) -> None:
    assert set(first.clients) == set(second.clients)
    pairs = [(first.params, second.params), (first.server, second.server)]
    for k, state in first.clients.items():
        other = second.clients[k]
        pairs += [(state.strategy, other.strategy), (state.channel, other.channel)]
    pairs += zip(first.channel, second.channel, strict=True)
    for a, b in pairs:
        assert list(a) == list(b)
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strategy": fb.Scaffold()},
        {"strategy": fb.Ditto()},
        {"model": fb.CNN(channels=(4,), hidden=8)},
        {"aggregator": fb.CoordinateMedian()},
        {"attack": fb.SignFlip(fraction=0.3)},
        {"privacy": fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=4)},
        {
            "privacy": fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=4),
            "strategy": fb.FedAvg(weighting="uniform"),
        },
    ],
    ids=lambda changes: ",".join(type(part).__name__ for part in changes.values()) or "FedAvg",
)
def test_any_number_of_workers_gives_the_same_bits(changes: dict[str, Spec]) -> None:
    experiment = EXPERIMENT.replace(**changes)
    alone = trained(experiment, 0)
    for count in (1, 2):
        assert_identical(trained(experiment, count), alone)


def test_workers_really_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked, "job_round", refuse)
    assert trained(EXPERIMENT, 2).round == 3


class Deadly(fb.MLP):
    """Ends the worker that trains it, as often as `deaths` says; the file counts."""

    hidden: tuple[int, ...] = (16,)
    log: str
    deaths: Annotated[int, Field(ge=0)]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Count, then die or give the loss."""
        log = Path(self.log)
        if os.getpid() != MAIN and outputs.requires_grad and len(log.read_text()) < self.deaths:
            with log.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(outputs, targets)


def test_a_worker_that_dies_is_replaced_and_its_work_done_again(tmp_path: Path) -> None:
    log = tmp_path / "deaths"
    log.write_text("")
    before = [worker.process.pid for worker in pools.pool(1).workers]
    model = Deadly(log=str(log), deaths=1)
    experiment = EXPERIMENT.replace(model=model)
    found = trained(experiment, 1, rounds=1)
    assert log.read_text() == "x"
    assert [worker.process.pid for worker in pools.pool(1).workers] != before
    assert_identical(found, trained(experiment, 0, rounds=1))  # nobody dies in this process


def test_the_second_death_on_the_same_work_fails_the_run(tmp_path: Path) -> None:
    log = tmp_path / "deaths"
    log.write_text("")
    session = fb.Session(
        EXPERIMENT.replace(
            model=Deadly(log=str(log), deaths=1000), engine=fb.StackedEngine(workers=2)
        )
    )
    session.start()
    assert session.wait(60) == "failed"
    assert session.failure is not None
    assert "exit code -9): it was killed" in session.failure.message
    assert "engine.workers = 0" in session.failure.message
    assert pools.pool(2).wait(60)
    assert_identical(trained(EXPERIMENT, 2), trained(EXPERIMENT, 0))  # it goes on with new ones


def test_killed_from_outside_between_rounds_nothing_is_lost() -> None:
    engine = fb.StackedEngine(workers=2, chunk=2)
    session = Rounds(EXPERIMENT.replace(engine=engine))
    pools.pool(2).share(engine, session.context).result(60)
    progress, _ = session.next(session.begin())
    for worker in pools.pool(2).workers:
        worker.process.kill()
        worker.process.wait()
    for _ in range(2):
        progress, _ = session.next(progress)
    assert_identical(progress, trained(EXPERIMENT, 0))


class Wrong(fb.FedAvg):
    """Fails in a worker, and prints on the way."""

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        """Raise in a worker."""
        print("noise on the standard output")
        if os.getpid() != MAIN:
            raise ZeroDivisionError("seventeen")
        return grads


def test_an_error_in_a_worker_comes_back_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError, match="seventeen") as caught:
        trained(EXPERIMENT.replace(strategy=Wrong()), 2)
    assert any("In a worker process" in note for note in caught.value.__notes__)
    assert_identical(trained(EXPERIMENT, 2), trained(EXPERIMENT, 0))  # the workers go on


def test_a_round_that_is_given_up_leaves_no_trace() -> None:
    engine = fb.StackedEngine(workers=2, chunk=1)
    session = Rounds(EXPERIMENT.replace(engine=engine))
    begun = session.begin()
    pools.pool(2).share(engine, session.context).result(60)
    arrivals = arrivals_of(session, begun, np.arange(12))
    next(arrivals)
    arrivals.close()
    assert_identical(trained(EXPERIMENT, 2), trained(EXPERIMENT, 0))


def test_a_class_of_a_notebook_travels_without_a_guard(tmp_path: Path) -> None:
    script = tmp_path / "cell.py"
    script.write_text(
        textwrap.dedent(
            """
            import fedbench as fb
            from fedbench import tree
            from fedbench.engine import pool as pools
            from fedbench.runs.rounds import Rounds

            class Half(fb.FedAvg):
                def adjust(self, grads, params, anchor, server, client):
                    return tree.scale(grads, 0.5)

            def last(workers):
                engine = fb.StackedEngine(workers=workers, chunk=2)
                rounds = Rounds(fb.Experiment(model=fb.MLP(), strategy=Half(), engine=engine))
                return rounds.next(rounds.begin())[0].params["1.weight"]

            assert pools.pool(2).wait(60)
            assert (last(2) == last(0)).all()
            print(*(worker.process.pid for worker in pools.pool(2).workers))
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for pid in done.stdout.split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)  # gone with the interpreter that started it


def test_closing_ends_the_processes_and_removes_the_files() -> None:
    own = Pool(1)
    assert own.wait(60)
    folder, process = own._folder, own.workers[0].process
    assert folder.exists()
    own.close()
    assert process.poll() is not None
    assert not folder.exists()


def test_data_travel_once_as_a_file() -> None:
    own = Pool(1)
    assert own.wait(60)
    session = Rounds(EXPERIMENT)
    begun = session.begin()
    for _ in range(2):
        broadcast, jobs = broadcast_of(session, begun), [[np.arange(12)]]
        list(own.arrivals(EXPERIMENT.engine, session.context, broadcast, jobs, {}))
    sizes = [os.stat(path).st_size for _, path in own._arrays._files.values()]
    assert [size for size in sizes if size >= session.data.x.nbytes] == [
        pytest.approx(session.data.x.nbytes, rel=0.01)
    ]
    assert list(own._folder.iterdir()) == []  # nothing that could be left behind
    own.close()


def test_an_array_takes_its_file_along(tmp_path: Path) -> None:
    arrays = Arrays(tmp_path)
    data = np.arange(10.0)
    path = Path(arrays.path(data))
    assert arrays.path(data) == str(path)
    assert np.load(path).tolist() == data.tolist()
    del data
    assert not path.exists()


def test_a_module_that_was_edited_travels_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = (
        "import fedbench as fb\nfrom fedbench import tree\n"
        "class Scaled(fb.FedAvg):\n"
        "    def adjust(self, grads, params, anchor, server, client):\n"
        "        return tree.scale(grads, FACTOR)\n"
    )
    found = []
    for factor in (0.5, 0.25):
        (tmp_path / "edited.py").write_text(f"{source}FACTOR = {factor}\n")
        module = importlib.import_module("edited")
        module = importlib.reload(module)
        experiment = EXPERIMENT.replace(strategy=module.Scaled())
        found.append(trained(experiment, 2))
        assert_identical(found[-1], trained(experiment, 0))
    assert not torch.equal(found[0].params["1.weight"], found[1].params["1.weight"])


def refuse(*_: object) -> None:
    raise AssertionError("not to be called")


def test_small_work_stays_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked, "WORTH", 3600.0)
    monkeypatch.setattr(stacked, "CLEAR", 3600.0)
    monkeypatch.setattr(stacked, "pool", refuse)
    session = Rounds(EXPERIMENT.replace(engine=fb.StackedEngine(chunk=2)))
    progress = session.begin()
    for _ in range(4):
        progress, _ = session.next(progress)
    assert_identical(progress, trained(EXPERIMENT, 0, rounds=4))


def test_work_that_pays_moves_to_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked, "WORTH", 0.0)
    monkeypatch.setattr(stacked, "cores", lambda: 2)
    engine = fb.StackedEngine(chunk=2)
    session = Rounds(EXPERIMENT.replace(engine=engine))
    pools.pool(2).share(engine, session.context).result(60)
    progress = session.begin()
    with monkeypatch.context() as first:
        first.setattr(stacked, "pool", refuse)  # the first two rounds only measure
        for _ in range(2):
            progress, _ = session.next(progress)
    monkeypatch.setattr(stacked, "job_round", refuse)
    progress, _ = session.next(progress)
    monkeypatch.undo()
    assert_identical(progress, trained(EXPERIMENT, 0))


class Waiting(fb.MLP):
    """Keeps the first worker that trains it waiting until there is a file called go."""

    hidden: tuple[int, ...] = (16,)
    folder: str

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Wait if this is the first, then give the loss."""
        folder = Path(self.folder)
        if os.getpid() != MAIN and outputs.requires_grad:
            with contextlib.suppress(FileExistsError):
                (folder / "first").touch(exist_ok=False)
                while not (folder / "go").exists():
                    time.sleep(0.01)
        return super().loss(outputs, targets)


def test_answers_of_a_worker_that_died_since_are_not_lost(tmp_path: Path) -> None:
    own = Pool(2)
    assert own.wait(60)
    session = Rounds(EXPERIMENT.replace(model=Waiting(folder=str(tmp_path))))
    begun, engine = session.begin(), fb.StackedEngine(chunk=2)
    jobs = [[np.array([k])] for k in range(8)]
    broadcast = broadcast_of(session, begun)
    found: list[dict[str, Tensor]] = []

    def run() -> None:
        for arrival in own.arrivals(engine, session.context, broadcast, jobs, {}):
            found.append(tree.map(torch.clone, arrival.message.payload))

    thread = threading.Thread(target=run)
    thread.start()
    # One worker waits on the first job; the other's two places hold answers that are not due yet.
    while not any(not worker.free and not worker.jobs for worker in own.workers):
        assert thread.is_alive()
        time.sleep(0.01)
    held = next(worker for worker in own.workers if not worker.free and not worker.jobs)
    held.process.kill()
    while held in own.workers:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    thread.join(60)
    assert len(found) == 8
    for k, payload in enumerate(found):
        alone = job_round(engine, session.context, broadcast, jobs[k], {}).message.payload
        assert all(torch.equal(payload[name], leaf) for name, leaf in alone.items())
    own.close()


class Unpicklable(fb.FedAvg):
    """A strategy with something that no process can send to another."""

    @property
    def lock(self) -> object:
        """Return a lock."""
        return threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return (threading.Lock, (self.lock,))


def test_what_cannot_travel_is_trained_here_and_refused_to_workers_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stacked, "WORTH", 0.0)
    monkeypatch.setattr(stacked, "cores", lambda: 2)
    experiment = EXPERIMENT.replace(strategy=Unpicklable())
    session = Rounds(experiment.replace(engine=fb.StackedEngine(chunk=2)))
    progress = session.begin()
    for _ in range(3):
        progress, _ = session.next(progress)
    assert_identical(progress, trained(experiment, 0))
    with pytest.raises(TypeError, match="pickle"):
        trained(experiment, 2)
