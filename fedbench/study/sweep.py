"""Many runs in the background: every combination of some values of some settings."""

from __future__ import annotations

import asyncio
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedbench.runs import Cautioned
from fedbench.runs.listeners import Listeners
from fedbench.study.dispatch import Dispatcher, Message
from fedbench.study.frontier import Frontier
from fedbench.study.grid import Axes, Point, cautions
from fedbench.study.job import Job, Outcome, Result, levels_of
from fedbench.study.kept import Kept
from fedbench.study.result import SweepResult, table
from fedbench.study.told import (
    PointAdvanced,
    PointBegun,
    PointFinished,
    SweepChanged,
    SweepEvent,
    SweepProgress,
    SweepState,
)

if TYPE_CHECKING:
    import pandas as pd


LOOKING = 0.5  # seconds between two looks for the results of another process


class Sweep:
    """Runs the points of a grid in worker processes; made and started by `fedbench.sweep`.

    States: running, cancelled, done. Commands return at once. Listeners hear every event in order,
    in a thread of the sweep's or in that of a command; one that raises is unsubscribed, with a
    warning that holds its traceback. A sweep that
    nobody holds any more ends.
    """

    def __init__(
        self,
        points: tuple[Point, ...],
        axes: Axes,
        kept: Kept | None,
        workers: int | Executor,
        levels: bool,
    ) -> None:
        self.points, self.axes = points, axes
        self.state: SweepState = "cancelled"
        self.reason = ""  # why it was cancelled, where something failed
        self._kept, self._workers = kept, workers
        self._with_levels = levels
        self._runs: list[Job] = []
        self._levels: list[Job] = []
        self._places: dict[str, list[int]] = {}  # points by what is computed: some share a run
        self._outcomes: dict[str, Outcome] = {}
        self._heights: dict[str, dict[str, float]] = {}  # of the levels, each by its job
        self._waiting: deque[Job] = deque()
        self._inline_only: deque[Job] = deque()
        self._told_of_others = False
        self._lost: dict[str, int] = {}  # how often each was
        self._rounds: dict[str, int] = {}  # of the runs that go on
        self._dispatcher: Dispatcher | None = None
        self._began, self._fresh = 0.0, 0  # when it was last started, and what it did since
        self._changed = threading.Condition(threading.RLock())
        self._listeners: Listeners[SweepEvent] = Listeners()

    # What there is -------------------------------------------------------------------------------

    @property
    def folder(self) -> Path | None:
        """Where results are kept."""
        return self._kept and self._kept.folder

    @property
    def results(self) -> tuple[SweepResult, ...]:
        """The results so far, in the order of the points."""
        with self._changed:
            return tuple(
                self._result(index)
                for index, job in enumerate(self._runs)
                if job.key in self._outcomes
            )

    @property
    def levels(self) -> dict[str, float]:
        """The levels to compare with: pooled, alone, the true model and those without a model.

        They are of the first point's experiment, on average over the seeds, and empty before the
        first of them is known or where none were asked for.
        """
        with self._changed:
            found = list(self._heights.values())
        values: dict[str, list[float]] = {}
        for each in found:
            for name, value in each.items():  # a name may be missing in those of another seed
                values.setdefault(name, []).append(value)
        return {name: math.fsum(own) / len(own) for name, own in values.items()}

    @property
    def progress(self) -> SweepProgress:
        """How far it is; the time left is judged by that of what was computed so far."""
        with self._changed:
            total = len(self.points)
            done = sum(job.key in self._outcomes for job in self._runs)
            if self.state != "running":
                return SweepProgress(done, total, 0.0 if self.state == "done" else None)
            going = self._dispatcher.jobs if self._dispatcher is not None else []
            begun = math.fsum(self._rounds.get(job.key, 0) / job.experiment.rounds for job in going)
            computed = self._fresh + begun
            left = len(self._waiting) + len(self._inline_only) + len(going) - begun
            spent = time.monotonic() - self._began
            return SweepProgress(done, total, spent * left / computed if computed else None)

    def cautions(self) -> list[str]:
        """Return what is allowed but should be known before the results are believed."""
        return cautions(self.points, self.axes)

    def frontier(self) -> Frontier:
        """Return what the results so far come to; see `Frontier`."""
        return Frontier.of(self.results, self.levels)

    def frame(self) -> pd.DataFrame:
        """Return one row a finished point; the columns are those of `SweepResult.row`."""
        return table(self.results, self.axes)

    def subscribe(self, listener: Callable[[SweepEvent], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on; the returned function ends that.

        It began before: read `results` after subscribing for what was missed.
        """
        return self._listeners.subscribe(listener)

    # Commands ------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Go on with what is missing, or failed; does nothing while it is running.

        What was computed by code or from files that have changed since is missing.
        Raises SweepError for a file in the folder that cannot be used.
        """
        with self._changed:
            if self.state == "running":
                return
            self._plan()
            jobs = {job.key: job for job in (*self._runs, *self._levels)}
            self._heights = {key: each for key, each in self._heights.items() if key in jobs}
            known = {key: each for key, each in self._outcomes.items() if key in jobs}
            sound = {key: each for key, each in known.items() if not each.error}
            wanted = [job for key, job in jobs.items() if key not in sound | self._heights]
            held = [(job, self._kept and self._kept.find(job)) for job in wanted]
            missing = [job for job, result in held if result is None]
            self._outcomes, self._lost, self._rounds = sound, {}, {}
            self._waiting, self._inline_only = deque(missing), deque()
            self._began, self._fresh = time.monotonic(), 0
            self._become("running")
            for job, result in held:
                if result is not None:
                    self._note(job, result)
            self._dispatcher = dispatcher = Dispatcher(self._workers)
            reference = weakref.ref(self, lambda _: dispatcher.wake())
            threading.Thread(
                target=_manage, args=(reference, dispatcher), name="fedbench-sweep", daemon=True
            ).start()
        self._tell()

    def _plan(self) -> None:
        """Say what is to be computed, by keys that hold for code and files as they are now."""
        self._levels = levels_of(self.points) if self._with_levels else []
        self._runs = [Job("run", point.experiment) for point in self.points]
        self._places = {}
        for index, job in enumerate(self._runs):
            self._places.setdefault(job.key, []).append(index)

    def cancel(self) -> None:
        """End what is being computed at once; what is finished stays."""
        with self._changed:
            self._end("cancelled")
        self._tell()

    def wait(self, timeout: float | None = None) -> SweepState:
        """Block until it is done or cancelled, or for `timeout` seconds; return the state.

        By then the listeners have heard of it. Ctrl-C here ends the waiting and, where an executor
        computes, cancels the sweep too: else leaving the executor would wait for all of its points.
        """
        try:
            with self._changed:
                self._changed.wait_for(self._settled, timeout)
                return self.state
        except KeyboardInterrupt:
            if isinstance(self._workers, Executor):
                self.cancel()
            raise

    async def wait_async(self, timeout: float | None = None) -> SweepState:
        """Wait like `wait` while the event loop, and so the widgets, go on."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self._settled() and (left := deadline - time.monotonic()) > 0:
            await asyncio.to_thread(self.wait, min(0.2, left))
        return self.state

    def _settled(self) -> bool:
        return self.state != "running" and self._listeners.told

    # The thread that hands out work --------------------------------------------------------------

    def _take(self, dispatcher: Dispatcher, job: Job | None, message: Message | None) -> bool:
        """Make of a message what is to be made, hand out work; return whether to go on."""
        with self._changed:
            if self._dispatcher is not dispatcher or dispatcher.closed:
                return False
            if job is not None and message is not None:
                self._hear(dispatcher, job, message)
            self._begin(dispatcher, self._waiting, inline=False)
            self._begin(dispatcher, self._inline_only, inline=True)
            going = bool(dispatcher.jobs or self._waiting or self._inline_only)
            if not going:
                self._end("done")
        self._tell()
        return going

    def _begin(self, dispatcher: Dispatcher, queue: deque[Job], *, inline: bool) -> None:
        """Hand out the jobs for which there is room, but for those of another process."""
        for _ in range(len(queue)):
            if not dispatcher.free(inline=inline):
                break
            job = queue.popleft()
            # what only this process understands is not kept: its text does not say all of it
            taken = True if inline or self._kept is None else self._kept.take(job)
            if taken is False:
                queue.append(job)
            elif taken is True:
                dispatcher.begin(job, inline=inline)
                self._tell_points(job, PointBegun)
            else:
                self._note(job, taken)
        if inline:
            return
        others = bool(queue) and dispatcher.free(inline=False)
        dispatcher.patience = LOOKING if others else None
        if others and not dispatcher.jobs and not self._told_of_others:
            self._told_of_others = True
            self._listeners.add(Cautioned("waiting for runs that another process computes"))

    def _hear(self, dispatcher: Dispatcher, job: Job, message: Message) -> None:
        if "round" in message:
            self._rounds[job.key] = message["round"]
            self._tell_points(job, PointAdvanced, message["round"], message["value"])
            return
        dispatcher.finished(job)
        self._rounds.pop(job.key, None)
        try:
            self._conclude(job, message)
        finally:
            if self._kept:
                self._kept.release(job)

    def _conclude(self, job: Job, message: Message) -> None:
        if "lost" in message:
            self._retry(job, message)
        elif "refused" in message:
            self._inline_only.append(job)
        else:
            self._fresh += 1
            self._note(job, message["result"])
            if self._kept and message["named"] and not message["result"]["error"]:
                try:
                    self._kept.keep(job, message["result"])
                except OSError as error:
                    self._listeners.add(Cautioned(f"a result cannot be saved: {error}"))

    def _retry(self, job: Job, message: Message) -> None:
        """Try once more what was lost; a second time is its result."""
        self._lost[job.key] = self._lost.get(job.key, 0) + 1
        if self._lost[job.key] < 2:
            self._waiting.appendleft(job)
            return
        outcome = Outcome.of_lost(job.experiment, f"{message['lost']} twice ({message['why']})")
        self._note(job, outcome.to_dict())

    def _note(self, job: Job, result: Result) -> None:
        if job.kind == "run":
            self._outcomes[job.key] = Outcome.from_dict(result)
            for index in self._places[job.key]:
                self._listeners.add(PointFinished(index, self._result(index)))
        elif result["error"]:
            self._listeners.add(Cautioned(f"reference levels: {result['error']}"))
        else:
            found = result["levels"]
            self._heights[job.key] = {name: float(value) for name, value in found.items()}

    def _result(self, index: int) -> SweepResult:
        point, outcome = self.points[index], self._outcomes[self._runs[index].key]
        return SweepResult(settings=point.settings, experiment=point.experiment, **vars(outcome))

    def _end(self, state: SweepState, reason: str = "") -> None:
        if self.state == "running":
            if self._dispatcher is not None:
                self._dispatcher.close()
            self._dispatcher = None
            if self._kept:
                self._kept.release()
            self.reason = reason
            self._become(state, reason)

    def _become(self, state: SweepState, reason: str = "") -> None:
        self.state = state
        self._listeners.add(SweepChanged(state, reason))

    def _tell_points(self, job: Job, event: Callable[..., SweepEvent], *details: Any) -> None:
        for index in self._places.get(job.key, ()) if job.kind == "run" else ():
            self._listeners.add(event(index, *details))

    def _tell(self) -> None:
        self._listeners.tell()
        with self._changed:
            self._changed.notify_all()

    def __repr__(self) -> str:
        done, total, eta = self.progress
        left = f", about {eta:.0f} s left" if self.state == "running" and eta is not None else ""
        return f"<Sweep {self.state}, {done} of {total} points{left}>"


def _manage(reference: weakref.ref[Sweep], dispatcher: Dispatcher) -> None:
    # Only a weak reference is held while nothing is said: see `Sweep`.
    job = message = None
    try:
        while (sweep := reference()) is not None and sweep._take(dispatcher, job, message):
            sweep = None
            job, message = dispatcher.next()
    except BaseException as error:
        sweep = reference()
        if sweep is not None:
            with sweep._changed:
                sweep._end("cancelled", f"failed: {error!r}")
            sweep._tell()
        raise
    finally:
        dispatcher.close()
