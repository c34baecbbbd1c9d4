"""Where a sweep's jobs are computed: worker processes or an executor, and this process."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Protocol

from fedbench.engine.processes import PoolClosed, Worker, WorkerPool
from fedbench.study.job import GivenUp, Job
from fedbench.study.task import compute, named, packed, versions

# What is said of a job: {"round", "value"} as its run goes on, and one that is the last:
# {"result", "named"}, where `named` says whether its text alone leads to it; {"refused"}, if only
# this process can compute it; {"lost", "why"}, if what computed it is gone.
Message = dict[str, Any]
Report = Callable[[Job, Message], None]

AHEAD = 512  # tasks that an executor has at a time: each holds its data and a lock on a file


class Backend(Protocol):
    """Something that computes up to `limit` jobs at a time and reports on them."""

    limit: int

    def begin(self, job: Job) -> None:
        """Begin a job."""
        ...

    def close(self) -> None:
        """End what is being computed, as far as that can be; nothing can begin any more."""
        ...


class SweepWorker(Worker):
    """A worker process, and what it computes."""

    def __init__(self, heard: Callable[[SweepWorker, Any], None]) -> None:
        self.job: Job | None = None
        super().__init__("fedbench.study.sweep_worker", heard)


class SweepPool(WorkerPool[SweepWorker]):
    """Worker processes, which are started when there is work for them."""

    def __init__(self, limit: int, report: Report) -> None:
        super().__init__()
        self.limit = limit
        self._report = report

    def begin(self, job: Job) -> None:
        """Give a job to an idle worker, or to a new one."""
        with contextlib.suppress(PoolClosed), self.lock:
            idle = (worker for worker in self.workers if worker.job is None)
            worker = next(idle, None) or self.hire(lambda: SweepWorker(self._heard))
            worker.job = job
            worker.send({"kind": job.kind, "experiment": job.toml})

    def _heard(self, worker: SweepWorker, message: Message | None) -> None:
        if message is None:
            if self.closed:
                return
            code = self.dismiss(worker)
            likely = ", as happens when memory runs out" if code == -9 else ""
            why = f"exit code {code}{likely}"
            message = {"lost": "its worker process ended", "why": why}
        elif "result" in message:
            message["named"] = True
        job = worker.job
        if "round" not in message:
            worker.job = None
        if job is not None:
            self._report(job, message)


class Inline:
    """This process, a job at a time in a thread."""

    limit = 1

    def __init__(self, report: Report) -> None:
        self._report = report
        self._closed = False

    def begin(self, job: Job) -> None:
        """Begin a job in a thread of its own."""
        thread = threading.Thread(
            target=self._compute, args=(job,), name="fedbench-training", daemon=True
        )
        _training.add(thread)
        thread.start()

    def _compute(self, job: Job) -> None:
        def advanced(round: int, value: float) -> None:
            self._report(job, {"round": round, "value": value})

        with contextlib.suppress(GivenUp):
            result = job.compute(advanced, lambda: not self._closed)
            self._report(job, {"result": result, "named": False})

    def close(self) -> None:
        """End the job before its next round."""
        self._closed = True


class Tasks:
    """Tasks for an executor, which is its owner's to shut down."""

    limit = AHEAD

    def __init__(self, executor: Executor, report: Report) -> None:
        self._executor, self._report = executor, report
        self._futures: set[Future[Any]] = set()

    def begin(self, job: Job) -> None:
        """Submit a job."""
        try:
            task = packed(job)
        except Exception as error:  # pickling user code can raise anything
            self._report(job, {"refused": repr(error)})
            return
        try:
            future = self._executor.submit(compute, task, versions())
        except Exception as error:  # an executor that broke or was shut down
            self._lost(job, error)
            return
        self._futures.add(future)
        future.add_done_callback(lambda done: self._done(job, done))

    def _done(self, job: Job, future: Future[Any]) -> None:
        self._futures.discard(future)
        try:
            result = future.result()
        except BaseException as error:  # errors of the job are results: this is the executor's
            self._lost(job, error)
        else:
            self._report(job, {"result": result, "named": named(job)})

    def _lost(self, job: Job, error: BaseException) -> None:
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        self._report(job, {"lost": "the executor lost it", "why": why})

    def close(self) -> None:
        """Cancel the tasks that have not begun; the results of others are not waited for."""
        for future in list(self._futures):
            future.cancel()


class Dispatcher:
    """Worker processes or an executor for what can be sent, and this process for the rest.

    What is reported arrives in the order in which it was said. Closing ends all, for good.
    """

    def __init__(self, workers: int | Executor) -> None:
        self.closed = False
        self.patience: float | None = None  # seconds after which to look again, without a message
        self._inbox: queue.SimpleQueue[tuple[Job, Message] | None] = queue.SimpleQueue()
        self._going: dict[str, tuple[Job, Backend]] = {}
        self.inline = Inline(self._heard)
        self.remote = (
            SweepPool(workers, self._heard)
            if isinstance(workers, int)
            else Tasks(workers, self._heard)
        )
        _dispatchers.add(self)

    def _heard(self, job: Job, message: Message) -> None:
        self._inbox.put((job, message))

    def wake(self) -> None:
        """Let `next` return at once."""
        self._inbox.put(None)

    @property
    def jobs(self) -> list[Job]:
        """What is being computed."""
        return [job for job, _ in self._going.values()]

    def _backend(self, inline: bool) -> Backend:
        return self.inline if inline else self.remote

    def free(self, *, inline: bool) -> bool:
        """Return whether one more job can be computed."""
        backend = self._backend(inline)
        busy = sum(each is backend for _, each in self._going.values())
        return not self.closed and busy < backend.limit

    def begin(self, job: Job, *, inline: bool) -> None:
        """Begin a job, for which there must be room."""
        backend = self._backend(inline)
        self._going[job.key] = job, backend
        backend.begin(job)

    def next(self) -> tuple[Job, Message] | tuple[None, None]:
        """Wait for what is said of a job, or for `patience` seconds."""
        try:
            return self._inbox.get(timeout=self.patience) or (None, None)
        except queue.Empty:
            return None, None

    def finished(self, job: Job) -> None:
        """Note that the last message on a job was heard."""
        del self._going[job.key]

    def close(self) -> None:
        """End worker processes at once, and this process's work before its next round."""
        self.closed = True
        self.inline.close()
        self.remote.close()


_dispatchers: weakref.WeakSet[Dispatcher] = weakref.WeakSet()
_training: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    for each in list(_dispatchers):
        each.close()
    for thread in list(_training):
        # a daemon thread inside torch while the interpreter goes away aborts the process
        thread.join(10)
