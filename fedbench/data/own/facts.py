"""A table as it was understood: what its columns are taken for, and what is odd about them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.data.card import Task
from fedbench.data.own import checks, targets
from fedbench.data.own.cells import gaps, is_number, moments, numbers, row_of, shown, texts
from fedbench.data.own.doubts import Doubt, TableError
from fedbench.data.own.layout import NUMBER
from fedbench.data.own.reading import Reading
from fedbench.data.own.roles import ColumnFacts, column_facts
from fedbench.data.own.targets import Asked

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100  # of a line of text


@dataclass(frozen=True)
class TableFacts:
    """A table as it was understood: rows, columns, task and what one should know beforehand.

    `doubts` say what is odd. `cautions` are their texts, with the cells that they quote, for the
    console; `public_cautions` are the same without cells, for what is kept in a notebook.
    """

    rows: int
    task: Task
    classes: tuple[str, ...]
    columns: tuple[ColumnFacts, ...]
    doubts: tuple[Doubt, ...] = ()
    untold: int = 0  # rows without a target, which are left out
    clients: tuple[str, ...] = ()
    lacking: tuple[str, ...] = field(default=())  # numbers with missing cells
    ranked: bool = False  # whether one of two classes is rare, or was said to be
    spans: tuple[tuple[float, float], ...] = ()  # first and last row of each client, by time

    @property
    def cautions(self) -> tuple[str, ...]:
        """Return what is odd, with the cells that show it."""
        return tuple(each.text for each in self.doubts)

    @property
    def public_cautions(self) -> tuple[str, ...]:
        """Return what is odd, without any cell of the table."""
        return tuple(each.public for each in self.doubts)

    def frame(self) -> pd.DataFrame:
        """Return one row a column: role, reason, missing and distinct values, examples."""
        import pandas as pd

        rows = [
            {
                "column": each.name,
                "taken for": each.role,
                "because": each.why,
                "missing": each.missing,
                "distinct": each.distinct,
                "examples": ", ".join(each.examples),
            }
            for each in self.columns
        ]
        return pd.DataFrame(rows).set_index("column")

    def __repr__(self) -> str:
        """Return a few lines: what is predicted, each column, and what is odd."""
        target = next(each.name for each in self.columns if each.role == "target")
        goal = f"one of {len(self.classes)} classes" if self.classes else "a number"
        by = next((f" by {each.name!r}" for each in self.columns if each.role == "client"), "")
        clients = f", {len(self.clients)} clients{by}" if self.clients else ""
        ranked = ", judged by AUC first" if self.ranked else ""
        wide = max(len(each.name) for each in self.columns[:WIDTH])
        lines = [
            f"{self.rows:,} rows, {len(self.columns)} columns{clients}; "
            f"{target!r} is {goal}{ranked}"
        ]
        for each in self.columns[:WIDTH]:
            gap = f", {each.missing:,} missing" if each.missing else ""
            line = f"  {each.name:<{wide}}  {each.role:<8}  {each.why}{gap}: "
            lines.append((line + ", ".join(each.examples))[: WIDTH + wide])
        if len(self.columns) > WIDTH:
            lines.append(f"  and {len(self.columns) - WIDTH} more columns")
        for caution in self.cautions:
            lines += textwrap.wrap(f"! {caution}", WIDTH, subsequent_indent="  ")
        return "\n".join(lines)


def understand(reading: Reading, asked: Asked) -> TableFacts:
    """Return what each column is taken for. Raises TableError that names the setting at fault."""
    frame = _sound(reading, asked)
    told = ~gaps(frame[asked.target])
    untold = int(np.count_nonzero(~told))
    known: Any = frame.loc[told]  # its columns are Series, which the stubs of pandas do not know
    doubts = [*reading.doubts, *_names_like_data(known, asked)]
    if untold:
        doubts.append(Doubt(f"{untold} rows without {asked.target!r} are dropped"))
    task, classes, ranked, found = targets.understood(known[asked.target], asked)
    doubts += found
    columns = [
        column_facts(asked.reader, known[name], name, asked.named.get(name), frame[name])
        for name in known.columns
    ]
    doubts += [doubt for each in columns for doubt in each.doubts]
    numeric = [each.name for each in columns if each.role == "number"]
    rest = [each.name for each in columns if each.role == "category"]
    if not numeric and not rest:
        raise TableError("path", "no column is left to learn from")
    notation = asked.reader.notation
    doubts += checks.leaks(known, numeric, rest, asked.target, task, notation)
    doubts += checks.copied_columns(known, numeric, rest, notation)
    lacking = [each for each in columns if each.role == "number" and _lacks(known, each, asked)]
    if lacking:
        few = ", ".join(f"{each.name!r} ({_lacks(known, each, asked):,})" for each in lacking[:5])
        few += "…" if len(lacking) > 5 else ""
        doubts.append(
            Doubt(
                f"missing numbers are filled with the median of the training rows, and an extra "
                f"column marks where they were missing: {few}"
            )
        )
    clients, spans, found = _holders(known, asked)
    doubts += found
    telling = [each.name for each in sorted(columns, key=lambda each: -each.distinct)[:3]]
    doubts += checks.copied_rows(known, telling)
    return TableFacts(
        *(len(known), task, classes, tuple(columns), tuple(doubts), untold, clients),
        *(tuple(each.name for each in lacking), ranked, spans),
    )


def _lacks(known: Any, each: ColumnFacts, asked: Asked) -> int:
    """Return how many cells of a column of numbers are none."""
    if each.name in asked.reader.numbers:
        return int(np.isnan(numbers(known[each.name], asked.reader.notation)).sum())
    return each.missing


def _sound(reading: Reading, asked: Asked) -> pd.DataFrame:
    frame = reading.frame
    names = [str(name) for name in frame.columns]
    doubled = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    )
    if doubled:
        what = ", ".join(map(repr, sorted(doubled)))
        raise TableError("path", f"several columns are called {what}; each needs its own name")
    if not asked.target:
        raise TableError("target", f"choose the column to predict: {_listed(names)}")
    for setting, name in (
        *(("target", asked.target), ("client", asked.client)),
        *(("time", asked.time), ("unit", asked.unit)),
        *(("ignore", each) for each in asked.ignore),
        *(("numbers", each) for each in asked.reader.numbers),
        *(("categories", each) for each in asked.reader.categories),
        *(("missing_values", name) for name in asked.reader.notation.columns),
    ):
        if name and name not in names:
            raise TableError(setting, f"there is no column {name!r}; there are {_listed(names)}")
    used = [name for name in (asked.target, asked.client, asked.time, asked.unit) if name]
    for name in used:
        if used.count(name) > 1 or name in asked.ignore:
            raise TableError(
                "target" if name == asked.target else "ignore" if name in asked.ignore else "unit",
                f"{name!r} has two roles; choose one",
            )
    for name in asked.reader.numbers:
        if name in asked.reader.categories:
            raise TableError("numbers", f"{name!r} cannot be a number and a category at once")
    roles = {role: name for name, role in asked.named.items()}
    for role, name in roles.items():
        if role != "not used" and gaps(frame[name]).all():
            raise TableError(role, f"column {name!r} has no value at all; choose another {role}")
    for name in names:
        if name in asked.ignore:
            continue
        if name in reading.nested:
            raise TableError(
                "ignore",
                f"{name!r} has several values in a cell, such as {shown(frame[name].iloc[0])}; "
                "give each a column of its own, or add it to ignore",
                shown(frame[name].iloc[0]),
            )
        if gaps(frame[name]).all():
            raise TableError("ignore", f"column {name!r} has no value at all; add it to ignore")
    return frame


def _names_like_data(known: Any, asked: Asked) -> list[Doubt]:
    """Return a doubt where columns are called as if a row of data had become their names."""
    if asked.header is not None:
        return []
    odd = [name for name in known.columns if NUMBER.fullmatch(name) and is_number(known[name])]
    # numbered columns are usual, and of those that were given no names
    if (
        not odd
        or odd
        == [str(k) for k in range(int(float(odd[0])) if odd[0].isdigit() else 0, 10**6)][: len(odd)]
    ):
        return []
    cells = tuple(map(repr, odd[:3]))
    return [
        Doubt(
            f"{len(odd)} columns have numbers for names ({', '.join(cells)}): if the first row of "
            "data became the names, read the file with header=None; else pass header=True",
            cells,
        )
    ]


Holders = tuple[tuple[str, ...], tuple[tuple[float, float], ...], list[Doubt]]


def _holders(known: Any, asked: Asked) -> Holders:
    """Return the clients, when each was seen, and what is odd about them, times and units."""
    clients: tuple[str, ...] = ()
    doubts: list[Doubt] = []
    if asked.client:
        _whole(known[asked.client], asked, "client", "who holds them")
        clients = tuple(sorted(texts(known[asked.client]).unique(), key=targets.order))
        doubts += checks.same_but_for_case(asked.client, clients)
        doubts += checks.same_numbers(asked.client, clients)
        doubts += checks.rounded_names(asked.client, known[asked.client])
        if len(clients) == 1:
            doubts.append(Doubt(f"{asked.client!r} is the same in every row: one client"))
    if asked.unit:
        _whole(known[asked.unit], asked, "unit", "what they belong to")
        doubts += checks.same_numbers(asked.unit, list(texts(known[asked.unit]).unique()))
        doubts += checks.rounded_names(asked.unit, known[asked.unit])
        if known[asked.unit].nunique() == 1:
            raise TableError(
                "unit",
                f"{asked.unit!r} is the same in every row, so there is nothing to keep together"
                + checks.if_rounded(known[asked.unit]),
            )
    if not asked.time:
        return clients, (), doubts
    when = moments(known[asked.time], asked.time)
    doubts += checks.time_doubts(asked.time, when, known[asked.time])
    if not clients:
        return clients, (), doubts
    rank = np.searchsorted(np.sort(when), when) / len(when)
    codes = (
        texts(known[asked.client]).astype("category").cat.set_categories(list(clients)).cat.codes
    )
    first, last = np.full(len(clients), np.inf), np.full(len(clients), -np.inf)
    np.minimum.at(first, codes, rank)
    np.maximum.at(last, codes, rank)
    return clients, tuple(zip(first.tolist(), last.tolist(), strict=True)), doubts


def late_and_early(facts: TableFacts, fraction: float) -> tuple[Doubt, ...]:
    """Return a doubt where clients were seen only in the latest share of rows, or never there."""
    late = [
        c
        for c, (first, _) in zip(facts.clients, facts.spans, strict=False)
        if first >= 1 - fraction
    ]
    early = [
        c for c, (_, last) in zip(facts.clients, facts.spans, strict=False) if last < 1 - fraction
    ]
    found = []
    if late:
        found.append(
            Doubt(
                f"{len(late)} clients, such as {late[0]!r}, are seen only among the latest rows: "
                "they train on their own earlier rows and are tested on their own latest"
            )
        )
    if early:
        found.append(
            Doubt(
                f"{len(early)} clients, such as {early[0]!r}, are not seen among the latest rows: "
                "they train and have no test rows"
            )
        )
    return tuple(found)


def _whole(column: Any, asked: Asked, setting: str, what: str) -> None:
    """Raise TableError where a row says nothing of who holds it or what it belongs to."""
    name, missing = column.name, gaps(column)
    if missing.any():
        raise TableError(
            setting,
            f"{name!r} is missing in row {row_of(column, missing)} "
            f"({np.count_nonzero(missing)} such rows); give {what}: fill in those cells, or delete "
            "those rows",
        )
    words = {} if name in asked.reader.categories else checks.doubtful_words(column)
    if words:
        word, count = next(iter(words.items()))
        where = row_of(column, (texts(column) == word).to_numpy(bool))
        raise TableError(
            setting,
            f"{name!r} is {word!r} in row {where} ({count:,} such rows), which may mean that it is "
            f"missing; give {what}: fill in those cells, or delete those rows; if {word!r} is one "
            f"like the others, pass categories=({name!r},)",
            repr(word),
        )


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(map(repr, names[:12]))
    return few + (f" and {len(names) - 12} more" if len(names) > 12 else "")
