"""What a person asked of a table, and what its target is: classes, rare ones, or a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.data.card import Task
from fedbench.data.own import checks
from fedbench.data.own.cells import numbers, row_of, shown, texts
from fedbench.data.own.doubts import Doubt, TableError
from fedbench.data.own.roles import LARGEST, Reader, Role

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
    return "classification" if few and bool((values % 1 == 0).all()) else "regression"


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
            raise TableError(
                "task",
                f"{name!r} is {cell} in row {row_of(column, bad)}, which is not "
                "a number; a regression predicts numbers: set task = 'classification', or correct "
                "that cell",
                cell,
            )
        if distinct == 1:
            raise TableError("target", f"{name!r} has the same value in every row")
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
        raise TableError("target", f"{name!r} is {found[0]!r} in every row: one class only")
    remedy = "; for numbers set task = 'regression'" if numeric else ""
    if len(found) > MOST_CLASSES:
        raise TableError(
            "target", f"{name!r} has {len(found):,} different values; these are not classes{remedy}"
        )
    if len(found) == len(column) > 2:
        raise TableError(
            "target", f"{name!r} has another value in every row; these are not classes{remedy}"
        )
    doubts = checks.class_doubts(name, counts)
    if numeric and len(found) > 2:
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
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
