"""How a command ends that cannot go on: a line or more on stderr and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, NoReturn

import typer

from fedbench.engine.processes import abandon_workers

WRONG, FAILED = 2, 1  # exit codes
SIGNALS = 128  # the exit code of what a signal ended is its number and this, as in shells
ENDING = ("SIGTERM", "SIGHUP")  # and SIGINT, for which Python has an exception


class Signalled(BaseException):
    """The process is asked to end by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


Interrupt = KeyboardInterrupt | Signalled


def code_of(interrupt: Interrupt) -> int:
    """Return the exit code of a command that `interrupt` ended, as shells give it."""
    number = interrupt.number if isinstance(interrupt, Signalled) else signal.SIGINT
    return SIGNALS + number


def name_of(interrupt: Interrupt) -> str:
    """Return what ended a command: "Ctrl-C", or a signal such as "SIGTERM"."""
    return str(interrupt) if isinstance(interrupt, Signalled) else "Ctrl-C"


@contextlib.contextmanager
def signals_raised() -> Generator[None]:
    """Let TERM and HUP raise `Signalled`, as Ctrl-C raises KeyboardInterrupt.

    A signal that is ignored, as HUP is under nohup, stays ignored.
    """
    numbers = [each for each in _numbers(*ENDING) if signal.getsignal(each) == signal.SIG_DFL]
    with _handled(numbers, _raise):
        yield


@contextlib.contextmanager
def first_held() -> Generator[list[Interrupt]]:
    """Do something short that should be whole: the first signal waits, a second one goes through.

    Yields a list, which the first is put into. Of use in the main thread alone, which hears them.
    """
    held: list[Interrupt] = []

    def hear(number: int, frame: Any) -> None:
        if held:
            _raise(number, frame)
        held.append(KeyboardInterrupt() if number == signal.SIGINT else Signalled(number))

    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    # what is ignored stays so, and what something else answers is its own affair
    ours = (signal.SIG_DFL, signal.default_int_handler, _raise)
    numbers = [each for each in _numbers("SIGINT", *ENDING) if signal.getsignal(each) in ours]
    with _handled(numbers, hear):
        yield held


def leave(code: int) -> NoReturn:
    """End the process with an exit code, without waiting for threads that still compute.

    Worker processes end and their files are removed, and nothing interrupts that.
    """
    for number in _numbers("SIGINT", *ENDING):
        signal.signal(number, signal.SIG_IGN)
    abandon_workers()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # None where it is closed
            stream.flush()
    os._exit(code)


def _raise(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else Signalled(number)


def _numbers(*names: str) -> list[int]:
    """Return the signals of these names that there are; Windows has no HUP."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextlib.contextmanager
def _handled(numbers: Iterable[int], handler: Callable[[int, Any], Any]) -> Generator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


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
