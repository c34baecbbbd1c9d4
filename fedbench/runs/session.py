"""A run in a background thread that can be paused, stepped, amended and stopped."""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fedbench.config.problems import expect
from fedbench.config.usercode import explained, shown
from fedbench.experiment import Experiment
from fedbench.privacy import Ledger, Ledgers
from fedbench.runs.checkpoint import Checkpoint
from fedbench.runs.end import End
from fedbench.runs.events import Amended, Cautioned, Event, Failed, State, StateChanged
from fedbench.runs.history import History
from fedbench.runs.listeners import Listeners
from fedbench.runs.naive import unproven
from fedbench.runs.succession import refusal
from fedbench.runs.warning_signs import outliers, worsened

if TYPE_CHECKING:
    import torch

    from fedbench.runs.predictions import Predictions
    from fedbench.runs.rounds import Rounds
    from fedbench.schedules import Progress

LIVE = ("rounds", "target", "training.lr")  # what may change between two rounds of a run
ARRIVALS = "data"  # and this, where more of the same data came in
GOING = ("running", "paused", "stopping")

_sessions: weakref.WeakSet[Session] = weakref.WeakSet()
_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class SessionError(RuntimeError):
    """A command that does not fit the session's state."""


class Session:
    """Runs an experiment's rounds in a thread of its own.

    States: idle, running, paused, stopping, done, failed. Commands return at once and take effect
    between two rounds; `wait` blocks. Listeners hear every event in order, in the training thread
    or in that of a command, and may give commands themselves. A listener that raises is
    unsubscribed, with a warning that holds its traceback and a `Cautioned` event for the others.
    Training sets torch to one thread, for the whole process: that is steadier, and the order of its
    sums does not depend on the machine's load.
    """

    def __init__(self, experiment: Experiment) -> None:
        expect(experiment, Experiment, "experiment")
        self.experiment = experiment
        self.history = History(experiment)
        self.state: State = "idle"
        self.failure: Failed | None = None
        self.seconds = 0.0  # time spent in rounds, pauses left out
        self._checkpoint: Checkpoint | None = None  # what the run goes on from, if not from nothing
        self._changed = threading.Condition(threading.RLock())
        self._listeners: Listeners[Event] = Listeners()
        self._thread: threading.Thread | None = None
        self._progress: Progress | None = None
        self._rounds: Rounds | None = None
        self._budget: int | None = None  # rounds to go before pausing; None: no pause asked for
        self._stop = False
        self._changes: dict[str, Any] = {}  # amendments that the next round will go by
        self._worse = False  # it was said that the model is getting worse
        # given the number among the charged rounds and the cost of each private round before it is
        # computed; what it raises ends the run
        self.charge: Callable[[int, Ledger | Ledgers], None] | None = None
        _sessions.add(self)

    @classmethod
    def resumed(
        cls,
        began: Experiment,
        checkpoint: Checkpoint,
        amendments: Iterable[Amended] = (),
        went_on_from: Iterable[int] = (),
    ) -> Session:
        """Return an idle session that goes on from a checkpoint of a run of `began`.

        `went_on_from` are the rounds after which it was resumed from files before.
        The noise stays as it was solved, unless the checkpoint's experiment names another.
        """
        session = cls(checkpoint.experiment)
        session.history = History(
            began,
            checkpoint.noise_multiplier,
            checkpoint.rows,
            amendments,
            went_on_from=dict.fromkeys((*went_on_from, checkpoint.progress.round)),
            end=End(checkpoint.experiment, checkpoint.progress),
        )
        session.seconds = sum(row.seconds for row in checkpoint.rows)
        session._checkpoint = checkpoint
        if count := checkpoint.progress.unfinished:
            session.history.note_unfinished(count, checkpoint.spent)
            session.history.cautions.append(
                f"{count} round{'' if count == 1 else 's'} began and gave no result before the run "
                f"was resumed after round {checkpoint.progress.round}: their privacy is spent"
            )
        return session

    def checkpoint(self) -> Checkpoint | None:
        """Return all that the run needs to go on from here, None before it has begun.

        Raises SessionError while rounds go on: pause first.
        """
        with self._changed:
            self._require("checkpoint", "idle", "paused", "done", "failed")
            return self.snapshot().checkpoint()

    def snapshot(self) -> History:
        """Return a copy of the history between two rounds; unlike `checkpoint`, at any time."""
        with self._changed:
            return self.history.copy()

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every event from now on; the returned function ends that."""
        return self._listeners.subscribe(listener)

    # Commands ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin training. Raises SessionError unless idle."""
        with self._changed:
            self._launch("start", None)
        self._deliver()

    def step(self) -> None:
        """Run one round, then pause. Raises SessionError unless idle or paused."""
        with self._changed:
            if self.state == "paused":
                self._budget = 1
                self._become("running")
            else:
                self._launch("step", 1)
        self._deliver()

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
        self._deliver()

    def stop(self) -> None:
        """End the run after the round that is being trained; does nothing if it has ended."""
        with self._changed:
            if self.state in ("running", "paused"):
                self._stop = True
                self._become("stopping")
            elif self.state == "idle":
                self._become("done", "stopped before the first round")
        self._deliver()

    def reset(self, experiment: Experiment | None = None) -> None:
        """Forget the run, and go by `experiment` if given.

        The old `history` object stays as it is. Raises SessionError while a run is going on.
        """
        with self._changed:
            self._require("reset", "idle", "paused", "done", "failed")
            self._stop = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._deliver()  # what is still to be told is about the run that is forgotten now
        with self._changed:
            self.experiment = experiment or self.experiment
            self.history = History(self.experiment)
            self.failure = None
            self.seconds = 0.0
            self._thread = self._progress = self._rounds = None
            self._checkpoint = None
            self._stop = False
            self._changes = {}
            self._worse = False
            self._become("idle")
        self._deliver()

    def amend(self, **changes: Any) -> None:
        """Change `rounds`, `target`, `training.lr` or `data` from the next round on.

        Model, states and what was spent of privacy go on. Data may change where more of them came
        in to the same clients, as with `Arriving`. The history records it. A key is a path, as in
        `amend(**{"training.lr": 0.1, "data.seen": 7})`. Raises SessionError for any other field,
        for data that a run cannot go on with or after the run's end, and ValidationError for a bad
        value; then nothing changes.
        """
        for path in changes:
            if path not in LIVE and path.partition(".")[0] != ARRIVALS:
                raise SessionError(
                    f"{path} cannot change while a run is active; {', '.join(LIVE)} can, and "
                    "arriving data. Reset first"
                )
        with self._changed:
            self._require("amend", "idle", "running", "paused")
            experiment = self.experiment.replace(**changes)
            begun = self.state != "idle" or self._checkpoint is not None
            if begun and (reason := refusal(self.experiment, experiment)):
                raise SessionError(f"{reason}. Otherwise reset first")
            self.experiment = experiment
            if self.state == "idle" and self._checkpoint is None:
                self.history = History(self.experiment)
            else:
                kept = {path: x for path, x in self._changes.items() if path not in changes}
                self._changes = kept | changes  # in the order of what was said last
            if self.state == "paused":
                self._apply_changes()
        self._deliver()

    # Waiting -------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> State:
        """Block until the run pauses or ends, or for `timeout` seconds; return the state.

        By then the listeners have heard of it.
        """
        with self._changed:
            self._changed.wait_for(self._settled, timeout)
            return self.state

    async def wait_async(self, timeout: float | None = None) -> State:
        """Wait like `wait` while the event loop, and so the widgets, go on."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._settled():
            if deadline is not None and time.monotonic() >= deadline:
                break
            left = 0.2 if deadline is None else deadline - time.monotonic()
            await asyncio.to_thread(self.wait, max(0.0, min(0.2, left)))
        return self.state

    def _settled(self) -> bool:
        return self.state not in ("running", "stopping") and self._listeners.told

    def module(self) -> torch.nn.Module:
        """Return the global model as it is now. Raises SessionError before the first round."""
        with self._changed:
            if self._rounds is None or self._progress is None:
                raise SessionError("there is no model before the run has started")
            return self._rounds.module(self._progress.params)

    def predictions(self) -> Predictions:
        """Return what is said of each held-out test row as of now.

        Raises SessionError before the first round, and while rounds go on: pause first.
        """
        from fedbench.runs.predictions import predictions

        with self._changed:
            self._require("compute predictions", "paused", "done", "failed")
            if self._rounds is None or self._progress is None:
                raise SessionError("there are no predictions before the run has started")
            rounds, progress = self._rounds, self._progress
        return predictions(rounds, progress)

    # The training thread -------------------------------------------------------------------------

    def _launch(self, command: str, budget: int | None) -> None:
        self._require(command, "idle")
        self._budget, self._stop = budget, False
        self._thread = threading.Thread(
            target=_train, args=(weakref.ref(self),), name="fedbench-training", daemon=True
        )
        _threads.add(self._thread)
        self._become("running")
        self._thread.start()

    def _prepare(self) -> None:
        import torch

        from fedbench.runs.rounds import Rounds

        torch.set_num_threads(1)
        start = self._checkpoint
        experiment = start.experiment if start else self.history.experiment
        for text in experiment.cautions():
            self._listeners.add(Cautioned(text))
        self._deliver()
        rounds = Rounds(experiment, noise_multiplier=start.noise_multiplier if start else None)
        with self._changed:
            if self._thread is not threading.current_thread():
                return
            self._rounds = rounds
            self._progress = start.progress if start else rounds.begin()
            self.history.reach(End(experiment, self._progress))
            self.history.noise_multiplier = getattr(rounds.privacy, "noise_multiplier", None)
            if far := outliers(rounds.data):
                self._caution(far)

    def _advance(self) -> bool:
        """Run one round or wait for a command; return whether to go on."""
        with self._changed:
            if self._thread is not threading.current_thread():
                return False  # reset from a listener: another run may have begun
            if self._stop:
                self._finish("stopped")
                return False
            if self.state == "paused":  # nothing is decided before a command
                if not self._listeners.waiting:
                    self._changed.wait(0.5)
                return True
            self._apply_changes()
            rounds, progress, rows = self._rounds, self._progress, self.history.rows
            assert rounds is not None and progress is not None
            reason = rounds.ended(progress, rows[-1] if rows else None)
            if reason is not None:
                self._finish(reason)
                return False
            if self._budget == 0:
                self._become("paused")
                return True
        progress, row = rounds.next(progress, self.charge)
        with self._changed:
            self._progress = progress
            self.seconds += row.seconds
            self.history.append(row, End(rounds.experiment, progress))
            if self._budget is not None:
                self._budget = max(0, self._budget - 1)
            self._listeners.add(row)
            if not self._worse and (text := worsened(self.history.rows[0], row)):
                self._worse = True
                self._caution(text)
        return True

    def _caution(self, text: str) -> None:
        self.history.cautions.append(text)
        self._listeners.add(Cautioned(text))

    def _apply_changes(self) -> None:
        if self._changes and self._rounds is not None:
            known = self._rounds.experiment.cautions()
            self._rounds.amend(self.experiment)
            if self._progress is not None:
                self.history.reach(End(self.experiment, self._progress))
            for text in self.experiment.cautions():
                if text not in known:
                    self._listeners.add(Cautioned(text))
            note = Amended(len(self.history) + 1, self._changes)
            self._changes = {}
            self.history.amendments.append(note)
            self._listeners.add(note)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            message = explained(error)
            try:
                self._charge()
            except Exception as second:
                message += f"; what the round spent could not be recorded: {explained(second)}"
            self.failure = Failed(message, shown(error), error)
            self.history.ended = f"failed: {self.failure.message}"
            self._listeners.add(self.failure)
            self._become("failed", self.failure.message)
        self._deliver()

    def _charge(self) -> None:
        """Keep what was spent on a round that failed."""
        rounds, progress = self._rounds, self._progress
        guarantee = rounds and rounds.privacy.guarantee
        if rounds is None or progress is None or guarantee is None:
            return
        if rounds.ledger is not None and rounds.ledger != progress.ledger:
            count = progress.unfinished + 1
            self._progress = dataclasses.replace(progress, ledger=rounds.ledger, unfinished=count)
            self.history.reach(End(rounds.experiment, self._progress))
            self.history.note_unfinished(count, rounds.ledger.epsilon(guarantee.delta))

    def _finish(self, reason: str) -> None:
        history, rounds, progress = self.history, self._rounds, self._progress
        if len(history) and rounds is not None and progress is not None:
            from fedbench.runs.predictions import predictions

            found = predictions(rounds, progress)
            history.unproven = unproven(found.data, history.metric, found.used)
            if history.unproven:
                self._caution(history.unproven)
        history.ended = reason
        self._become("done", reason)

    def _become(self, state: State, reason: str = "") -> None:
        with self._changed:
            self.state = state
            self._listeners.add(StateChanged(state, reason))
            self._changed.notify_all()

    def _require(self, command: str, *states: State) -> None:
        if self.state not in states:
            remedy = "; reset first" if self.state in ("done", "failed") else ""
            raise SessionError(
                f"cannot {command} while {self.state}; possible when {' or '.join(states)}{remedy}"
            )

    def _deliver(self) -> None:
        """Tell the listeners, never under the lock."""
        self._listeners.tell()
        with self._changed:
            self._changed.notify_all()

    def __repr__(self) -> str:
        return f"<Session {self.state}, {len(self.history)} of {self.experiment.rounds} rounds>"


def _train(reference: weakref.ref[Session]) -> None:
    # Only a weak reference is held between two rounds: a session that nobody holds any more (a cell
    # that was run again) ends its thread instead of training for ever.
    session = reference()
    try:
        if session is not None:
            session._prepare()
        while session is not None:
            going = session._advance()
            session._deliver()
            if not going:
                break
            session = None
            session = reference()
    except BaseException as error:
        if session is not None:
            session._fail(error)


@atexit.register
def _end_all() -> None:
    # A daemon thread inside torch while the interpreter goes away aborts the process. One whose
    # session is gone may still be at it: it frees the tensors.
    for session in list(_sessions):
        session.stop()
    for thread in list(_threads):
        if thread.is_alive():
            thread.join(10)
