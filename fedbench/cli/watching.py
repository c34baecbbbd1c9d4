"""Runs and sweeps at a terminal: a progress bar, and Ctrl-C or a signal to end early."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator

from fedbench.cli.exits import Interrupt, Signalled, first_held, name_of, tell
from fedbench.runs.recording import Recording
from fedbench.study import Sweep


def watch(recording: Recording, quiet: bool) -> Interrupt | None:
    """Run the session to the end, and return what interrupted it; a second one goes through."""
    session, warned = recording.session, False
    interrupt: Interrupt | None = None
    with bar(session.experiment.rounds, "round", quiet) as show:
        session.start()
        while session.state in ("running", "stopping"):
            try:
                session.wait(0.1)
                show(len(session.history))
                if recording.error is not None and not warned:
                    warned = True
                    tell(f"caution: rounds cannot be saved for now: {recording.error}")
            except (KeyboardInterrupt, Signalled) as error:
                if interrupt is not None:
                    raise
                interrupt = error
                session.stop()
                tell(f"{name_of(error)}: stopping after this round; again to leave at once")
    return interrupt


def follow(going: Sweep, quiet: bool) -> Interrupt | None:
    """Wait for a sweep's end, and return what cancelled it, if anything did."""
    with bar(len(going.points), "run", quiet) as show:
        try:
            while going.wait(0.1) == "running":
                show(going.progress.done)
        except (KeyboardInterrupt, Signalled) as error:
            with first_held():
                going.cancel()
            return error
    return None


@contextlib.contextmanager
def bar(total: int, unit: str, quiet: bool) -> Generator[Callable[[int], None]]:
    """Draw a progress bar on a terminal; yield what shows how much is done."""
    from tqdm import tqdm

    hidden = quiet or sys.stderr is None or not sys.stderr.isatty()
    drawn = tqdm(total=total, unit=unit, disable=hidden, leave=False)

    def show(done: int) -> None:
        try:
            drawn.update(done - drawn.n)
        except OSError:  # the terminal is gone
            drawn.disable = True

    try:
        yield show
    finally:
        with contextlib.suppress(OSError):
            drawn.close()
