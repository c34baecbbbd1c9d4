"""From series of measurements to rows that a model can learn a forecast from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.source import Raw, TimeSplit
from fedbench.data.values import Features, refuse_bad_values, standardised

Times = NDArray[np.datetime64]  # in hours
CALENDAR = (
    "hour, sine",
    "hour, cosine",
    "weekday, sine",
    "weekday, cosine",
    "season, sine",
    "season, cosine",
    "weekend",
)
DAY, WEEK, YEAR = 24, 168, 365.25 * 24  # hours
EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday, counted from Monday as 0

Horizon = Annotated[
    Literal[1, 24],
    Field(
        title="Horizon",
        description="how far ahead to predict, using nothing later: further is harder",
        json_schema_extra={"unit": "hours"},
    ),
]


def calendar(times: Times) -> NDArray[np.float32]:
    """Return what a calendar tells of each hour, float32[N, 7], in the order of CALENDAR."""
    hours = times.astype("datetime64[h]").astype(np.int64)
    weekday = (hours // DAY + EPOCH_WEEKDAY) % 7
    angles = (hours % DAY / DAY, weekday / 7, hours % YEAR / YEAR)
    waves = [wave(2 * np.pi * angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.column_stack([*waves, weekday >= 5]).astype(np.float32)


def lags(horizon: int) -> tuple[int, ...]:
    """Return which earlier hours a forecast looks at: the last three known, and equal hours.

    The equal hours are those of the last two known days and of the last known week.
    """
    days = (DAY, 2 * DAY, WEEK) if horizon < DAY else (2 * DAY, 3 * DAY, WEEK)
    return (horizon, horizon + 1, horizon + 2, *days)


def lag_names(what: str, behind: Sequence[int], unit: str = "h") -> tuple[str, ...]:
    """Return what the lagged columns are called."""
    return tuple(f"{what} {k} {unit} before" for k in behind)


def lagged(values: NDArray[np.floating], behind: Sequence[int]) -> NDArray[np.float32]:
    """Return values[T] as they were `behind` steps before, float32[T, len(behind)].

    NaN where that is before the beginning.
    """
    out = np.full((len(values), len(behind)), np.nan, dtype=np.float32)
    for column, k in enumerate(behind):
        out[k:, column] = values[: len(values) - k]
    return out


def carried(values: NDArray[np.floating], most: int) -> NDArray[np.floating]:
    """Return values[T, ...] with each gap filled by what was last known, at most `most` steps ago.

    Only from before, never from after: a forecast knows no future.
    """
    now = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, now), axis=0)
    fresh = (last >= 0) & (now - last <= most)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(fresh, filled, np.nan)


def on_the_clock(times: Times, values: NDArray[np.floating]) -> tuple[Times, NDArray[np.float64]]:
    """Return every hour from the first to the last, and values[N, ...] put to their hours.

    An hour that does not occur is NaN; one that occurs twice, as when clocks go back, has the mean.
    """
    hour = times.astype("datetime64[h]").astype(np.int64)
    place = hour - hour.min()
    flat = values.reshape(len(values), -1).astype(np.float64)
    total = np.zeros((int(place.max()) + 1, flat.shape[1]))
    seen = np.zeros_like(total)
    np.add.at(total, place, np.nan_to_num(flat))
    np.add.at(seen, place, ~np.isnan(flat))
    mean = np.divide(total, seen, out=np.full_like(total, np.nan), where=seen > 0)
    clock = (hour.min() + np.arange(len(total))).astype("datetime64[h]")
    return clock, mean.reshape(len(total), *values.shape[1:])


class Relative(TimeSplit, family=True):
    """Series whose levels differ, each scaled by the mean of its training targets.

    The first `relative` features are earlier values of the target and are scaled alike. A small
    zone then counts as much as a large one, and shares no statistics.
    """

    relative: ClassVar[int] = 0

    @property
    def fitted(self) -> tuple[str, ...]:
        """Return what is computed from the training rows before any noise."""
        return (*super().fitted, "the mean of each series")

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the features, earlier values in units of the series' mean, standardised."""
        refuse_bad_values(raw.card, "raw", raw.x, raw.y)
        x = raw.x.copy()
        x[:, : self.relative] /= self._means(raw, held)[:, None]
        return standardised(x, ~held)

    def targets(self, raw: Raw, held: NDArray[np.bool_]) -> NDArray[np.generic]:
        """Return the targets in units of the mean of each series."""
        return raw.y.astype(np.float32) / self._means(raw, held)

    def _means(self, raw: Raw, held: NDArray[np.bool_]) -> NDArray[np.float32]:
        series = raw.columns[raw.card.client].codes
        rows = np.bincount(series, ~held)
        if not rows.all():
            name = raw.columns[raw.card.client].names[int(np.argmin(rows))]
            raise ValueError(f"{raw.card.name}: no training row is left of {name!r}")
        return (np.bincount(series, np.where(held, 0, raw.y)) / rows)[series].astype(np.float32)
