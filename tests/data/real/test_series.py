"""Rows of forecasts: lags, calendars and gaps, and that no row knows the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedbench as fb
from fedbench.data import Raw, Source
from fedbench.data.real.series import CALENDAR, calendar, carried, lagged, lags, on_the_clock


def hours(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[h]")


def test_a_calendar_knows_hours_weekdays_seasons_and_weekends() -> None:
    # Thursday midnight, Saturday six in the morning, Sunday noon
    found = calendar(hours("1970-01-01T00", "2022-01-01T06", "2022-07-03T12"))
    assert found.shape == (3, len(CALENDAR))
    sine, cosine = CALENDAR.index("hour, sine"), CALENDAR.index("hour, cosine")
    np.testing.assert_allclose(found[:, sine], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(found[:, cosine], [1, 0, -1], atol=1e-6)
    assert found[:, -1].tolist() == [0, 1, 1]
    angle = 2 * np.pi * np.array([3, 5, 6]) / 7
    np.testing.assert_allclose(found[:, 2], np.sin(angle), atol=1e-6)
    # the season turns once a year: midwinter and midsummer lie opposite
    assert found[1, 5] > 0.99
    assert found[2, 5] < -0.99


@pytest.mark.parametrize(
    ("horizon", "expected"), [(1, (1, 2, 3, 24, 48, 168)), (24, (24, 25, 26, 48, 72, 168))]
)
def test_lags_begin_at_the_horizon(horizon: int, expected: tuple[int, ...]) -> None:
    assert lags(horizon) == expected


def test_lagged_values_come_from_before_and_begin_as_missing() -> None:
    found = lagged(np.array([1.0, 2.0, 3.0, 4.0]), [1, 3])
    np.testing.assert_array_equal(
        found, [[np.nan, np.nan], [1, np.nan], [2, np.nan], [3, 1]], strict=False
    )


def test_gaps_are_carried_over_from_before_and_only_so_far() -> None:
    gap = np.array([np.nan, 1, np.nan, np.nan, np.nan, 5])
    np.testing.assert_array_equal(carried(gap, 2), [np.nan, 1, 1, 1, np.nan, 5])
    both = np.column_stack([gap, gap[::-1]])
    np.testing.assert_array_equal(carried(both, 9)[:, 1], [5, 5, 5, 5, 1, 1])


def test_the_clock_has_every_hour_and_doubled_hours_their_mean() -> None:
    times = hours("2020-01-01T03", "2020-01-01T01", "2020-01-01T01")
    clock, values = on_the_clock(times, np.array([7.0, 2.0, 4.0]))
    assert clock.tolist() == hours("2020-01-01T01", "2020-01-01T02", "2020-01-01T03").tolist()
    np.testing.assert_array_equal(values, [3, np.nan, 7])


Late = Callable[[pd.DataFrame], Any]
SETS: list[tuple[Source, list[str], Late, float, float]] = [
    # a source, the columns to change, which rows are late, from when on (in its unit), how far
    # ahead it forecasts
    (
        fb.PJMLoad(),
        [],
        lambda table: table["Datetime"] > "2017-01-01 00:00:00",
        float(hours("2017-01-01T00")[0].astype(int)) + 1,
        24,
    ),
    (
        fb.PJMLoad(horizon=1),
        [],
        lambda table: table["Datetime"] > "2017-01-01 00:00:00",
        float(hours("2017-01-01T00")[0].astype(int)) + 1,
        1,
    ),
    (
        fb.GEFCom2012(),
        [f"h{k}" for k in range(1, 25)],
        lambda table: table["year"] == 2007,
        float(hours("2007-01-01T00")[0].astype(int)),
        24,
    ),
    (
        fb.BeijingAir(),
        ["PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "wd", "WSPM"],
        lambda table: table["year"] == 2017,
        float(hours("2017-01-01T00")[0].astype(int)),
        1,
    ),
    (
        fb.BikeSharing(),
        ["cnt", "temp", "hum", "windspeed"],
        lambda table: table["dteday"] >= "2012-09-01",
        float(hours("2012-09-01T00")[0].astype(int)),
        24,
    ),
    (
        fb.LosLoop(ahead=4),
        [],
        lambda table: table.index >= 1500,
        float(np.datetime64("2012-03-01T00:00", "m").astype(int)) + 5 * 1500,
        20,
    ),
]


def rows(raw: Raw) -> pd.DataFrame:
    series = next(iter(raw.columns.values())).codes
    if raw.card.name == "Bike sharing":
        series = np.zeros(len(raw.y), dtype=np.int64)
    frame = pd.DataFrame(raw.x, columns=list(raw.card.features))
    return frame.assign(_series=series, _time=raw.time).set_index(["_series", "_time"])


@pytest.mark.parametrize(
    ("source", "columns", "late", "cutoff", "ahead"),
    SETS,
    ids=lambda part: repr(part) if isinstance(part, Source) else "",
)
def test_no_row_knows_the_future(
    source: Source,
    columns: list[str],
    late: Late,
    cutoff: float,
    ahead: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if any(file.cached is None for file in source.files):
        pytest.skip("its files are not in FEDBENCH_DATA")
    before = rows(source.table())
    read = pd.read_csv

    def reversed_late(*args: Any, **kwargs: Any) -> pd.DataFrame:
        table = read(*args, **kwargs)
        try:
            mask = np.asarray(late(table))
        except KeyError:
            return table  # a list of holidays has no years as rows
        changed = [name for name in columns if name in table] or [
            name for name in table.columns if name != "Datetime"
        ]
        table.loc[mask, changed] = table.loc[mask, changed].to_numpy()[::-1]
        return table

    monkeypatch.setattr(pd, "read_csv", reversed_late)
    after = rows(source.table())

    def part(frame: pd.DataFrame, first: float, last: float) -> pd.DataFrame:
        time = frame.index.get_level_values("_time")
        return frame[(time >= first) & (time < last)]

    pd.testing.assert_frame_equal(part(before, 0, cutoff), part(after, 0, cutoff))
    # what is forecast from before the moment on stays the same as well
    lagging = [name for name in before.columns if name.endswith("before")]
    pd.testing.assert_frame_equal(
        part(before, cutoff, cutoff + ahead)[lagging].sort_index(),
        part(after, cutoff, cutoff + ahead)[lagging].sort_index(),
    )
    later = part(before, cutoff + ahead, np.inf)
    other = part(after, cutoff + ahead, np.inf).reindex(later.index)
    assert not later[lagging].equals(other[lagging]), "nothing was changed"


@pytest.mark.parametrize(
    "source",
    [fb.PJMLoad(), fb.GEFCom2012(), fb.BeijingAir(), fb.BikeSharing(), fb.LosLoop()],
    ids=repr,
)
def test_test_rows_are_later_than_all_training_rows(source: Source) -> None:
    if any(file.cached is None for file in source.files):
        pytest.skip("its files are not in FEDBENCH_DATA")
    data = source.load()
    assert data.time is not None
    assert data.test_time is not None
    assert data.time.max() < data.test_time.min()
    assert len(data.y_test) / (len(data.y) + len(data.y_test)) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("source", [fb.PJMLoad(), fb.GEFCom2012()], ids=repr)
def test_zones_are_measured_by_the_mean_of_their_own_training_rows(source: Source) -> None:
    if any(file.cached is None for file in source.files):
        pytest.skip("its files are not in FEDBENCH_DATA")
    data = source.load()
    load = data.y * data.card.target_std + data.card.target_mean
    zone = data.columns["zone"].codes
    means = np.bincount(zone, load) / np.bincount(zone)
    np.testing.assert_allclose(means, 1, atol=1e-4)
    # a lag is the target of an earlier row, by the same measure
    lag = np.corrcoef(data.x[:, 0], load)[0, 1]
    assert lag > 0.7
