"""How a command ends that cannot go on: a line or more on stderr and an exit code."""

from __future__ import annotations

from typing import NoReturn

import typer

WRONG, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is the shell's own for Ctrl-C


def refuse(*lines: str) -> NoReturn:
    """Say what is wrong with what was asked for, a line each, and exit with WRONG."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(WRONG)


def stop(message: str) -> NoReturn:
    """Say what failed, and exit with FAILED."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(FAILED)
