"""The worker pool of rounds: jobs of a cohort, with data and parameters in mapped files."""

from __future__ import annotations

import itertools
import queue
import shutil
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.engine.context import TrainingContext
from fedbench.engine.engine import Engine, blocks
from fedbench.engine.messages import (
    Arrival,
    Broadcast,
    ClientState,
    ClientStates,
    Message,
    Telemetry,
    packed_broadcast,
    stacked_states,
    states_of,
)
from fedbench.engine.packing import packed
from fedbench.engine.processes import PoolClosed, Worker, WorkerPool
from fedbench.engine.shared import Arrays, Memory, Shelf
from fedbench.engine.worker import CONTEXTS
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree

DEPTH = 2  # jobs that a worker is given ahead, so that it never waits for the parent


class WorkerDied(RuntimeError):
    """The same work ended two worker processes."""


class RoundWorker(Worker):
    """A worker, and what it has been given."""

    def __init__(self, memory: Memory, inbox: queue.Queue[tuple[RoundWorker, Any]]) -> None:
        self.contexts: list[int] = []
        self.jobs: deque[int] = deque()  # given and not answered, in order
        self.memory = memory
        self._slots = [(Shelf(memory.file()), Shelf(memory.file())) for _ in range(DEPTH)]
        self.free = deque(self._slots)
        super().__init__("fedbench.engine.worker", lambda *said: inbox.put(said))

    @property
    def able(self) -> bool:
        """Return whether it can be given one more job."""
        return bool(self.free) and len(self.jobs) < DEPTH

    def begin(self) -> None:
        """Forget what was given in a round that was given up: its answers are not for this one."""
        self.jobs.clear()
        self.free = deque(self._slots)


