"""What a column is taken for: a number, a category, or nothing to learn from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fedbench.data.own.cells import (
    COMMA,
    GROUPED,
    MOSTLY,
    PLAIN,
    ZEROS,
    Notation,
    gaps,
    is_date,
    is_number,
    marked,
    negatives,
    numbers,
    row_of,
    shown,
    signed,
    texts,
    written,
)
from fedbench.data.own.checks import (
    IDS,
    number_doubts,
    rounded_names,
    same_but_for_case,
    same_numbers,
    word_doubts,
)
from fedbench.data.own.doubts import Doubt, TableError
from fedbench.data.values import LARGEST, lost_value, standardised

Role = Literal["target", "client", "time", "unit", "number", "category", "not used"]
MOST_LEVELS = 50  # of a category; with more the rarest are one
UNIQUE = 0.9  # different values a row, from which on text is a name and not a category
FEW_TEXTS = 5  # different texts that may be marks among numbers, however many cells say them
FEW_LEVELS = 10  # different texts like "10 mg" up to which they may be names
SOME = 20
EXAMPLES, FIRST = 3, 1000  # different values of the first rows are shown
OTHER, MISSING = "other", "missing"
UNNAMED = re.compile(r"Unnamed: \d+|column \d+|index|row|\s*")


@dataclass(frozen=True)
class ColumnFacts:
    """One column: what it is taken for and why, and what is in it.

    Names and levels are untrusted text. `examples` are cells of the table, and `why` has none.
    """

    name: str
    role: Role
    missing: int
    distinct: int
    examples: tuple[str, ...]
    levels: tuple[str, ...] = ()
    why: str = ""
    told: int = 0  # how many of the levels are texts of the table; the others gather the rest
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Reader:
    """How columns are read: how numbers are written, and what a person said of some columns."""

    notation: Notation = PLAIN
    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def as_number(self, column: Any, name: str, setting: str) -> bool:
        """Return whether a column is to be read as numbers.

        Raises TableError at `setting` where some of it is numbers and some is not, or where numbers
        are written so that they would be taken for texts.
        """
        if name in self.categories:
            return False
        if is_number(column):
            return True
        present: Any = column.dropna()
        if not len(present):
            return False
        wrong = np.isnan(numbers(present, self.notation))
        if name in self.numbers:
            if wrong.all():
                cell = shown(present.iloc[0])
                raise TableError(
                    "numbers", f"{name!r} holds no number, such as {cell}; take it away", cell
                )
            return True
        if not wrong.any():
            return not self.notation.are_codes(list(texts(present).unique()))
        if not wrong.all():
            self._refuse_mixed(present, wrong, name, setting)
        else:
            self._refuse_marks(texts(present), name, setting)
        return False

    def _refuse_mixed(self, present: Any, wrong: Any, name: str, setting: str) -> None:
        odd = present[wrong]
        lost = f"numbers=({name!r},), which takes all {len(odd):,} of {len(present):,} cells for"
        lost += " missing"
        self._refuse_marks(texts(odd), name, setting, lost)
        few = odd.nunique() <= FEW_TEXTS
        if wrong.mean() > MOSTLY and not few and not most_marked(texts(present)):
            return
        cell = shown(odd.iloc[0])
        mark = (
            f"missing_values=({odd.iloc[0]!r},)"
            if len(str(odd.iloc[0])) < 20
            else "missing_values=(…,)"
        )
        raise TableError(
            setting,
            f"{name!r} holds numbers but {cell} in row {row_of(present, wrong)} "
            f"({np.count_nonzero(wrong)} such cells); if that means missing, pass {mark} or "
            f"{lost}; if the column is no number, pass categories=({name!r},) or "
            f"ignore=({name!r},); or mend the cells",
            mark,
            cell,
        )

    def _refuse_marks(self, present: Any, name: str, setting: str, lost: str = "") -> None:
        different = present.unique()
        cells = [signed(str(each)) for each in different[:FIRST]]
        if not cells:
            return
        comma = sum(bool(COMMA.fullmatch(each)) for each in cells) / len(cells)
        grouped = [m for each in cells if (m := GROUPED.fullmatch(each))]
        dotted = sum(each.count(".") == 1 and each.replace(".", "").isdigit() for each in cells)
        k = next((k for k, e in enumerate(cells) if COMMA.fullmatch(e) or GROUPED.fullmatch(e)), 0)
        cell = shown(different[k])
        if self.notation.decimal == "," and dotted > MOSTLY * len(cells):
            raise TableError(
                "decimal",
                f"{name!r} holds numbers that are written as in {cell}; pass decimal='.', or "
                "thousands='.' if the point parts thousands",
                cell,
            )
        if comma > MOSTLY and len(grouped) == len(cells) and self.notation.decimal == ".":
            raise TableError(
                "decimal",
                f"{name!r} holds numbers that are written as in {cell}; pass thousands=',' if the "
                "comma parts thousands, or decimal=',' if it comes before the fraction",
                cell,
            )
        if comma > MOSTLY and self.notation.decimal == ".":
            raise TableError(
                "decimal",
                f"{name!r} holds numbers that are written as in {cell}; set decimal=',', or "
                "add the column to ignore",
                cell,
            )
        if len(grouped) > MOSTLY * len(cells):
            mark = grouped[0].group(1)
            mark = " " if mark.isspace() else mark
            raise TableError(
                "thousands" if mark != self.notation.decimal else setting,
                f"{name!r} holds numbers that are written as in {cell}; pass thousands={mark!r}, "
                "write them as in 1234.5, or add the column to ignore",
                cell,
            )
        names = not lost and len(cells) <= FEW_LEVELS and not any(e.endswith("%") for e in cells)
        if not names and (odd := most_marked(present)):
            raise TableError(
                setting,
                f"{name!r} holds {odd[0]:,} numbers that are written as in {odd[1]}; write them "
                "as in 1234.5, without a unit, a sign or a second number, or pass "
                f"categories=({name!r},) or ignore=({name!r},)" + (f", or {lost}" if lost else ""),
                odd[1],
            )

    def mark_doubts(self, column: Any, name: str) -> list[Doubt]:
        """Return a doubt where texts are numbers with a unit or sign, and were not asked for."""
        if name in self.categories or not (odd := most_marked(texts(column).dropna())):
            return []
        count, cell = odd
        return [
            Doubt(
                f"{name!r}: {count:,} cells are numbers with a unit, a sign or a second number, "
                f"such as {cell}, and are read as texts; write them as in 1234.5 to have numbers, "
                f"or pass categories=({name!r},) if they are names",
                (cell,),
            )
        ]


def most_marked(present: Any) -> tuple[int, str] | None:
    """Return how many texts are numbers with marks, and one of them; None unless most are."""
    different = [str(each) for each in present.unique()]
    first = different[:FIRST]
    some = marked(first)
    among = present[present.isin(first)]
    if len(some) <= MOSTLY * len(first) and among.isin(some).sum() <= MOSTLY * len(among):
        return None
    return int(present.isin(marked(different)).sum()), shown(some[0])


def column_facts(
    reader: Reader, column: Any, name: str, asked: Role | None, whole: Any
) -> ColumnFacts:
    """Return what a column is taken for; `whole` has the rows without a target as well.

    Raises TableError where it is neither a number nor a category.
    """
    import pandas as pd

    present = column.dropna()
    distinct = int(present.nunique())
    missing = len(column) - len(present)
    examples = tuple(shown(value) for value in present.head(FIRST).unique()[:EXAMPLES])

    def facts(
        role: Role, why: str, *doubts: Doubt, levels: Sequence[str] = (), told: int = 0
    ) -> Any:
        return ColumnFacts(
            name, role, missing, distinct, examples, tuple(levels), why, told, doubts
        )

    def out(why: str) -> ColumnFacts:
        return facts("not used", why, Doubt(f"{name!r} is not used: {why}"))

    if asked is not None:
        return facts(asked, "as asked")
    if distinct == 0:
        return out("it has no value where the target has one")
    if distinct == 1 and not missing:
        return out("it has the same value in every row")
    if pd.api.types.is_complex_dtype(column):
        return out("complex numbers are not used; make columns of their parts or their size")
    forced = name in reader.categories or name in reader.numbers
    if not forced and not is_number(column) and is_date(column):
        return out("dates are not used as features; set its role to time, or convert it to numbers")
    if reader.as_number(column, name, "path"):
        return _number(reader, column, name, distinct, whole, facts, out)
    if not forced and len(present) >= SOME and distinct > UNIQUE * len(present):
        return out(
            f"looks like an ID: almost every value is different; pass categories=({name!r},) to "
            "use it"
        )
    counts = texts(present).value_counts()
    # by how common they are, then by name: the same whatever the order of rows
    common = sorted(counts.index, key=lambda level: (-counts[level], level))
    many = len(common) > MOST_LEVELS
    levels = sorted(common[: MOST_LEVELS - 1] if many else common)
    rest = [*([OTHER] if many else []), *([MISSING] if missing else [])]
    why = f"{len(common)} different texts"
    if many:
        why += f"; all but the {MOST_LEVELS - 1} most common count as {OTHER!r}"
    return facts(
        "category",
        why,
        *_category_doubts(reader, present, name, why if many else ""),
        levels=[*levels, *rest],
        told=len(levels),
    )


def _number(
    reader: Reader, column: Any, name: str, distinct: int, whole: Any, facts: Any, out: Any
) -> Any:
    values = numbers(column, reader.notation)
    large = np.abs(values) > LARGEST
    if large.any():
        what = "infinite" if np.isinf(values[large][0]) else "larger than can be computed with"
        raise TableError(
            "path", f"{name!r} is {what} in row {row_of(column, large)}; mend or empty that cell"
        )
    known = values[~np.isnan(values)]
    scaled = standardised(known, np.ones(len(known), dtype=bool))
    if (found := lost_value(known[:, None], scaled[:, None])) is not None:
        cell = known[found[0]]
        where = row_of(column, values == cell)
        raise TableError("path", far_cell(name, cell, found[2], where), written(cell))
    different = len(np.unique(known))
    if different == 1 < distinct:
        return out(
            f"its {distinct} different values are one to the 15 digits of a number; pass "
            f"categories=({name!r},) to read them as texts"
        )
    integral = bool((known % 1 == 0).all())
    if name not in reader.numbers and integral and _numbers_rows(numbers(whole), name):
        return out("it only numbers the rows")
    doubts = number_doubts(name, values, integral)
    if not is_number(column):
        doubts += negatives(name, column)
    lost = ~gaps(column) & np.isnan(values)
    if lost.any():
        cell = shown(column[lost].iloc[0])
        doubts.append(
            Doubt(
                f"{name!r}: {np.count_nonzero(lost):,} cells that are no numbers, such as {cell}, "
                "are read as missing",
                (cell,),
            )
        )
    if is_number(column) and different < distinct:
        doubts.append(
            Doubt(
                f"{name!r}: {distinct:,} different values are {different:,} numbers, which have 15 "
                f"digits; pass categories=({name!r},) to read them as texts"
            )
        )
    return facts("number", f"numbers, {different} different", *doubts)


def far_cell(name: str, cell: float, why: str, row: int | None = None) -> str:
    """Return a message about a cell that leaves no room for the others."""
    where = "" if row is None else f" in row {row}"
    return (
        f"{name!r} is {written(cell)}{where}, {why}; correct or empty that cell, or pass "
        f"missing_values=('{name}={written(cell)}',) if it means missing"
    )


def _numbers_rows(values: Any, name: str) -> bool:
    """Return whether a column counts the rows, or is without a name and tells each row apart."""
    if len(values) <= 2 or np.isnan(values).any():
        return False
    if (np.diff(values) == 1).all() and (values[0] in (0, 1) or IDS.search(name)):
        return True
    return bool(UNNAMED.fullmatch(name)) and len(np.unique(values)) == len(values) >= SOME


def _category_doubts(reader: Reader, column: Any, name: str, why: str) -> list[Doubt]:
    present: Any = texts(column)
    different = [str(each) for each in present.unique()]
    found = [*same_but_for_case(name, different[:FIRST]), *same_numbers(name, different)]
    found += rounded_names(name, column)
    if why:
        found.append(Doubt(f"{name!r} has {why}"))
    elif len(present) < SOME and len(different) == len(present) > 2:
        found.append(Doubt(f"{name!r} has another text in each row, as an ID has"))
    found += word_doubts(name, present, reader.categories)
    if name in reader.categories:
        return found
    values = numbers(present, reader.notation)
    some = int(np.count_nonzero(~np.isnan(values)))
    if some == len(present):
        zeros = next((each for each in different if ZEROS.fullmatch(each)), None)
        cell = shown(different[0] if zeros is None else zeros)
        what = "more digits than a number has" if zeros is None else "leading zeros"
        found.append(
            Doubt(
                f"{name!r} holds numbers with {what}, such as {cell}, and is read as a code; pass "
                f"numbers=({name!r},) to read it as numbers",
                (cell,),
            )
        )
    elif some:
        cell = shown(present[~np.isnan(values)].iloc[0])
        found.append(
            Doubt(
                f"{name!r} is read as a category, and {some:,} of its cells are numbers, such as "
                f"{cell}; pass numbers=({name!r},) to read the other {len(present) - some:,} as "
                "missing",
                (cell,),
            )
        )
    else:
        found += reader.mark_doubts(present, name)
    return found
