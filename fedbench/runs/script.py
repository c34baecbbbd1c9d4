"""A run for scripts: start, show a bar, return the history."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from fedbench.experiment import Experiment
from fedbench.runs.history import History
from fedbench.runs.session import Session

if TYPE_CHECKING:
    from tqdm import tqdm


class RunFailed(RuntimeError):
    """A run ended by an exception, its `__cause__`; `history` keeps the rounds before it."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def run(experiment: Experiment, *, progress: bool | None = None) -> History:
    """Run `experiment` to its end and return its history.

    `progress` draws a bar: a widget in a notebook, else a line on stderr. By default there is one
    where a person can be asked something: in a notebook that is open, and on a terminal; not in
    files that run by themselves, in CI, or where the environment sets TQDM_DISABLE. Raises
    RunFailed with the history so far when training fails. An interrupt stops the run after the
    current round.
    """
    from tqdm.auto import tqdm

    session = Session(experiment)
    for text in experiment.cautions():
        warnings.warn(text, UserWarning, stacklevel=2)
    show = _is_watched() if progress is None else progress
    session.start()
    with tqdm(total=experiment.rounds, unit="round", disable=not show, leave=False) as bar:
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


def _is_watched() -> bool:
    """Return whether a person sees what is drawn now."""
    if os.environ.get("CI") or os.environ.get("TQDM_DISABLE"):
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        # what executes notebooks without a person says that it cannot be asked for input
        return bool(getattr(shell.kernel, "_allow_stdin", False))
    return sys.stderr is not None and sys.stderr.isatty()


def _show(bar: tqdm[Any], history: History) -> None:
    rows = history.snapshot()
    bar.update(len(rows) - bar.n)
    if rows:
        bar.set_postfix_str(f"{history.metric} {rows[-1].metrics[history.metric]:.4f}")
