"""A pool of worker processes, which serves rounds and sweeps.

Workers are started as programs of their own, never forked: a notebook's kernel has threads. Their
parent talks to each through its standard input and output, and a thread of the parent's own listens
to each, so that a worker that died is an event like any other.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, BinaryIO, Generic, NoReturn, TypeVar

READY = "ready"  # a worker's first message
PATIENCE = 1.0  # seconds that a dying process is given to end by itself, so that its code is known

Send = Callable[[Any], None]


class PoolClosed(RuntimeError):
    """The workers were ended before they could be given work."""


class Worker:
    """A process that runs `main` of a module.

    A thread calls `heard` with the worker and each message of the process, and with None once it is
    gone. Messages are pickled: only parent and child write to their pipes.
    """

    def __init__(self, module: str, heard: Callable[[Any, Any], None]) -> None:
        self.ready = threading.Event()  # it has loaded what it needs, or is gone
        self.process = _program(module)
        threading.Thread(
            target=self._listen, args=(heard,), name="fedbench-listener", daemon=True
        ).start()

    def _listen(self, heard: Callable[[Any, Any], None]) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                message = pickle.load(self.process.stdout)
                if message == READY:
                    self.ready.set()
                else:
                    heard(self, message)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            self.process.stdout.close()
            self.ready.set()  # whoever gives it work shall find out, and nobody wait for ever
            heard(self, None)

    def send(self, message: Any) -> None:
        """Hand over a message; a worker that is gone is noticed by its listener."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            _write(self.process.stdin, message)

    def end(self, patience: float = 0) -> int:
        """End the process, which has nothing to save; return its exit code.

        One that is about to end by itself is given `patience` seconds.
        """
        assert self.process.stdin is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self.process.kill()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        return self.process.wait()


W = TypeVar("W", bound=Worker)


class WorkerPool(Generic[W]):
    """Workers that are ended together, at the latest with this interpreter."""

    def __init__(self) -> None:
        self.workers: list[W] = []
        self.closed = False
        self.lock = threading.RLock()  # of the list of workers; never held for long
        _pools.add(self)

    def hire(self, start: Callable[[], W]) -> W:
        """Start one more worker. Raises PoolClosed."""
        with self.lock:
            if self.closed:
                raise PoolClosed
            self.workers.append(start())
            return self.workers[-1]

    def dismiss(self, worker: W) -> int:
        """Strike out a worker that died; return its exit code."""
        with self.lock:
            self.workers.remove(worker)
        return worker.end(PATIENCE)

    def close(self) -> None:
        """End all workers, for good and at once."""
        with self.lock:
            self.closed = True
            for worker in self.workers:
                worker.end()
        _pools.discard(self)


_pools: weakref.WeakSet[WorkerPool[Any]] = weakref.WeakSet()


@atexit.register
def abandon_workers() -> None:
    """End all worker processes, also while they compute."""
    for pool in list(_pools):
        pool.close()


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _program(module: str) -> subprocess.Popen[bytes]:
    """Start `main` of a module; it finds the modules that this process finds, and has one thread.

    The module that this process runs is not run again: a script needs no `__main__` guard.
    """
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", f"from {module} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **one_thread, "PYTHONPATH": path},
    )


# In a worker ------------------------------------------------------------------------------------


def serve(answer: Callable[[Any, Send], None], prepare: Callable[[], None]) -> NoReturn:
    """Answer the parent's requests, one after another, until it closes the pipe or goes away.

    `prepare` loads what is needed. `answer` is given each request, and what sends a message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what user code prints must not end up among the answers
    prepare()
    _write(answers, READY)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, inbox), daemon=True).start()
    while True:
        answer(inbox.get(), lambda message: _write(answers, message))


def _receive(requests: BinaryIO, inbox: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            inbox.put(pickle.load(requests))
    finally:
        os._exit(0)  # whatever is being computed, nobody waits for it any more


def _write(stream: Any, message: Any) -> None:
    pickle.dump(message, stream, protocol=pickle.HIGHEST_PROTOCOL)
    stream.flush()
