"""How the text of a table is laid out: separator, column names and width."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fedbench.data.own.doubts import TableError

Separator = Literal["auto", ",", ";", "tab", "|", "blanks"]
MARKS: dict[Separator, str] = {",": ",", ";": ";", "tab": "\t", "|": "|", "blanks": r"\s+"}
SEPARATORS: dict[str, Separator] = {mark: name for name, mark in MARKS.items()}
ROWS = 200  # that are looked at
CONSISTENT = 0.9  # of the rows have the same number of cells
NUMBER = re.compile(r"[+−-]?(\d[\d.,' ]*|[.,]\d+)([eE][+-]?\d+)?%?")


@dataclass(frozen=True)
class Layout:
    """How a text is to be split: `names` of all columns, those without one are empty.

    `skipped` lines come before the names, `header` says whether there are any, and `surplus` is by
    how many cells the longest row exceeds the names.
    """

    separator: str
    names: tuple[str, ...]
    header: bool
    skipped: int = 0
    surplus: int = 0


def layout(place: str, start: str, separator: Separator, header: bool | None) -> Layout:
    """Return the layout of a text that begins with `start`, whole lines.

    Raises TableError that names the setting by which to choose.
    """
    skipped = 0
    if start[:4].lower() == "sep=":  # spreadsheets write it
        line, _, start = start.partition("\n")
        separator, skipped = SEPARATORS.get(line[4:].rstrip("\r") or ",", separator), 1
    lines = start.splitlines(keepends=True)
    if separator == "auto":
        separator = _separator(place, lines)
    rows = _split(lines, separator)
    first, rest = rows[0], rows[1:]
    width, usual = max(map(len, rows)), Counter(map(len, rest)).most_common(1)
    if rest and len(first) == 1 < usual[0][0]:
        raise TableError(
            "path",
            f"the first line of {place!r} has one cell and the next ones have {usual[0][0]}; "
            "delete what stands above the column names, or name the separator",
        )
    if header is None and looks_like_data(first, rest):
        quoted = tuple(first[:5])
        raise TableError(
            "header",
            f"the first row of {place!r} looks like data ({', '.join(quoted)}{_more(first)}); "
            "pass header=False if no row names the columns, header=True if it is the names",
            *sorted(quoted, key=len, reverse=True),
        )
    if header is False:
        names = tuple(f"column {k + 1}" for k in range(len(first)))
    else:
        names = tuple(cell.strip() for cell in first)
    return Layout(MARKS[separator], names, header is not False, skipped, width - len(names))


def looks_like_data(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether a first row of numbers, or of texts that come again, is no row of names."""
    for k, cell in enumerate(first):
        if not (cell := cell.strip()):
            continue
        below = [row[k].strip() for row in rest if k < len(row) and row[k].strip()]
        numbers = sum(bool(NUMBER.fullmatch(each)) for each in below)
        if NUMBER.fullmatch(cell) and numbers >= len(below) / 2:
            return True
        if below.count(cell) >= max(2, len(below) / 50):
            return True
    return False


def refuse_bad_names(names: Iterable[str]) -> None:
    """Raise TableError where two columns have one name, or several have none."""
    for name, count in Counter(names).items():
        if count > 1:
            what = (
                f"{count} columns are called {name!r}" if name else f"{count} columns have no name"
            )
            raise TableError("path", f"{what}; every column needs its own name")


def _separator(place: str, lines: list[str]) -> Separator:
    """Return the mark by which most rows have as many cells as there are names."""
    fitting: list[tuple[int, Separator]] = []
    known: tuple[Separator, ...] = (",", ";", "tab", "|")
    for mark in known:
        if (width := _width(_split(lines, mark))) > 1:
            fitting.append((width, mark))
    fitting.sort(key=lambda each: -each[0])
    if len(fitting) > 1:
        (wide, mark), (width, other) = fitting[:2]
        raise TableError(
            "separator",
            f"{place!r} can be split at {mark!r} into {wide} columns and at {other!r} into "
            f"{width}; pass separator={mark!r}, the likelier, or separator={other!r}",
        )
    if fitting:
        return fitting[0][1]
    if _width(_split(lines, "blanks")) > 1:
        return "blanks"
    # rows of different lengths: which of them are wrong is said when they are read
    return max(known, key=lambda mark: sum(line.count(MARKS[mark]) for line in lines[:ROWS]))


def _width(rows: list[list[str]]) -> int:
    """Return how many cells the rows have if nearly all have as many as the first, else 0."""
    width = len(rows[0])
    same = sum(_filled(row) <= width and len(row) >= _filled(rows[0]) for row in rows)
    return width if same >= CONSISTENT * len(rows) else 0


def _filled(row: list[str]) -> int:
    """Return how many cells a row has up to its last one that is not empty."""
    return next((k for k in range(len(row), 0, -1) if row[k - 1].strip()), 0)


def _split(lines: list[str], separator: Separator) -> list[list[str]]:
    few = lines[: ROWS + 1]
    if separator == "blanks":
        rows = [line.split() for line in few]
    else:
        try:
            reader = csv.reader(few, delimiter=MARKS[separator], skipinitialspace=True)
            rows = list(reader)
        except csv.Error:
            rows = [line.rstrip("\r\n").split(MARKS[separator]) for line in few]
    return [row for row in rows if any(cell.strip() for cell in row)] or [[""]]


def _more(first: Sequence[str]) -> str:
    return ", …" if len(first) > 5 else ""