class Pool(WorkerPool[RoundWorker]):
    """A number of workers, started at once in the background; one round at a time."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="fedbench-"))
        self._arrays = Arrays(self._folder)
        self._inbox: queue.Queue[tuple[RoundWorker, Any]] = queue.Queue()
        self._names = itertools.count()
        self._serials = itertools.count()
        self._contexts: weakref.WeakKeyDictionary[TrainingContext, Future[tuple[int, bytes]]] = (
            weakref.WeakKeyDictionary()
        )
        self._packer = ThreadPoolExecutor(1, thread_name_prefix="fedbench-packer")
        self._round = threading.Lock()
        self._memory = Memory(self._folder)
        self._common = Shelf(self._memory.file())
        self._retired: list[Memory] = []  # of workers that died: answers of theirs may be there
        for _ in range(size):
            self._start()

    @property
    def ready(self) -> bool:
        """Return whether every worker has loaded what it needs."""
        return all(worker.ready.is_set() for worker in self.workers)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the pool is ready, or a worker takes `timeout` seconds; return whether it is.

        It is not needed: a run begins in its own process until then.
        """
        return all(worker.ready.wait(timeout) for worker in self.workers)

    def arrivals(
        self,
        engine: Engine,
        context: TrainingContext,
        broadcast: Broadcast,
        jobs: Sequence[list[NDArray[np.int64]]],
        states: ClientStates,
    ) -> Iterator[Arrival]:
        """Yield what comes back of `jobs` in order; each is valid until the next is asked for."""
        start = ClientState(context.strategy.init_client(broadcast.params), broadcast.fresh)
        stateful = bool(start.strategy or start.channel)

        def job(index: int, given: Shelf) -> tuple[Any, ...]:
            chunks, layout = jobs[index], ()
            if stateful:
                ids = np.concatenate(chunks).tolist()
                layout = given.put(stacked_states([states.get(client, start) for client in ids]))
            return "train", chunks, layout, broadcast.info

        for index, (layout, seconds, result) in enumerate(
            self._results(engine, context, broadcast, len(jobs), job)
        ):
            found = result.get(layout)
            values, ids = tree.unpack(found, "values"), np.concatenate(jobs[index])
            yield Arrival(
                Message(
                    ids, tree.unpack(found, "payload"), values["weights"], int(values["bytes"])
                ),
                Telemetry(
                    values["losses"],
                    values["steps"],
                    values["norms"],
                    values.get("clipped"),
                    seconds,
                ),
                states_of(ids, tree.unpack(found, "states")),
            )

    def evaluate(
        self, engine: Engine, context: TrainingContext, params: Tree, first: int, last: int
    ) -> Any:
        """Return what the model gives for test rows `first` to `last`."""
        import torch

        rows = blocks(first, last)
        alone = Broadcast(RoundInfo(0, 0.0, 0, 0.0), params)
        found = self._results(
            engine, context, alone, len(rows), lambda index, given: ("evaluate", *rows[index])
        )
        return torch.cat([result.get(layout)["outputs"].clone() for layout, _, result in found])

    def _results(
        self, engine: Engine, context: TrainingContext, broadcast: Broadcast, count: int, job: Any
    ) -> Iterator[tuple[Any, ...]]:
        """Yield answers in the order of the jobs, each with the shelf that its tensors are on."""
        with self._round:
            if self.closed:
                raise PoolClosed
            while self._retired:
                self._retired.pop().free()
            serial = next(self._serials)
            common = self._common.path, self._common.put(packed_broadcast(broadcast))
            waiting = deque(range(count))
            failures = [0] * count
            answers: dict[int, tuple[RoundWorker, tuple[Shelf, Shelf], Any]] = {}
            slots: dict[int, tuple[Shelf, Shelf]] = {}
            for worker in self.workers:
                worker.begin()
            due = 0
            while due < count:
                while waiting and (able := [each for each in self.workers if each.able]):
                    worker = min(able, key=lambda each: len(each.jobs))
                    index = waiting.popleft()
                    slots[index] = worker.free.popleft()
                    given, result = slots[index]
                    key = self._hand_over(worker, engine, context)
                    worker.jobs.append(index)
                    places = given.path, result.path
                    worker.send(("do", serial, index, key, job(index, given), common, places))
                if due in answers:
                    worker, slot, answer = answers.pop(due)
                    yield (*answer[1:], slot[1])
                    worker.free.append(slot)
                    due += 1
                    continue
                worker, message = self._inbox.get()
                if self.closed:
                    raise WorkerDied("the worker processes were closed during a round")
                if message is None:
                    self._replace(worker, waiting, failures)
                    continue
                of, index, answer = message
                if of != serial:
                    continue  # of a round that was given up
                worker.jobs.remove(index)
                if answer[0] == "failed":
                    answer[1].add_note(f"In a worker process:\n{answer[2]}")
                    raise answer[1]
                answers[index] = worker, slots[index], answer

    def share(self, engine: Engine, context: TrainingContext) -> Future[tuple[int, bytes]]:
        """Pack a context for the workers, in the background and once: its data go to files.

        The result is the key that workers know it by, and what they are sent.
        """
        if self.closed:
            raise PoolClosed
        if context not in self._contexts:
            self._contexts[context] = self._packer.submit(
                self._pack, engine, context, next(self._names)
            )
        return self._contexts[context]

    def _pack(self, engine: Engine, context: TrainingContext, key: int) -> tuple[int, bytes]:
        return key, packed(context, engine, self._arrays)

    def _hand_over(self, worker: RoundWorker, engine: Engine, context: TrainingContext) -> int:
        """Send a worker the context unless it has it; return the key by which it has it."""
        key, blob = self.share(engine, context).result()
        if key not in worker.contexts:
            worker.send(("context", key, blob))
            worker.contexts = [*worker.contexts, key][-CONTEXTS:]
        return key

    def _start(self) -> None:
        self.hire(lambda: RoundWorker(Memory(self._folder), self._inbox))

    def _replace(self, worker: RoundWorker, waiting: deque[int], failures: list[int]) -> None:
        """Put a new worker in the place of one that died; its work is done again, once."""
        code = self.dismiss(worker)
        self._retired.append(worker.memory)
        self._start()
        for place, index in enumerate(worker.jobs):
            failures[index] += place == 0  # the first was at work, the others only waited
            if failures[index] > 1:
                why = (
                    "it was killed, as happens when memory runs out: lower engine.chunk or the "
                    "model's size, or set"
                    if code == -9
                    else "its own output may say why; to see it happen in this process set"
                )
                raise WorkerDied(
                    f"a worker process ended twice on the same work (exit code {code}): {why} "
                    "engine.workers = 0"
                )
        waiting.extendleft(reversed(worker.jobs))

    def close_after_round(self) -> None:
        """Wait for the round that is under way, then close."""
        with self._round:
            self.close()

    def close(self) -> None:
        """End all workers and remove their files; a round that is under way fails."""
        super().close()
        self._packer.shutdown(wait=False, cancel_futures=True)
        for memory in (self._memory, *self._retired, *(each.memory for each in self.workers)):
            memory.free()
        shutil.rmtree(self._folder, ignore_errors=True)


# The pools of this interpreter, which all runs share -------------------------------------------

_pools: dict[int, Pool] = {}
_guard = threading.Lock()


def pool(size: int) -> Pool:
    """Return the pool of `size` workers; they are started in the background if there is none."""
    with _guard:
        if size not in _pools:
            _pools[size] = Pool(size)
        return _pools[size]


def close_workers() -> None:
    """End all worker processes once their rounds are through; the next run starts new ones."""
    with _guard:
        gone = list(_pools.values())
        _pools.clear()
    for each in gone:
        each.close_after_round()
