"""What the columns of a table are taken for, and what is odd about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fedbench.data.card import Task
from fedbench.data.own.cells import (
    gaps,
    holds_numbers,
    is_date,
    is_number,
    moments,
    numbers,
    row_of,
    shown,
    texts,
)
from fedbench.data.own.reading import TableError

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["target", "client", "time", "unit", "number", "category", "left out"]
MOST_LEVELS = 50  # of a category; with more the rarest are one
FEW = 20  # different whole numbers up to which a target is one of classes
UNIQUE = 0.9  # different values a row, from which on text is a name and not a category
LEAK = 0.999  # correlation with the target that is too good
EXAMPLES, FIRST = 3, 1000  # different values of the first rows are shown
MOST_CLASSES = 1000
OTHER, MISSING = "other", "missing"


@dataclass(frozen=True)
class ColumnFacts:
    """One column: its role and the reason for it, and its content. Names are untrusted text."""

    name: str
    role: Role
    missing: int
    distinct: int
    examples: tuple[str, ...]
    levels: tuple[str, ...] = ()
    why: str = ""
    told: int = 0  # how many of the levels are texts of the table; the others gather the rest


@dataclass(frozen=True)
class TableFacts:
    """How a table was read: rows, columns, task and remarks."""

    rows: int
    task: Task
    classes: tuple[str, ...]
    columns: tuple[ColumnFacts, ...]
    cautions: tuple[str, ...] = ()
    untold: int = 0  # rows without a target, which are left out
    clients: tuple[str, ...] = ()
    lacking: tuple[str, ...] = field(default=())  # numbers with missing cells

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


@dataclass(frozen=True)
class Asked:
    """The roles set by a person; an empty text sets none."""

    target: str
    client: str = ""
    time: str = ""
    unit: str = ""
    ignore: tuple[str, ...] = ()
    task: Task = "classification"

    @property
    def named(self) -> dict[str, Role]:
        """Return the columns that are no features, by name."""
        asked: dict[str, Role] = {self.target: "target", self.client: "client"}
        asked |= {self.time: "time", self.unit: "unit"}
        asked |= dict.fromkeys(self.ignore, "left out")
        return {name: role for name, role in asked.items() if name}


def understand(frame: pd.DataFrame, asked: Asked) -> TableFacts:
    """Return what each column is taken for. Raises TableError that names the setting at fault."""
    frame = _sound(frame, asked).reset_index(drop=True)  # rows are counted as they stand
    told = ~gaps(frame[asked.target])
    untold = int(np.count_nonzero(~told))
    known: Any = frame.loc[told]  # its columns are Series, which the stubs of pandas do not know
    task, classes = _target(known[asked.target], asked)
    cautions = [] if not untold else [f"{untold} rows without {asked.target!r} are dropped"]
    columns = []
    for name in frame.columns:
        role = asked.named.get(name)
        facts = _column(known[name], name, role)
        columns.append(facts)
        if facts.role == "left out" and role is None:
            cautions.append(f"{name!r} is not used: {facts.why}")
    features = [each for each in columns if each.role in ("number", "category")]
    if not features:
        raise TableError("path", "no column is left to learn from")
    cautions += _leaks(known, features, asked.target, task)
    lacking = tuple(c.name for c in features if c.role == "number" and c.missing)
    if lacking:
        few = ", ".join(map(repr, lacking[:5])) + ("…" if len(lacking) > 5 else "")
        cautions.append(
            "missing numbers are filled with the median of the training rows, and an extra "
            f"column marks where they were missing: {few}"
        )
    clients: tuple[str, ...] = ()
    if asked.client:
        _whole(known[asked.client], asked.client, "client", "who holds them")
        clients = tuple(sorted(texts(known[asked.client]).unique(), key=_order))
    if asked.unit:
        _whole(known[asked.unit], asked.unit, "unit", "what they belong to")
        if known[asked.unit].nunique() == 1:
            raise TableError(
                "unit",
                (f"{asked.unit!r} is the same in every row, so there is nothing to keep together"),
            )
    if asked.time:
        moments(known[asked.time], asked.time)
    if doubled := _copies(known, columns):
        cautions.append(
            f"{doubled} rows are duplicates of others: some will be both trained on and tested"
        )
    return TableFacts(
        len(known), task, classes, tuple(columns), tuple(cautions), untold, clients, lacking
    )


def likely_task(column: pd.Series) -> Task:
    """Return what is told of a target: classes, unless it holds numbers of many values."""
    try:
        if not holds_numbers(column, "", "target"):
            return "classification"
    except TableError:  # it will be said when the table is looked at
        return "regression"
    values: Any = numbers(column).dropna().unique()
    few = len(values) <= min(FEW, len(column) / 2)
    return "classification" if few and bool((values % 1 == 0).all()) else "regression"


def _sound(frame: pd.DataFrame, asked: Asked) -> pd.DataFrame:

    names = [str(name).strip() for name in frame.columns]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        what = ", ".join(map(repr, sorted(doubled)))
        raise TableError("path", f"several columns are called {what}; each needs its own name")
    frame = frame.set_axis(names, axis=1)
    if not asked.target:
        raise TableError("target", f"choose the column to predict: {_listed(names)}")
    for setting, name in (
        ("target", asked.target),
        ("client", asked.client),
        ("time", asked.time),
        ("unit", asked.unit),
        *(("ignore", each) for each in asked.ignore),
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
    for name in names:
        if name not in asked.ignore and gaps(frame[name]).all():
            raise TableError(
                "ignore" if name not in used else "target",
                f"column {name!r} has no value at all; add it to ignore",
            )
    return frame


def _target(column: Any, asked: Asked) -> tuple[Task, tuple[str, ...]]:
    name = asked.target
    numeric = holds_numbers(column, name, "target")
    if asked.task == "regression":
        bad = ~np.isfinite(numbers(column).to_numpy())
        if bad.any():
            raise TableError(
                "task",
                f"{name!r} is {shown(column[bad].iloc[0])} in row {row_of(column, bad)}, which "
                "is not a number; a regression predicts numbers",
            )
        if column.nunique() == 1:
            raise TableError("target", f"{name!r} is {shown(column.iloc[0])} in every row")
        return "regression", ()
    found = sorted(texts(column).unique(), key=_order)
    if len(found) == 1:
        raise TableError("target", f"{name!r} is {found[0]!r} in every row: one class only")
    if len(found) > MOST_CLASSES:
        remedy = "; for numbers set task = 'regression'" if numeric else ""
        raise TableError(
            "target", f"{name!r} has {len(found):,} different values; these are not classes{remedy}"
        )
    return "classification", tuple(found)


def _column(column: pd.Series, name: str, asked: Role | None) -> ColumnFacts:
    present = column.dropna()
    distinct = int(present.nunique())
    missing = len(column) - len(present)
    examples = tuple(shown(value) for value in present.head(FIRST).unique()[:EXAMPLES])

    def facts(role: Role, why: str, levels: Sequence[str] = (), told: int = 0) -> ColumnFacts:
        return ColumnFacts(name, role, missing, distinct, examples, tuple(levels), why, told)

    if asked is not None:
        return facts(asked, "as asked")
    if distinct == 0:
        return facts("left out", "it has no value where the target has one")
    if distinct == 1 and not missing:
        return facts("left out", f"it is {examples[0]} in every row")
    if not is_number(column) and is_date(column):
        return facts(
            "left out",
            ("dates are not used as features; set its role to time, or convert it to numbers"),
        )
    if holds_numbers(column, name, "path"):
        values = numbers(column).to_numpy()
        infinite = np.isinf(values)
        if infinite.any():
            raise TableError(
                "path",
                f"{name!r} is infinite in row {row_of(column, infinite)}; mend or empty that cell",
            )
        if len(values) > 2 and values[0] in (0, 1) and (np.diff(values) == 1).all():
            return facts("left out", "it only numbers the rows")
        return facts("number", f"numbers, {distinct} different")
    if distinct > MOST_LEVELS and distinct > UNIQUE * len(present):
        return facts("left out", "looks like an ID: almost every value is different")
    counts = texts(present).value_counts()
    # by how common they are, then by name: the same whatever the order of rows
    common = sorted(counts.index, key=lambda level: (-counts[level], level))
    many = len(common) > MOST_LEVELS
    levels = sorted(common[: MOST_LEVELS - 1] if many else common)
    rest = [*([OTHER] if many else []), *([MISSING] if missing else [])]
    why = f"{len(common)} different texts"
    if many:
        why += f"; all but the {MOST_LEVELS - 1} most common count as {OTHER!r}"
    return facts("category", why, [*levels, *rest], len(levels))


def _leaks(frame: Any, features: Sequence[ColumnFacts], target: str, task: Task) -> list[str]:
    """Return a sentence for each column that tells the target by itself."""
    codes = texts(frame[target]).factorize()[0] if task == "classification" else None
    y = numbers(frame[target]).to_numpy() if codes is None else codes.astype(np.float64)
    found = []
    for each in features:
        column = frame[each.name]
        if each.role == "number":
            x = numbers(column).to_numpy()
            x = x - np.nanmean(x)  # large numbers that differ little
            known = ~np.isnan(x)
            tells = x[known].std() > 0 and y[known].std() > 0
            if tells and abs(np.corrcoef(x[known], y[known])[0, 1]) > LEAK:
                found.append(_leak(each.name, target))
        elif codes is not None:
            levels = texts(column).fillna(MISSING).factorize()[0]
            table = np.zeros((levels.max() + 1, codes.max() + 1))
            np.add.at(table, (levels, codes), 1)
            sure = table.max(axis=1).sum() / len(codes)
            if sure > LEAK > table.sum(axis=0).max() / len(codes):
                found.append(_leak(each.name, target))
    return found


def _copies(known: Any, columns: Sequence[ColumnFacts]) -> int:
    """Return how many rows are copies of others."""
    # rows that differ in the columns that tell most apart differ: the others need no look
    telling = sorted(columns, key=lambda each: -each.distinct)[:3]
    if not known.duplicated(subset=[each.name for each in telling]).any():
        return 0
    return int(known.duplicated().sum())


def _leak(name: str, target: str) -> str:
    return f"{name!r} alone predicts {target!r}: if it is only known afterwards, add it to ignore"


def _whole(column: pd.Series, name: str, setting: str, what: str) -> None:
    """Raise TableError where a row says nothing of who holds it or what it belongs to."""
    missing = gaps(column)
    if missing.any():
        raise TableError(
            setting,
            f"{name!r} is missing in row {row_of(column, missing)} "
            f"({np.count_nonzero(missing)} such rows); give {what}",
        )


def _order(text: str) -> tuple[int, float, str]:
    """Numbers in their order, then texts in theirs."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(map(repr, names[:12]))
    return few + (f" and {len(names) - 12} more" if len(names) > 12 else "")
