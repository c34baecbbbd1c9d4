"""What a person asked of a table, and what its target is: classes, rare ones, or a number."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.data.card import Task
from fedbench.data.own import checks
from fedbench.data.own.cells import numbers, row_of, shown, texts
from fedbench.data.own.doubts import Doubt, TableError
from fedbench.data.own.roles import Reader, Role
from fedbench.data.values import LARGEST, SMALLEST

if TYPE_CHECKING:
    import pandas as pd

FEW = 20  # different whole numbers up to which a target is one of classes
MOST_CLASSES = 1000
RARE = 0.1  # of the rows, up to which the rarer of two classes is a rare event
Understood = tuple[Task, tuple[str, ...], bool, list[Doubt]]


@dataclass(frozen=True)
class Asked:
    """What a person said of the columns; an empty text says nothing."""

    target: str
    client: str = ""
    time: str = ""
    unit: str = ""
    ignore: tuple[str, ...] = ()
    task: Task = "classification"
    ranked: bool | None = None
    header: bool | None = None
    reader: Reader = field(default_factory=Reader)

    @property
    def named(self) -> dict[str, Role]:
        """Return the columns that are no features, by name."""
        asked: dict[str, Role] = {self.target: "target", self.client: "client"}
        asked |= {self.time: "time", self.unit: "unit"}
        asked |= dict.fromkeys(self.ignore, "not used")
        return {name: role for name, role in asked.items() if name}


def likely_task(column: pd.Series, reader: Reader, name: str) -> Task:
    """Return what is predicted of a target: classes, unless it holds numbers of many values."""
    try:
        if not reader.as_number(column, name, "target"):
            return "classification"
    except TableError:  # it will be said when the table is looked at
        return "regression"
    values = numbers(column, reader.notation)
    values = np.unique(values[~np.isnan(values)])
    few = len(values) <= min(FEW, len(column) / 2)
    whole = np.isfinite(values) & (values == np.floor(values))
    return "classification" if few and bool(whole.all()) else "regression"


def understood(column: Any, asked: Asked) -> Understood:
    """Return the task, the classes, whether they are ranked, and what is odd about a target."""
    name, reader = asked.target, asked.reader
    numeric = reader.as_number(column, name, "target")
    distinct = column.nunique()
    if asked.task == "regression":
        if asked.ranked:
            raise TableError("ranked", "only two classes can be ranked, and the target is a number")
        values = numbers(column, reader.notation)
        bad = ~(np.abs(values) <= LARGEST)
        if bad.any():
            cell = shown(column[bad].iloc[0])
            where = f"{name!r} is {cell} in row {row_of(column, bad)}"
            if np.isnan(values[bad][0]):
                raise TableError(
                    "task",
                    f"{where}, which is not a number; a regression predicts numbers: set task = "
                    "'classification', or correct that cell",
                    cell,
                )
            raise TableError(
                "target",
                f"{where}, and numbers up to {LARGEST:g} can be predicted; correct that cell, or "
                "give the target in a larger unit",
                cell,
            )
        if np.ptp(values) == 0:
            also = "" if distinct == 1 else " to the 15 digits of a number"
            raise TableError("target", f"{name!r} has the same value in every row{also}")
        if np.ptp(values) < SMALLEST:
            raise TableError(
                "target",
                f"{name!r} differs by {np.ptp(values):.1g} at most, and differences from "
                f"{SMALLEST:g} on can be predicted; give the target in a smaller unit",
            )
        doubts = checks.number_doubts(name, values, whole=False)
        if distinct <= FEW:
            doubts.append(
                Doubt(
                    f"{name!r} has {distinct} different values and is predicted as a number; pass "
                    "task='classification' if they are classes"
                )
            )
        return "regression", (), False, doubts
    counts = {str(key): int(n) for key, n in texts(column).value_counts().items()}
    found = sorted(counts, key=order)
    if len(found) == 1:
        why = f"{name!r} is {found[0]!r} in every row: one class only{checks.if_rounded(column)}"
        raise TableError("target", why)
    everywhere = len(found) == len(column) > 2
    if everywhere or len(found) > MOST_CLASSES:
        many = (
            f"{len(found):,} different values"
            if len(found) > MOST_CLASSES
            else "another value in every row"
        )
        no_numbers = np.isnan(numbers(column, reader.notation)).any()
        remedy = "" if no_numbers else "; for numbers set task = 'regression'"
        raise TableError("target", f"{name!r} has {many}; these are not classes{remedy}")
    doubts = [*checks.class_doubts(name, counts), *checks.rounded_names(name, column)]
    doubts += checks.word_doubts(name, column, reader.categories)
    if not numeric:
        doubts += reader.mark_doubts(column, name)
    elif len(found) > 2:
        doubts.append(
            Doubt(
                f"{name!r} holds {len(found)} different numbers, which are taken for classes; pass "
                "task='regression' to predict a number"
            )
        )
    ranked, more = _ranked(name, counts, asked.ranked)
    return "classification", tuple(found), ranked, doubts + more


def _ranked(name: str, counts: dict[str, int], asked: bool | None) -> tuple[bool, list[Doubt]]:
    if len(counts) != 2:
        if asked:
            raise TableError(
                "ranked", f"only two classes can be ranked, and {name!r} has {len(counts)}"
            )
        return False, []
    rare = min(counts, key=lambda each: counts[each])
    share = counts[rare] / sum(counts.values())
    if share > RARE:
        return bool(asked), []
    if asked is False:
        why = f"to predict the other always is right in {1 - share:.1%}"
    else:
        why = "so AUC is shown first; pass ranked=False to show accuracy first"
    return asked is not False, [Doubt(f"only {share:.1%} of rows have {name!r} = {rare!r}, {why}")]


def order(text: str) -> tuple[int, float, str]:
    """Return a sort key: numbers in their order, then texts in theirs."""
    with suppress(ValueError):
        if not isnan(number := float(text)):  # NaN is in no order
            return 0, number, text
    return 1, 0.0, text
