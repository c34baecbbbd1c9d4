"""Where data come from: a source reads one table, and a test set is held out of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.kinds import is_user_class
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.config.usercode import attributed
from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.holdout import by_time, drawn, held_count, keep_training_rows, proportional
from fedbench.data.kept import Kept
from fedbench.data.returned import check_held_out, check_prepared, names_of_rows, read_table
from fedbench.data.values import (
    Features,
    refuse_bad_values,
    refuse_lost_values,
    standardised,
)
from fedbench.randomness import Stream, generator

MISSED = 0.25  # of the share that was asked for
STRATA = 10  # a regression target is split and partitioned by its tenths


@dataclass(frozen=True, eq=False)
class Column:
    """A categorical column: row i has the value names[codes[i]].

    Names come from data and are untrusted text.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.generic]) -> Column:
        """Return the column of `values` [N], its names in sorted order.

        Raises ValueError where a value is missing, or some are texts and some are not.
        """
        names, codes = np.unique(names_of_rows(values), return_inverse=True)
        return cls(tuple(str(name) for name in names), codes.astype(np.int64))

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Column:
        """Return the column of some rows, under the same names."""
        return Column(self.names, self.codes[rows])


@dataclass(frozen=True, eq=False)
class Raw:
    """A table as it was read: features x[N, ...], targets y[N], and what else is known of a row.

    `columns` tell rows apart, such as by hospital; the one that the card names as its `client` is
    who holds them. `time` [N] is when a row was seen, in any unit that grows. `units` [N] numbers
    what must not straddle training and test, such as patients. `held` [N] is the test set that the
    publishers of the data fixed. `truth` [N], in simulated worlds, is the true probability of the
    second class, or the true mean of the target.
    """

    card: Card
    x: Features
    y: NDArray[np.generic]
    columns: Mapping[str, Column] = field(default_factory=dict)
    time: NDArray[np.float64] | None = None
    units: NDArray[np.int64] | None = None
    held: NDArray[np.bool_] | None = None
    truth: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        return f"<Raw of {self.card.name}: {len(self.y)} rows>"

    @property
    def natural(self) -> Column | None:
        """Return the column that tells who holds a row."""
        return self.columns[self.card.client] if self.card.client else None

    @cached_property
    def strata(self) -> NDArray[np.int64]:
        """Return the class, or the tenth of a regression target, of each row, int64[N]."""
        if self.card.task == "classification":
            return self.y.astype(np.int64)
        return np.searchsorted(_edges(self.y), self.y)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table with a held-out test set: features x[N, ...] and targets y[N].

    Features are float32, or int64 ids where the card has a vocabulary; targets are int64 classes or
    float32. `columns` and `time` are those of the training rows, the others those of the test rows.
    `test_truth` is what was true of the test rows where that is known, and `test_latest` the last
    value of the target known before each of them; both in the target's own unit.
    Raises ValueError when a feature or target is missing or infinite, or an id is out of its
    vocabulary, naming row and column.
    """

    card: Card
    x: Features
    y: NDArray[np.generic]
    x_test: Features
    y_test: NDArray[np.generic]
    columns: Mapping[str, Column] = field(default_factory=dict)
    test_columns: Mapping[str, Column] = field(default_factory=dict)
    time: NDArray[np.float64] | None = None
    test_time: NDArray[np.float64] | None = None
    test_truth: NDArray[np.float64] | None = None
    test_latest: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for part, x, y in (("training", self.x, self.y), ("test", self.x_test, self.y_test)):
            refuse_bad_values(self.card, part, x, y)

    def __repr__(self) -> str:
        rows = f"{len(self.y)} training and {len(self.y_test)} test rows"
        return f"<Dataset of {self.card.name}: {rows}>"

    def strata(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the class, or the tenth of the training targets, of each training and test row."""
        return self._strata

    @cached_property
    def _strata(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self.card.task == "classification":
            return self.y.astype(np.int64), self.y_test.astype(np.int64)
        edges = _edges(self.y)
        return np.searchsorted(edges, self.y), np.searchsorted(edges, self.y_test)

    @property
    def strata_names(self) -> tuple[str, ...]:
        """Return the class names, or names for the tenths of a regression target."""
        if self.card.task == "classification":
            return self.card.classes
        return tuple(f"{self.card.target}: tenth {k + 1}" for k in range(STRATA))


class Source(Part, family=True):
    """A data set: `load()` gives it with its card.

    `task`, `shape`, `vocabulary` and `ranked` of its card are known before anything is read;
    `files` are what a real set is read from. `overlap` is the number of examples that one reading
    may be part of, as in windows of a series: privacy of an example covers one of them.
    """

    task: ClassVar[Task]
    shape: ClassVar[tuple[int, ...]]
    vocabulary: ClassVar[tuple[int, ...]] = ()
    ranked: ClassVar[bool]
    files: ClassVar[tuple[File, ...]] = ()
    overlap: ClassVar[int] = 1

    @property
    def rare(self) -> bool:
        """Return whether models are judged by how they rank rows, because one class is rare."""
        return bool(getattr(self, "ranked", False))

    @classmethod
    def _why_not(cls, value: object) -> str:
        if isinstance(value, PurePath) or hasattr(value, "columns") or hasattr(value, "dtype"):
            shown = repr(str(value)) if isinstance(value, PurePath) else "frame"
            first = ", after pd.DataFrame(array)" if not hasattr(value, "columns") else ""
            first = "" if isinstance(value, PurePath) else first
            return f"is a table, and not yet a data set: give fb.Table({shown}, target=...){first}"
        return super()._why_not(value)

    @classmethod
    def _instead_of(cls, word: str) -> str:
        if PurePath(word).suffix:
            return f"is a file, and not yet a data set: give fb.Table({word!r}, target=...)"
        return super()._instead_of(word)

    @abstractmethod
    def table(self) -> Raw:
        """Return the table as it is read, rows in an order that never changes."""

    @abstractmethod
    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return which rows are the test set, bool[N]."""

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return all features as a model sees them, learning from the rows that are not held.

        Here numbers are standardised by the training rows, and ids are left as they are.
        """
        refuse_bad_values(raw.card, "raw", raw.x, raw.y)
        if np.issubdtype(raw.x.dtype, np.integer):
            return raw.x.astype(np.int64, copy=False)
        x = standardised(raw.x, ~held)
        refuse_lost_values(raw.card, raw.x, x)
        return x

    def targets(self, raw: Raw, held: NDArray[np.bool_]) -> NDArray[np.generic]:
        """Return all targets in the unit of the card, learning from the rows that are not held.

        Here as they were read. Those of a regression are standardised after this.
        """
        return raw.y

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many values each column has by which rows can be told apart.

        The first is who holds a row; there are none where the data do not say it. A source of a
        fixed set knows it without reading. That of a user class is read from its table.
        """
        if not is_user_class(type(self)):
            return {}
        loaded = self.load()
        columns = sorted(loaded.columns.items(), key=lambda item: item[0] != loaded.card.client)
        return {name: len(column.names) for name, column in columns}

    @property
    def fitted(self) -> tuple[str, ...]:
        """Return what is computed from the training rows before any noise, for privacy cards.

        Here the scales that `prepare` and `load` learn. A source that learns more, or nothing,
        says so.
        """
        scaled = () if self.vocabulary else ("the mean and scale of features",)
        return scaled + (("the mean and scale of the target",) if self.task == "regression" else ())

    @property
    def exposed(self) -> tuple[str, ...]:
        """Return what of `fitted` a single row can change visibly, as a rare category does."""
        return ()

    def follows(self, before: Source) -> tuple[str, str] | None:
        """Return the field at fault and why a run on `before` cannot go on with this, or None.

        Here it never can: features and targets are measured by the rows at hand.
        """
        return "kind", (
            f"{self.kind()} is standardised by its own training rows, so other rows would "
            "change the units of a trained model; begin with Arriving"
        )

    def cautions(self) -> tuple[str, ...]:
        """Return what should be known about the data before a run. Here nothing."""
        return ()

    def warn(self, setup: Setup) -> Iterator[str]:
        """Yield the `cautions`."""
        yield from (f"data: {sentence}" for sentence in self.cautions())

    @property
    def arrived(self) -> tuple[str, str] | None:
        """Return which rows there are so far and the fields that say so, or None if all are."""
        return None

    @property
    def missing(self) -> tuple[File, ...]:
        """Return the files that would have to be fetched; looks for them and reads nothing."""
        return tuple(file for file in self.files if file.cached is None)

    @property
    def training_samples(self) -> int | None:
        """Return how many rows are left for clients; None where that is known only by reading."""
        return None

    def load(self) -> Dataset:
        """Return the data, read once per process: split, then prepared by training rows."""
        # a frozen spec is hashable, which pyright cannot see through pydantic
        return _load(self)


TestShare = Annotated[
    float,
    Field(
        gt=0,
        lt=1,
        title="Test share",
        description=(
            "share of rows held out for testing, never trained on: more give more precise "
            "scores and less training"
        ),
        json_schema_extra={"slider": [0.05, 0.5, 0.05]},
    ),
]


class RandomSplit(Source, family=True):
    """A source whose test rows are drawn at random, from each client and class alike.

    Where rows belong to units, such as the visits of a patient, whole units are drawn.
    `strata_sizes`, the rows of each class of each client, or of each tenth of a regression target,
    tell how many rows will be left for training; it is empty where only reading tells.
    """

    strata_sizes: ClassVar[tuple[int, ...]] = ()
    test_fraction: TestShare = 0.2
    split_seed: Annotated[
        int,
        Field(ge=0, title="Split seed", description="number that decides which rows are held out"),
    ] = 0

    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return a share of each stratum, a pure function of the table and the fields.

        Where strata are too small for that, a share of each client, or of all rows in proportion to
        what each client holds. Every client keeps a training row, if any client has two rows.
        """
        strata = raw.strata
        if raw.natural is None:
            held = self._drawn(strata, raw.units)
            if self._misses(held):
                held = self._drawn(np.zeros_like(strata), raw.units)
            return held
        owners = raw.natural.codes
        held = self._drawn(owners * (int(strata.max()) + 1) + strata, raw.units)
        if self._misses(held):
            held = self._drawn(owners, raw.units)
        if self._misses(held):
            held = self._drawn(owners, raw.units, proportional)
        held = keep_training_rows(held, owners, self.test_fraction, units=raw.units)
        # where nobody can give a row, some clients have test rows alone
        return held if held.any() else self._drawn(np.zeros_like(strata), raw.units)

    def _misses(self, held: NDArray[np.bool_]) -> bool:
        """Whether strata were so small that giving a row each, or none, makes another share."""
        share = self.test_fraction
        return not self.strata_sizes and abs(held.mean() - share) > MISSED * share

    def _drawn(
        self,
        strata: NDArray[np.int64],
        units: NDArray[np.int64] | None,
        draw: Callable[..., NDArray[np.bool_]] = drawn,
    ) -> NDArray[np.bool_]:
        """Return a share of the rows of each of `strata` [N], whole `units` [N] if there are any.

        A unit is drawn by the stratum of its first row.
        """
        rng = generator(self.split_seed, Stream.TEST_ROWS)
        if units is None:
            return draw(strata, self.test_fraction, rng)
        _, first, unit = np.unique(units, return_index=True, return_inverse=True)
        return draw(strata[first], self.test_fraction, rng)[unit]

    @property
    def training_samples(self) -> int | None:
        """Return how many rows are left for clients, if `strata_sizes` tell."""
        if not self.strata_sizes:
            return None
        held = (held_count(size, self.test_fraction) for size in self.strata_sizes)
        return sum(self.strata_sizes) - sum(held)


class Timed(Source, family=True):
    """A source that may know when each of its rows was observed."""


class TimeSplit(Timed, family=True):
    """A source in order of time, whose test rows are the latest."""

    test_fraction: TestShare = 0.2

    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return the rows from the moment on before which the training share lies.

        A client that is seen only since then is split by its own time.
        """
        if raw.time is None:
            raise ValueError(f"{raw.card.name}: a split by time needs the time of each row")
        owners = None if raw.natural is None else raw.natural.codes
        return by_time(raw.time, self.test_fraction, owners, raw.units)


class GivenSplit(Source, family=True):
    """A source whose publishers fixed the test set."""

    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return the test rows of the table."""
        if raw.held is None:
            raise ValueError(
                f"{raw.card.name}: a given split needs to know which rows are for testing"
            )
        return raw.held


@Kept
def _load(source: Source) -> Dataset:
    raw = read_table(source)
    held = check_held_out(source, source.held_out(raw), len(raw.y))
    for rows, kind in ((~held, "training"), (held, "test")):
        if not rows.any():
            raise ValueError(f"{raw.card.name}: no {kind} row is left of {len(held)}")
    return parted(raw, measured(source, raw, held), ~held, held)


Measured = tuple[Card, Features, NDArray[np.generic]]


def measured(source: Source, raw: Raw, unknown: NDArray[np.bool_]) -> Measured:
    """Return the card, the features and the targets of all rows, as a model sees them.

    Units and scales are learnt from the rows that are not `unknown`, bool[N].
    """
    card = replace(raw.card, ranked=source.rare)
    with attributed(f"data: {type(source).__name__}"):
        x, y = source.prepare(raw, unknown), source.targets(raw, unknown)
    check_prepared(source, card, x, y, len(raw.y))
    if card.task == "classification":
        return card, x, y.astype(np.int64)
    wanted = y[~unknown].astype(np.float64)
    if np.ptp(wanted) == 0:
        raise ValueError(
            f"data: {card.name}: the target {card.target!r} is {wanted[0]:g} in every training "
            "row, so there is nothing to learn; hold other rows out, or predict something else"
        )
    mean, std = float(wanted.mean()), float(wanted.std())
    y = (y.astype(np.float64) - mean) / std
    return replace(card, target_mean=mean, target_std=std), x, y.astype(np.float32)


def parted(
    raw: Raw, known: Measured, training: NDArray[np.bool_], test: NDArray[np.bool_]
) -> Dataset:
    """Return some rows of a table as the training and some as the test set, bool[N] each."""
    card, x, y = known
    train, held = _block(training), _block(test)
    latest = card.features.index(card.latest) if card.latest else None
    return Dataset(
        card,
        x[train],
        y[train],
        x[held],
        y[held],
        {name: column[train] for name, column in raw.columns.items()},
        {name: column[held] for name, column in raw.columns.items()},
        None if raw.time is None else raw.time[train],
        None if raw.time is None else raw.time[held],
        None if raw.truth is None else raw.truth[held],
        None if latest is None else raw.x[held, latest].astype(np.float64),
    )


def _block(rows: NDArray[np.bool_]) -> NDArray[np.bool_] | slice:
    """Return the rows as a slice if they lie together: a view costs no memory and no time."""
    first, last = int(rows.argmax()), len(rows) - int(rows[::-1].argmax())
    return slice(first, last) if rows[first:last].all() else rows


def _edges(targets: NDArray[np.generic]) -> NDArray[np.float64]:
    """The values that part the tenths of a regression target."""
    return np.quantile(targets.astype(np.float64), np.linspace(0, 1, STRATA + 1)[1:-1])
