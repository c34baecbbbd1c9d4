"""A run in a background thread that can be paused, stepped, amended and stopped."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fedbench.experiment import Experiment
from fedbench.runs.events import Amended, Cautioned, Event, Failed, State, StateChanged
from fedbench.runs.history import History

if TYPE_CHECKING:
    import torch

    from fedbench.runs.rounds import Progress, Rounds

LIVE = ("rounds", "target", "training.lr")  # what may change between two rounds of a run


class SessionError(RuntimeError):
    """A command that does not fit the session's state."""


class Session:
    """Runs an experiment's rounds in a thread of its own.

    States: idle, running, paused, stopping, done, failed. Commands return at once and take effect
    between two rounds; `wait` blocks. Listeners are called in the training thread.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.history = History(experiment)
        self.state: State = "idle"
        self.failure: Failed | None = None
        self.seconds = 0.0  # time spent in rounds, pauses left out
        self._changed = threading.Condition(threading.RLock())
        self._listeners: list[Callable[[Event], None]] = []
        self._thread: threading.Thread | None = None
        self._progress: Progress | None = None
        self._rounds: Rounds | None = None
        self._budget: int | None = None  # rounds to go before pausing; None: no pause asked for
        self._stop = False

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Commands ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin training. Raises SessionError unless idle."""
        self._launch("start", None)

    def step(self) -> None:
        """Run one round, then pause. Raises SessionError unless idle or paused."""
        with self._changed:
            if self.state == "paused":
                self._budget = 1
                self._become("running")
                return
        self._launch("step", 1)

    def pause(self) -> None:
        """Pause after the round that is being trained. Raises SessionError unless running."""
        with self._changed:
            self._require("pause", "running")
            self._budget = 0

    def resume(self) -> None:
        """Go on. Raises SessionError unless paused."""
        with self._changed:
            self._require("resume", "paused")
            self._budget = None
            self._become("running")

    def stop(self) -> None:
        """End the run after the round that is being trained; does nothing if it has ended."""
        with self._changed:
            if self.state in ("running", "paused"):
                self._stop = True
                self._become("stopping")
            elif self.state == "idle":
                self._become("done", "stopped before the first round")

    def reset(self, experiment: Experiment | None = None) -> None:
        """Forget the run, and go by `experiment` if given.

        The old `history` object stays as it is. Raises SessionError while a run is going on.
        """
        with self._changed:
            self._require("reset", "idle", "paused", "done", "failed")
            self._stop = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        with self._changed:
            self.experiment = experiment or self.experiment
            self.history = History(self.experiment)
            self.failure = None
            self.seconds = 0.0
            self._thread = self._progress = self._rounds = None
            self._stop = False
            self._become("idle")

    def amend(self, **changes: Any) -> None:
        """Change `rounds`, `target` or `training.lr` from the next round on.

        The history records it. A key is a path, as in `amend(**{"training.lr": 0.1})`. Raises
        SessionError for any other field and ValidationError for a bad value; then nothing changes.
        """
        for path in changes:
            if path not in LIVE:
                raise SessionError(
                    f"{path} cannot change while a run goes on; {', '.join(LIVE)} can. Reset first"
                )
        with self._changed:
            amended = self.experiment.replace(**changes)
            self.experiment = amended
            if self._rounds is not None:
                self._rounds.amend(amended)
                note = Amended(len(self.history) + 1, changes)
                self.history.amendments.append(note)
                self._tell(note)

    # Waiting -------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> State:
        """Block until the run pauses or ends, or for `timeout` seconds; return the state."""
        with self._changed:
            self._changed.wait_for(lambda: self.state not in ("running", "stopping"), timeout)
            return self.state

    async def wait_async(self, timeout: float | None = None) -> State:
        """Wait like `wait` while the event loop, and so the widgets, go on."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.state in ("running", "stopping"):
            if deadline is not None and time.monotonic() >= deadline:
                break
            await asyncio.to_thread(self.wait, 0.2)
        return self.state

    def module(self) -> torch.nn.Module:
        """Return the global model as it is now. Raises SessionError before the first round."""
        with self._changed:
            if self._rounds is None or self._progress is None:
                raise SessionError("there is no model before the run has begun")
            return self._rounds.module(self._progress.params)

    # The training thread -------------------------------------------------------------------------

    def _launch(self, command: str, budget: int | None) -> None:
        with self._changed:
            self._require(command, "idle")
            self._budget, self._stop = budget, False
            self._thread = threading.Thread(
                target=_train, args=(weakref.ref(self),), name="fedbench-training", daemon=True
            )
            self._become("running")
            self._thread.start()

    def _prepare(self) -> None:
        import torch

        from fedbench.runs.rounds import Rounds

        # Two threads of a matrix product fight with any other busy program: one is steadier, and
        # the order of its sums does not depend on the machine's load.
        torch.set_num_threads(1)
        for text in self.experiment.cautions():
            self._tell(Cautioned(text))
        rounds = Rounds(self.experiment)
        with self._changed:
            self._rounds = rounds
            self._progress = rounds.begin()
            self.history.noise_multiplier = getattr(rounds.privacy, "noise_multiplier", None)

    def _advance(self) -> bool:
        """Run one round or wait for a command; return whether to go on."""
        with self._changed:
            if self._stop:
                self._finish("stopped")
                return False
            if self._budget == 0:
                if self.state == "running":
                    self._become("paused")
                self._changed.wait(0.5)
                return True
            rounds, progress = self._rounds, self._progress
        assert rounds is not None and progress is not None
        rows = self.history.rows
        reason = rounds.ended(progress, rows[-1] if rows else None)
        if reason is not None:
            with self._changed:
                self._finish(reason)
            return False
        progress, row = rounds.next(progress)
        with self._changed:
            self._progress = progress
            self.seconds += row.seconds
            self.history.append(row)
            if self._budget is not None:
                self._budget = max(0, self._budget - 1)
        self._tell(row)
        return True

    def _fail(self, error: BaseException) -> None:
        detail = "".join(traceback.format_exception(error))
        with self._changed:
            self.failure = Failed(str(error) or type(error).__name__, detail)
            self.history.ended = f"failed: {self.failure.message}"
            self._tell(self.failure)
            self._become("failed", self.failure.message)

    def _finish(self, reason: str) -> None:
        self.history.ended = reason
        self._become("done", reason)

    def _become(self, state: State, reason: str = "") -> None:
        with self._changed:
            self.state = state
            self._changed.notify_all()
        self._tell(StateChanged(state, reason))

    def _require(self, command: str, *states: State) -> None:
        if self.state not in states:
            raise SessionError(
                f"cannot {command} while {self.state}; possible when {' or '.join(states)}"
            )

    def _tell(self, event: Event) -> None:
        for listener in list(self._listeners):
            listener(event)

    def __repr__(self) -> str:
        return f"<Session {self.state}, {len(self.history)} of {self.experiment.rounds} rounds>"


def _train(reference: weakref.ref[Session]) -> None:
    # Only a weak reference is held between two rounds: a session that nobody holds any more (a cell
    # that was run again) ends its thread instead of training for ever.
    session = reference()
    try:
        if session is not None:
            session._prepare()
        while session is not None and session._advance():
            session = None
            session = reference()
    except BaseException as error:
        if session is not None:
            session._fail(error)
