"""Who computes a sweep: some worker processes, and this process for what cannot travel."""

from __future__ import annotations

import atexit
import contextlib
import json
import queue
import subprocess
import threading
import weakref
from typing import Any

from fedbench.engine.pool import program
from fedbench.study.job import GivenUp, Job

Inbox = queue.SimpleQueue[Any]  # pairs of a hand and what it says; None: it is gone


class Process:
    """A worker process; a thread of this process listens to it."""

    def __init__(self, inbox: Inbox) -> None:
        self.job: Job | None = None
        self._process = program("fedbench.study.sweep_worker")
        threading.Thread(
            target=self._listen, args=(inbox,), name="fedbench-listener", daemon=True
        ).start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def begin(self, job: Job) -> None:
        """Hand over a job; a worker that is gone is noticed by its listener."""
        self.job = job
        assert self._process.stdin is not None
        line = json.dumps({"kind": job.kind, "experiment": job.toml}).encode() + b"\n"
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _listen(self, inbox: Inbox) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError), self._process.stdout as answers:
            for line in answers:
                inbox.put((self, json.loads(line)))
        inbox.put((self, None))

    def end(self, patience: float = 0) -> int:
        """End the process, which has nothing to save; return its exit code.

        One that is about to end by itself is given `patience` seconds, so that its code is known.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        return self._process.wait()


class Here:
    """This process, a job at a time in a thread."""

    def __init__(self, inbox: Inbox) -> None:
        self.job: Job | None = None
        self._inbox = inbox
        self._ended = False

    def begin(self, job: Job) -> None:
        """Begin a job."""
        self.job = job
        thread = threading.Thread(
            target=self._compute, args=(job,), name="fedbench-training", daemon=True
        )
        _training.add(thread)
        thread.start()

    def _compute(self, job: Job) -> None:
        def advanced(round: int, value: float) -> None:
            self._inbox.put((self, {"round": round, "value": value}))

        with contextlib.suppress(GivenUp):
            result = job.compute(advanced, lambda: not self._ended)
            self._inbox.put((self, {"result": result}))

    def end(self) -> None:
        """End the job before its next round."""
        self._ended = True


Hand = Process | Here


class Crew:
    """Up to `size` processes, started when there is work for them, and this process.

    What they say arrives in `inbox`. Ending it ends them all, for good.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.inbox: Inbox = queue.SimpleQueue()
        self.processes: list[Process] = []
        self.ended = False
        self.patience: float | None = None  # seconds after which to look again, without a message
        self._here = Here(self.inbox)
        self._lock = threading.Lock()
        _crews.add(self)

    @property
    def jobs(self) -> list[Job]:
        """What is being computed."""
        return [hand.job for hand in (*self.processes, self._here) if hand.job is not None]

    def free(self, *, here: bool) -> bool:
        """Return whether somebody could begin a job."""
        with self._lock:
            if here or self.ended:
                return not self.ended and self._here.job is None
            busy = sum(process.job is not None for process in self.processes)
            return busy < self.size

    def next(self) -> tuple[Hand, Any] | tuple[None, None]:
        """Wait for what somebody says, or for `patience` seconds."""
        try:
            return self.inbox.get(timeout=self.patience) or (None, None)
        except queue.Empty:
            return None, None

    def begin(self, job: Job, *, here: bool) -> bool:
        """Give a job to whoever is free; return whether somebody was."""
        with self._lock:
            hand = None if self.ended else self._here if here else self._free()
            if hand is None or hand.job is not None:
                return False
            hand.begin(job)
            return True

    def _free(self) -> Process | None:
        for process in self.processes:
            if process.job is None:
                return process
        if len(self.processes) == self.size:
            return None
        self.processes.append(Process(self.inbox))
        return self.processes[-1]

    def dismiss(self, process: Process) -> int:
        """Strike out a process that died, and return its exit code; another may take its place."""
        with self._lock:
            self.processes.remove(process)
        return process.end(patience=1)

    def end(self) -> None:
        """End the processes at once, and this process's work before its next round."""
        with self._lock:
            self.ended = True
            self._here.end()
            for process in self.processes:
                process.end()


_crews: weakref.WeakSet[Crew] = weakref.WeakSet()
_training: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def abandon_sweeps() -> None:
    """End all that sweeps compute: processes at once, and this process's before its next round."""
    for crew in list(_crews):
        crew.end()


@atexit.register
def _leave() -> None:
    abandon_sweeps()
    for thread in list(_training):
        # a daemon thread inside torch while the interpreter goes away aborts the process
        thread.join(10)
