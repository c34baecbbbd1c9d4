"""How a command ends that cannot go on: a line or more on stderr and an exit code."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

import typer

WRONG, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is the shell's own for Ctrl-C
ENDING = ("SIGTERM", "SIGHUP")  # and SIGINT, for which Python has an exception


class Signalled(BaseException):
    """The process is asked to end by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


Interrupt = KeyboardInterrupt | Signalled


def code_of(interrupt: Interrupt) -> int:
    """Return the exit code of a command that `interrupt` ended, as shells give it."""
    return 128 + interrupt.number if isinstance(interrupt, Signalled) else INTERRUPTED


def name_of(interrupt: Interrupt) -> str:
    """Return what ended a command: "Ctrl-C", or a signal such as "SIGTERM"."""
    return str(interrupt) if isinstance(interrupt, Signalled) else "Ctrl-C"


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """Let TERM and HUP raise `Signalled`, as Ctrl-C raises KeyboardInterrupt.

    A signal that is ignored, as HUP is under nohup, stays ignored.
    """

    def ended(number: int, frame: Any) -> NoReturn:
        raise Signalled(number)

    before = {}
    for name in ENDING:
        number = getattr(signal, name, None)  # there is no HUP on Windows
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.signal(number, ended)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(line: str) -> None:
    """Write a line to stderr, if that can be written to: a terminal may be gone."""
    with contextlib.suppress(OSError, ValueError):
        typer.echo(line, err=True)


def refuse(*lines: str) -> NoReturn:
    """Say what is wrong with what was asked for, a line each, and exit with WRONG."""
    for line in lines:
        tell(line)
    raise typer.Exit(WRONG)


def stop(message: str) -> NoReturn:
    """Say what failed, and exit with FAILED."""
    tell(f"error: {message}")
    raise typer.Exit(FAILED)
