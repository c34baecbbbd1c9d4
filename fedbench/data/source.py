"""Where data come from: a source loads one table and holds a test set out of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.spec import Part

# Numbers, or the ids of tokens or columns.
Features = NDArray[np.float32] | NDArray[np.int64]

STRATA = 10  # a regression target is split and partitioned by its tenths


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table with a held-out test set: features x[N, ...] and targets y[N].

    Features are float32, or int64 ids where the card has a vocabulary; targets are int64 classes or
    float32. Raises ValueError when a feature or target is missing or infinite, or an id is out of
    its vocabulary, naming row and column.
    """

    card: Card
    x: Features
    y: NDArray[np.generic]
    x_test: Features
    y_test: NDArray[np.generic]

    def __post_init__(self) -> None:
        for part, x, y in (("training", self.x, self.y), ("test", self.x_test, self.y_test)):
            _refuse_bad_values(self.card, part, x, y)

    def strata(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the class, or the tenth of the training targets, of each training and test row."""
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

    `task`, `shape` and `vocabulary` of its card, and `strata_sizes`, the rows of each class or
    tenth of the target, are known before.
    """

    task: ClassVar[Task]
    shape: ClassVar[tuple[int, ...]]
    vocabulary: ClassVar[tuple[int, ...]] = ()
    strata_sizes: ClassVar[tuple[int, ...]]
    test_fraction: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            title="Test share",
            description="share of the rows that is held out, stratified, and never trained on",
            json_schema_extra={"slider": [0.05, 0.5, 0.05]},
        ),
    ] = 0.2
    split_seed: Annotated[
        int, Field(ge=0, title="Split seed", description="which rows are held out")
    ] = 0

    @abstractmethod
    def table(self) -> tuple[Card, Features, NDArray[np.generic]]:
        """Return the card, raw features [N, ...] and raw targets [N]."""

    def prepare(self, train: Features, test: Features) -> tuple[Features, Features]:
        """Return the features as a model sees them.

        Here numbers are standardised by the training rows, and ids are left as they are.
        """
        if np.issubdtype(train.dtype, np.integer):
            return train, test
        mean = train.mean(axis=0, dtype=np.float64)
        std = train.std(axis=0, dtype=np.float64)
        std[std == 0] = 1.0  # a constant column carries nothing, and 0 / 0 would be NaN
        scaled = [((rows - mean) / std).astype(np.float32) for rows in (train, test)]
        return scaled[0], scaled[1]

    @property
    def training_samples(self) -> int:
        """Return how many rows are left for clients."""
        held = (_held_count(size, self.test_fraction) for size in self.strata_sizes)
        return sum(self.strata_sizes) - sum(held)

    def load(self) -> Dataset:
        """Return the data, read once per process: split, then prepared by training rows."""
        # a frozen spec is hashable, which pyright cannot see through pydantic
        return _load(self)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=8)
def _load(source: Source) -> Dataset:
    card, x, y = source.table()
    _refuse_bad_values(card, "raw", x, y)
    rng = np.random.default_rng([source.split_seed, 1])
    classification = card.task == "classification"
    strata = y if classification else np.searchsorted(_edges(y), y)
    test = _held_out(strata, source.test_fraction, rng)
    train, held = source.prepare(x[~test], x[test])
    y_train, y_test = y[~test], y[test]
    if not classification:
        mean, std = float(y_train.mean()), float(y_train.std()) or 1.0
        card = replace(card, target_mean=mean, target_std=std)
        y_train = (y_train.astype(np.float64) - mean) / std
        y_test = (y_test.astype(np.float64) - mean) / std
    dtype = np.int64 if classification else np.float32
    return Dataset(card, train, y_train.astype(dtype), held, y_test.astype(dtype))


def _held_out(
    classes: NDArray[np.generic], fraction: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    held = np.zeros(len(classes), dtype=bool)
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        held[rng.permutation(rows)[: _held_count(len(rows), fraction)]] = True
    return held


def _held_count(rows: int, fraction: float) -> int:
    return max(1, round(rows * fraction))


def _edges(targets: NDArray[np.generic]) -> NDArray[np.float64]:
    """The values that part the tenths of a regression target."""
    return np.quantile(targets.astype(np.float64), np.linspace(0, 1, STRATA + 1)[1:-1])


def _refuse_bad_values(card: Card, part: str, x: Features, y: NDArray[np.generic]) -> None:
    flat = x.reshape(len(x), -1)
    if np.issubdtype(x.dtype, np.integer):
        _refuse_unknown_ids(card, part, flat.astype(np.int64))
    elif card.vocabulary:
        raise ValueError(f"{card.name}: the card has a vocabulary, so {part} x must hold integers")
    elif not np.isfinite(flat).all():  # where they are is asked only if there are any
        bad = np.argwhere(~np.isfinite(flat))
        row, column = bad[0]
        raise ValueError(
            f"{card.name}: {_column(card, column)!r} is {flat[row, column]} in {part} row {row} "
            f"({len(bad)} such values); fill in or drop what is missing before loading"
        )
    if np.issubdtype(y.dtype, np.floating) and not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(
            f"{card.name}: target {card.target!r} is {y[row]} in {part} row {row}; "
            "drop rows without a target before loading"
        )


def _refuse_unknown_ids(card: Card, part: str, flat: NDArray[np.int64]) -> None:
    if len(card.vocabulary) not in (1, flat.shape[1]):
        raise ValueError(
            f"{card.name}: {part} x holds integers in {flat.shape[1]} columns and the card has "
            f"{len(card.vocabulary)} vocabulary sizes; give one a column, one for a sequence, or "
            "float32 where the integers are not ids"
        )
    bad = np.argwhere((flat < 0) | (flat >= np.array(card.vocabulary)))
    if len(bad):
        row, column = bad[0]
        size = card.vocabulary[column % len(card.vocabulary)]
        raise ValueError(
            f"{card.name}: {_column(card, column)!r} is {flat[row, column]} in {part} row {row} "
            f"({len(bad)} such values); ids must lie between 0 and {size - 1}"
        )


def _column(card: Card, column: int) -> str:
    return card.features[column] if column < len(card.features) else f"column {column}"
