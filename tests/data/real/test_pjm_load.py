"""Electric load of eight zones: clocks, zones and lags."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data import Raw

PJM = fb.PJMLoad()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in PJM.files), reason="its files are not in FEDBENCH_DATA"
)


def at(raw: Raw, zone: str, hour: str) -> int:
    time = np.datetime64(hour, "h").astype(np.int64)
    code = raw.columns["zone"].names.index(zone)
    (row,) = np.flatnonzero((raw.columns["zone"].codes == code) & (raw.time == time))
    return int(row)


def test_rows_of_each_zone() -> None:
    raw = PJM.table()
    # EKPC begins with the span itself, so its first week has no lags
    assert np.bincount(raw.columns["zone"].codes).tolist() == [
        *(45_119, 45_126, 45_126, 45_126, 45_126, 45_126, 45_126, 45_126)
    ]
    assert raw.x.shape == (361_001, 13)


def test_load_and_lags_of_an_hour_in_the_file() -> None:
    # AEP: 2016-12-31 14:00 13202, the hours before it by the file
    raw = PJM.table()
    row = at(raw, "AEP", "2016-12-31T14")
    day_before = at(raw, "AEP", "2016-12-30T14")
    week_before = at(raw, "AEP", "2016-12-24T14")
    assert raw.x[row, 0] == raw.y[day_before]
    assert raw.x[row, 5] == raw.y[week_before]
    assert raw.x[row, 1] == raw.y[at(raw, "AEP", "2016-12-30T13")]


def test_the_hour_that_occurs_twice_has_the_mean_and_the_absent_one_no_row() -> None:
    raw = PJM.table()
    code = raw.columns["zone"].names.index("DUQ")
    mine = raw.columns["zone"].codes == code
    assert raw.time is not None
    gone = np.datetime64("2016-03-13T03", "h").astype(np.int64)
    assert not (mine & (raw.time == gone)).any()
    twice = np.datetime64("2016-11-06T02", "h").astype(np.int64)
    assert (mine & (raw.time == twice)).sum() == 1


def test_zones_are_natural_clients() -> None:
    data = fb.Experiment(data=PJM, partition=fb.Natural(), model=fb.Linear()).federation()
    assert data.names == ("AEP", "COMED", "DAYTON", "DEOK", "DOM", "DUQ", "EKPC", "FE")
