"""Exceptions from user code: which line raised, and a message without a library's own words."""

from __future__ import annotations

import contextlib
import dis
import linecache
import os
import sysconfig
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType, TracebackType

HERE = str(Path(__file__).parents[1]) + os.sep
LIBRARIES = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
COMPILED = (".pyx", ".pxd", ".pxi")
RAISE = dis.opmap["RAISE_VARARGS"]
LONGEST = 100  # characters of a source line that a message quotes
# Their text is a name or a path of the user's, and not a library's description of its arguments.
PLAIN = (KeyError, NameError, ZeroDivisionError, OSError, ImportError, MemoryError)


def explained(error: BaseException) -> str:
    """Return what happened, for a person: `KeyError: 'nope' (mine.py, line 12, in start: ...)`.

    Messages that fedbench or user code raised on purpose are kept. Of an error that a library
    raised under user code, the type and the user's line are given; its text is in the traceback.
    """
    if known := getattr(error, "_explained", None):  # by the worker process that it comes from
        return known
    frames = list(_frames(error.__traceback__))
    text, kind = _text(error), type(error).__name__
    if not frames:
        return text or kind
    if _is_deliberate(error, HERE):
        return text or kind
    last = frames[-1][0]
    place = where(error)
    if not place:
        return text or kind
    if text and (isinstance(error, PLAIN) or (_is_deliberate(error) and _is_user(last))):
        kind = f"{kind}: {text}"
    return f"{kind} ({place})"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of a class of the user's, which must not hide what happened
        return ""


def where(error: BaseException) -> str:
    """Return the line of user code that an exception came through last, empty if there is none."""
    for frame, line, _ in reversed(list(_frames(error.__traceback__))):
        if _is_user(frame):
            file = frame.f_code.co_filename
            source = linecache.getline(file, line, frame.f_globals).strip()
            source = source if len(source) <= LONGEST else f"{source[: LONGEST - 1]}…"
            quoted = f": `{source}`" if source else ""
            return f"{_named(file)}, line {line}, in {frame.f_code.co_name}{quoted}"
    return ""


@contextlib.contextmanager
def attributed(name: str) -> Generator[None]:
    """Turn an exception that user code raises inside into a ValueError that begins with `name`."""
    try:
        yield
    except Exception as error:
        if not where(error):  # fedbench's own, such as data that cannot be fetched
            raise
        said = ":" if _is_deliberate(error, HERE) else " raised"
        raise ValueError(f"{name}{said} {explained(error)}") from error


def remember(error: BaseException) -> None:
    """Keep the explanation with an exception, which loses its traceback between processes."""
    error.__dict__["_explained"] = explained(error)


def what(value: object) -> str:
    """Return what kind of thing user code returned: `None`, `a list`, `a tensor of shape (3,)`."""
    if value is None:
        return "None"
    kind = type(value).__name__
    word = {"ndarray": "numpy array", "Tensor": "tensor", "type": "class"}.get(kind, kind)
    shape = getattr(value, "shape", None)
    sized = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}{sized}"


def shown(error: BaseException) -> str:
    """Return the traceback of an exception as text."""
    return "".join(traceback.format_exception(error))


def _is_deliberate(error: BaseException, under: str = "") -> bool:
    """Return whether an exception was raised on purpose, by a file under a folder."""
    *_, (frame, _, instruction) = _frames(error.__traceback__)
    raised = frame.f_code.co_code[instruction] == RAISE
    return raised and frame.f_code.co_filename.startswith(under)


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno, trace.tb_lasti
        trace = trace.tb_next


def _is_user(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    compiled = file.endswith(COMPILED)  # such a file is named by its place in the library
    return not compiled and not file.startswith((HERE, *LIBRARIES, "<frozen"))


def _named(file: str) -> str:
    if "ipykernel_" in file or file.startswith("<ipython"):
        return "a notebook cell"
    try:
        inside = Path(file).relative_to(Path.cwd())
    except (ValueError, OSError):
        return file
    return str(inside)
