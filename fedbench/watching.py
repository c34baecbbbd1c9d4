"""Runs and sweeps at a terminal: a progress bar, and Ctrl-C to end early."""

from __future__ import annotations

import sys

import typer

from fedbench.runs import Session
from fedbench.study import Sweep


def watch(session: Session, quiet: bool) -> bool:
    """Run to the end and return whether Ctrl-C ended it; a second one goes through."""
    from tqdm import tqdm

    hidden = quiet or not sys.stderr.isatty()
    total = session.experiment.rounds
    interrupted = False
    with tqdm(total=total, unit="round", disable=hidden, leave=False) as bar:
        session.start()
        while session.state in ("running", "stopping"):
            try:
                session.wait(0.1)
                bar.update(len(session.history) - bar.n)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                session.stop()
                typer.echo("stopping after this round; Ctrl-C again to leave at once", err=True)
    return interrupted


def follow(going: Sweep, quiet: bool) -> bool:
    """Wait for a sweep's end and return whether Ctrl-C cancelled it."""
    from tqdm import tqdm

    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=len(going.points), unit="run", disable=hidden, leave=False) as bar:
        try:
            while going.wait(0.1) == "running":
                bar.update(going.progress.done - bar.n)
        except KeyboardInterrupt:
            going.cancel()
            return True
    return False
