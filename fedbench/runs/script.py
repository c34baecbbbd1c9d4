"""A run for scripts: start, show a bar, return the history."""

from __future__ import annotations

import sys
import warnings

from fedbench.experiment import Experiment
from fedbench.runs.history import History
from fedbench.runs.session import Session


class RunFailed(RuntimeError):
    """A run ended by an exception, its `__cause__`; `history` keeps the rounds before it."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def run(experiment: Experiment, *, progress: bool | None = None) -> History:
    """Run `experiment` to its end and return its history.

    `progress` draws a bar on stderr; by default when stderr is a terminal. Raises RunFailed with
    the history so far when training fails. An interrupt stops the run after the current round.
    """
    from tqdm import tqdm

    session = Session(experiment)
    for text in experiment.cautions():
        warnings.warn(text, UserWarning, stacklevel=2)
    show = sys.stderr.isatty() if progress is None else progress
    session.start()
    with tqdm(total=experiment.rounds, unit="round", disable=not show) as bar:
        try:
            while session.wait(0.1) == "running":
                _show(bar, session.history)
        except BaseException:
            session.stop()
            raise
        _show(bar, session.history)
    if session.failure is not None:
        raise RunFailed(session.failure.message, session.history) from session.failure.error
    return session.history


def _show(bar, history: History) -> None:
    rows = history.snapshot()
    bar.update(len(rows) - bar.n)
    if rows:
        bar.set_postfix_str(f"{history.metric} {rows[-1].metrics[history.metric]:.4f}")
