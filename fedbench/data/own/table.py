"""A table of one's own as a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PrivateAttr

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.card import Card, Task
from fedbench.data.holdout import by_time
from fedbench.data.own import encodings, features, reading
from fedbench.data.own.cells import Notation, gaps, moments, numbers, texts
from fedbench.data.own.doubts import TableError
from fedbench.data.own.facts import TableFacts, late_and_early, understand
from fedbench.data.own.formats import How
from fedbench.data.own.reading import Stamp
from fedbench.data.own.roles import Reader, far_cell
from fedbench.data.own.targets import Asked, likely_task
from fedbench.data.source import RandomSplit, Raw, Timed
from fedbench.data.values import Features, lost_value, standardised

if TYPE_CHECKING:
    import pandas as pd


class Table(RandomSplit, Timed):
    """A custom table: a DataFrame, or a CSV, Excel or Parquet file, one row per example.

    `fb.Table(frame_or_path, target="ill", client="hospital")`. The role of each column is inferred
    and shown by `facts`. Numbers are standardised by the training rows; a missing one is replaced
    by their median, and an extra column marks where it was missing. Texts become one indicator per
    value, with missing as a value. The test set is drawn from each client and class alike; with
    `time` it is the latest rows; rows of one `unit`, such as a patient, stay together. A DataFrame
    is remembered in this process only: to keep an experiment, use a file.

    What could be meant in two ways is refused, with the argument by which to choose:
    `missing_values`, `numbers` and `categories` for cells and columns, `decimal` and `thousands`
    for numbers, `header`, `separator`, `encoding` and `sheet` for files.
    """

    display: ClassVar[str] = "Your own table"

    path: Annotated[
        str,
        Field(
            title="File",
            description="path of a CSV, Excel or Parquet file",
        ),
    ] = ""
    target: Annotated[str, Field(title="Target", description="column to predict")] = ""
    client: Annotated[
        str,
        Field(
            title="Client", description="column naming the holder of each row, such as a hospital"
        ),
    ] = ""
    # Left out, it is inferred from the target when the object is made, and then written out.
    task: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]
        Literal["classification", "regression"],
        Field(title="Task", description="whether to predict classes or numbers"),
    ] = "classification"
    time: Annotated[
        str,
        Field(
            title="Time",
            description="column of times or dates; the latest rows are then the test set",
        ),
    ] = ""
    unit: Annotated[
        str,
        Field(
            title="Unit",
            description="rows with the same value, e.g. a patient, stay together in the split",
        ),
    ] = ""
    ignore: Annotated[
        tuple[str, ...], Field(title="Ignore", description="names of columns that are not used")
    ] = ()
    ranked: Annotated[  # pyright: ignore[reportIncompatibleVariableOverride]
        bool | None,
        Field(
            title="Rare event",
            description="whether models are judged by AUC first, because one of two classes is "
            "rare; left out, that is so where it has at most a tenth of the rows",
            json_schema_extra={"none": "automatic"},
        ),
    ] = None
    numbers: Annotated[
        tuple[str, ...],
        Field(
            title="Numbers",
            description="names of columns to read as numbers; their other cells count as missing",
        ),
    ] = ()
    categories: Annotated[
        tuple[str, ...],
        Field(
            title="Categories",
            description="names of columns to read as texts, such as codes that are written as "
            "numbers",
        ),
    ] = ()
    missing_values: Annotated[
        tuple[str, ...],
        Field(
            title="Missing values",
            description='texts that mean a missing value besides the usual ones, or "column=text" '
            "for one column alone",
        ),
    ] = ()
    decimal: Annotated[
        Literal[".", ","],
        Field(title="Decimal", description="the mark before the fraction of a number"),
    ] = "."
    thousands: Annotated[
        Literal["", ",", ".", " ", "'"],
        Field(title="Thousands", description="the mark between groups of three digits, if any"),
    ] = ""
    header: Annotated[
        bool | None,
        Field(
            title="Header",
            description="whether the first row names the columns; left out, it is taken for names "
            "unless it looks like data",
            json_schema_extra={"none": "automatic"},
        ),
    ] = None
    separator: Annotated[
        Literal["auto", ",", ";", "tab", "|", "blanks"],
        BeforeValidator(lambda mark: {"\t": "tab", " ": "blanks"}.get(mark, mark)),
        Field(title="Separator", description="the mark between the cells of a text file"),
    ] = "auto"
    encoding: Annotated[
        Literal["auto", *encodings.UNICODE, *encodings.LEGACY],  # pyright: ignore
        BeforeValidator(encodings.same_codec),
        Field(title="Encoding", description="the encoding of a text file"),
    ] = "auto"
    sheet: Annotated[
        str, Field(title="Sheet", description="which sheet of an Excel file, if it has several")
    ] = ""
    largest: Annotated[
        float,
        Field(
            gt=0,
            title="Largest file",
            description="size up to which a file is read; larger ones are refused",
            json_schema_extra={"unit": "GB"},
        ),
    ] = 1.0

    _written: Stamp | None = PrivateAttr(default=None)

    def __init__(self, data: pd.DataFrame | str | object = None, /, **fields: Any) -> None:
        """Take a table as the first argument, or the path of one by name."""
        if data is not None:
            fields["path"] = _path(data)
        if "task" not in fields and (task := _inferred(fields)):
            fields["task"] = task
        super().__init__(**fields)
        # Two tables are equal if their files are: a file that changed is never served from memory.
        self._written = reading.stamp(self.path)

    @property
    def facts(self) -> TableFacts:
        """Return what the columns are taken for, and what is odd about them.

        Raises TableError, a ValueError, that says what is wrong and what would be right.
        """
        if reading.stamp(self.path) != self._written:
            raise TableError(
                "path", f"{self.path!r} has changed since it was read; create the Table again"
            )
        return _facts(self.path, self._written, self._how, self._asked, self._named)

    def head(self, rows: int = 5) -> pd.DataFrame:
        """Return the first rows as they are read. Raises TableError where there is no table."""
        return self._read().frame.head(rows)

    @property
    def shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return how many features there are, which only reading tells."""
        return (len(features.names(self.facts)),)

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many clients there are, if a column says so."""
        return {self.client: len(self.facts.clients)} if self.client else {}

    @property
    def rare(self) -> bool:
        """Return whether AUC is shown first, as asked or because one of two classes is rare."""
        try:
            return self.facts.ranked
        except TableError:
            return False

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a table that cannot be used."""
        try:
            _ = self.facts
        except TableError as error:
            yield Problem(f".{error.field}", str(error), getattr(self, error.field, self.kind()))

    @property
    def fitted(self) -> tuple[str, ...]:
        """Return what is computed from the rows before any noise."""
        medians = ("the medians that fill missing numbers",) if self.facts.lacking else ()
        return (*super().fitted, *medians, *self.exposed)

    @property
    def exposed(self) -> tuple[str, ...]:
        """Return what a single row can change visibly: it decides the shape of the model."""
        facts = self.facts
        found = []
        if any(each.role == "category" for each in facts.columns):
            found.append("the levels of each category")
        if facts.lacking:
            found.append("which columns have missing cells")
        if facts.task == "classification":
            found.append("the classes")
        return tuple(found)

    def cautions(self, samples: bool = False) -> tuple[str, ...]:
        """Return what was left out, filled in or looks odd; with `samples` cells are quoted."""
        facts = self.facts
        said = facts.cautions if samples else facts.public_cautions
        share = self.test_fraction
        return (*said, *(each.text for each in late_and_early(facts, share)))

    def __repr__(self) -> str:
        """Return the code that makes this table."""
        return self.code()

    __str__ = __repr__

    def table(self) -> Raw:
        """Return the features of all rows that have a target; missing numbers are NaN."""
        facts = self.facts
        frame = self._read().frame
        frame = frame.loc[~gaps(frame[self.target])]
        numeric = [each for each in facts.columns if each.role == "number"]
        # not yet float32, which knows seven digits: of a date in seconds none that tells days
        x: Any = np.empty((len(frame), len(features.names(facts))))
        for k, each in enumerate(numeric):
            x[:, k] = numbers(frame[each.name], self._notation)
        for k, name in enumerate(facts.lacking, start=len(numeric)):
            x[:, k] = np.isnan(numbers(frame[name], self._notation))
        at = len(numeric) + len(facts.lacking)
        for each in facts.columns:
            if each.role == "category":
                x[:, at : at + len(each.levels)] = features.indicators(frame[each.name], each)
                at += len(each.levels)
        columns = {}
        if self.client:
            columns = {self.client: features.coded(frame[self.client], facts.clients)}
        return Raw(
            self._card(facts),
            x,
            self._targets(frame, facts),
            columns,
            time=moments(frame[self.time], self.time) if self.time else None,
            units=texts(frame[self.unit]).factorize()[0] if self.unit else None,
        )

    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return the latest rows where there is a time, else a share of each stratum."""
        if raw.time is None:
            return super().held_out(raw)
        owners = None if raw.natural is None else raw.natural.codes
        late = by_time(raw.time, self.test_fraction, owners, raw.units)
        if late.all():
            raise TableError(
                "unit",
                f"every {self.unit!r} also occurs in the latest {self.test_fraction:.0%} of "
                "rows, so nothing is left to train on; choose a smaller test share, or no time",
            )
        return late

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return numbers filled and standardised by the training rows, indicators as they are."""
        count = sum(each.role == "number" for each in self.facts.columns)
        x = np.empty(raw.x.shape, dtype=np.float32)
        x[:, count:] = raw.x[:, count:]
        for k in range(count):
            column = raw.x[:, k].astype(np.float64)
            gap = np.isnan(column)
            if gap.any():
                known = column[~held & ~gap]
                column[gap] = np.median(known) if len(known) else 0.0
            x[:, k] = standardised(column, ~held)
            if (found := lost_value(column[:, None], x[:, k : k + 1])) is not None:
                row, _, why = found
                raise TableError("path", far_cell(raw.card.features[k], column[row], why))
        return x

    @property
    def _asked(self) -> Asked:
        reader = Reader(self._notation, self.numbers, self.categories)
        named = self.target, self.client, self.time, self.unit, self.ignore
        return Asked(*named, self.task, self.ranked, self.header, reader)

    @property
    def _notation(self) -> Notation:
        return Notation(self.decimal, self.thousands, self.missing_values)

    @property
    def _how(self) -> How:
        file = self.encoding, self.separator, self.header, self.sheet
        return How(*file, self.decimal, self.largest)

    @property
    def _named(self) -> tuple[str, ...]:
        """Return the columns that say what something is called: their texts count, not numbers."""
        classes = (self.target,) if self.task == "classification" else ()
        return (*classes, self.client, self.unit, *self.categories)

    def _read(self) -> reading.Reading:
        return reading.read(self.path, self._how, self._notation, self._named)

    def _targets(self, frame: Any, facts: TableFacts) -> NDArray[np.generic]:
        if facts.task == "regression":
            return numbers(frame[self.target], self._notation)
        return features.coded(frame[self.target], facts.classes).codes

    def _card(self, facts: TableFacts) -> Card:
        name = "a DataFrame" if self.path.startswith(reading.FRAME) else self.path
        names = features.names(facts)
        return Card(
            name="Table",
            source=name,
            licence="your own",
            task=facts.task,
            shape=(len(names),),
            features=names,
            target=self.target,
            classes=facts.classes,
            client=self.client,
            traps=facts.public_cautions,
        )


def _path(data: object) -> str:
    if isinstance(data, str | PathLike):
        return str(data)
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        return reading.keep(data)  # pyright: ignore[reportArgumentType]
    raise TypeError(f"a table is a DataFrame or the path of a file, not {type(data).__name__}")


# The base says that these belong to the class; here each table has its own.
Table.__class_vars__ -= {"task", "ranked"}


def _inferred(fields: Mapping[str, Any]) -> Task | None:
    """Return the task that the target suggests, None where that cannot be said yet."""
    target = fields.get("target")
    if not isinstance(target, str) or not target:
        return None
    try:
        table = Table(**fields, task="classification")
        column = reading.column(table.path, table._how, table._notation, target)
    except ValueError:  # which is said when the table is made, or looked at
        return None
    return None if column is None else likely_task(column, table._asked.reader, target)


@lru_cache(maxsize=16)
def _facts(
    path: str, written: Stamp | None, how: How, asked: Asked, named: tuple[str, ...]
) -> TableFacts:
    return understand(reading.read(path, how, asked.reader.notation, named), asked)
