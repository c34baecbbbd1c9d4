"""Load of twenty zones with weather: hours, holidays and filled weeks."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data import Raw

GEFCOM = fb.GEFCom2012()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in GEFCOM.files), reason="its files are not in FEDBENCH_DATA"
)


def row_of(raw: Raw, zone: int, hour: str) -> int:
    time = np.datetime64(hour, "h").astype(np.int64)
    (row,) = np.flatnonzero((raw.columns["zone"].codes == zone - 1) & (raw.time == time))
    return int(row)


def test_every_zone_has_the_same_hours_and_no_week_is_missing() -> None:
    raw = GEFCOM.table()
    assert np.unique(np.bincount(raw.columns["zone"].codes)).tolist() == [39_246]
    assert raw.time is not None
    zone = raw.time[raw.columns["zone"].codes == 7]
    assert (np.diff(zone) == 1).all()


def test_an_hour_of_the_history_and_one_of_the_solution() -> None:
    raw = GEFCOM.table()
    # Load_history: 1,2004,1,8,h1 is 18,147 by the file; Load_solution: 1,2005,3,6,h1 is 19964
    filled = row_of(raw, 1, "2005-03-06T00")
    assert raw.y[filled] == 19_964
    assert raw.x[row_of(raw, 1, "2005-03-07T00"), 0] == 19_964
    assert raw.x[row_of(raw, 1, "2005-03-13T00"), 5] == 19_964


def test_temperatures_and_holidays_stand_at_their_hours() -> None:
    raw = GEFCOM.table()
    names = raw.card.features
    holiday, warm = names.index("holiday"), names.index("temperature, station 1 (°F)")
    assert raw.x[row_of(raw, 3, "2004-07-05T12"), holiday] == 1  # the Fourth was a Sunday
    assert raw.x[row_of(raw, 3, "2004-07-06T12"), holiday] == 0
    # New Year's Day of 2005 was kept on the last day of 2004
    assert raw.x[row_of(raw, 3, "2004-12-31T12"), holiday] == 1
    days = {int(t) // 24 for t in raw.time[raw.x[:, holiday] == 1]}  # type: ignore[index]
    # 45 are named; 1 January 2004 has no lags yet, and 4 July 2008 lies beyond the history
    assert len(days) == 43
    mean = raw.x[:, warm : warm + 11].mean(axis=1)
    np.testing.assert_allclose(raw.x[:, -1], mean**2, rtol=1e-4)
