"""Data that come in while a federation is at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from fedbench.config.problems import Problem, unsound
from fedbench.config.setup import Setup
from fedbench.data.card import Task
from fedbench.data.files import File
from fedbench.data.returned import read_table
from fedbench.data.simulated import CityLoad
from fedbench.data.source import Dataset, Measured, Raw, Source, Timed, measured, parted


class Arriving(Source):
    """A source whose rows arrive one period after another.

    The time span of the data is cut into equal periods. Past periods, or the last `memory` of them,
    are the training set; the period after them is the test set, whatever test share the source has;
    later rows are not available yet. Features and targets are standardised by the first periods
    only, and stay so: the units of a trained model must not change. A run may continue with a later
    `seen`, by `session.amend(**{"data.seen": 7})`, where clients come from the data (`Natural`).
    """

    display: ClassVar[str] = "Data arriving in periods"

    data: Annotated[
        Timed, Field(title="Data", description=("the data that arrive, in order of time"))
    ] = CityLoad()
    periods: Annotated[
        int,
        Field(
            ge=2,
            title="Periods",
            description="number of equal periods that the time span is cut into",
            json_schema_extra={"slider": [2, 104, 1]},
        ),
    ] = 12
    first: Annotated[
        int,
        Field(
            ge=1,
            title="First periods",
            description=(
                "number of periods that features and targets are standardised by, once and for all"
            ),
            json_schema_extra={"slider": [1, 104, 1], "unit": "periods"},
        ),
    ] = 6
    seen: Annotated[
        int,
        Field(
            ge=1,
            title="Periods seen",
            description="number of periods that have arrived; the next one is the test set",
            json_schema_extra={"slider": [1, 104, 1], "unit": "periods"},
        ),
    ] = 6
    memory: Annotated[
        int | None,
        Field(
            ge=1,
            title="Memory",
            description="number of latest periods that are trained on",
            json_schema_extra={"slider": [1, 104, 1], "unit": "periods", "none": "all"},
        ),
    ] = None

    @model_validator(mode="after")
    def _in_order(self) -> Arriving:
        if not self.first <= self.seen < self.periods:
            raise unsound(
                f"first = {self.first}, seen = {self.seen}, periods = {self.periods}: the "
                "first periods must have arrived, and one must be left to predict; choose "
                "first ≤ seen < periods"
            )
        return self

    # The base says that these belong to the class; here they are those of what comes in.

    @property
    def task(self) -> Task:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the task of the data."""
        return self.data.task

    @property
    def shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the shape of one example."""
        return self.data.shape

    @property
    def vocabulary(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return the vocabulary of the data."""
        return self.data.vocabulary

    @property
    def ranked(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return whether the data tell of a rare event."""
        return self.data.rare

    @property
    def overlap(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return how many examples of the data one reading may be part of."""
        return self.data.overlap

    @property
    def fitted(self) -> tuple[str, ...]:
        """Return what is computed from training rows before any noise."""
        return self.data.fitted

    @property
    def exposed(self) -> tuple[str, ...]:
        """Return what of it a single row can change visibly."""
        return self.data.exposed

    @property
    def files(self) -> tuple[File, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return what the data are read from."""
        return self.data.files

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many values each column of the data has."""
        return self.data.natural

    @property
    def arrived(self) -> tuple[str, str]:
        """Return the periods that are trained on, and what chooses them."""
        return _span(self._oldest + 1, self.seen), "data.seen or data.memory"

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse what the data refuse."""
        for each in self.data.check(setup):
            yield Problem(".data", f"{each.path.removeprefix('.')}: {each.message}", self.data)

    def cautions(self) -> tuple[str, ...]:
        """Return what should be known about the data before a run."""
        return self.data.cautions()

    def follows(self, before: Source) -> tuple[str, str] | None:
        """Refuse all but more periods, or another memory, of the same data in the same units."""
        if not isinstance(before, Arriving):
            return "kind", f"the run began with {before.kind()}, which standardises differently"
        for name in ("data", "periods", "first"):
            if getattr(self, name) != getattr(before, name):
                return name, (
                    f"the data of a trained model and their units must not change; keep {name} "
                    f"= {_words(getattr(before, name))}"
                )
        if self.seen < before.seen:
            return "seen", f"{before.seen} periods have already arrived; choose at least as many"
        return None

    def table(self) -> Raw:
        """Return the table of the data, what is not there yet included."""
        return self.data.table()

    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return the rows of the period after those that are over."""
        return _periods(raw, self.periods) == self.seen

    def load(self) -> Dataset:
        """Return the rows of the periods that are over, and of the next one as the test set."""
        # frozen specs are hashable, which pyright cannot see through pydantic
        raw, known, period = _whole(
            self.data,
            self.periods,
            self.first,
        )
        oldest, seen = self._oldest, self.seen
        training, test = (oldest <= period) & (period < seen), period == seen
        for rows, which in ((training, _span(oldest + 1, seen)), (test, _span(seen + 1, seen + 1))):
            if not rows.any():
                raise ValueError(f"data.seen: {raw.card.name} has no row in {which}")
        return parted(raw, known, training, test)

    @property
    def _oldest(self) -> int:
        """The first period that is trained on, from 0."""
        return 0 if self.memory is None else max(0, self.seen - self.memory)


@lru_cache(maxsize=2)
def _whole(data: Timed, periods: int, first: int) -> tuple[Raw, Measured, NDArray[np.int64]]:
    raw = read_table(data)
    if raw.units is not None:
        raise ValueError(
            f"data.data: {raw.card.name} has rows that belong together, which periods would split"
        )
    period = _periods(raw, periods)
    return raw, measured(data, raw, period >= first), period


def _periods(raw: Raw, periods: int) -> NDArray[np.int64]:
    """Return the period that each row falls into, int64[N], from 0."""
    if raw.time is None:
        raise ValueError(
            f"data.data: {raw.card.name} does not record when a row was observed; name its "
            "column of time"
        )
    begin, end = float(raw.time.min()), float(raw.time.max())
    share = (raw.time - begin) / ((end - begin) or 1.0)
    return np.minimum((share * periods).astype(np.int64), periods - 1)


def _words(value: object) -> str:
    return value.code() if isinstance(value, Source) else str(value)


def _span(first: int, last: int) -> str:
    return f"period {first}" if first == last else f"periods {first} to {last}"
