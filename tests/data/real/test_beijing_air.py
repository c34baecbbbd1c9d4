"""Air at twelve stations: gaps, wind and what was known when."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

AIR = fb.BeijingAir()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in AIR.files), reason="its files are not in FEDBENCH_DATA"
)


def test_rows_of_each_station_are_hours_with_a_target_and_known_features() -> None:
    raw = AIR.table()
    assert np.isfinite(raw.x).all()
    rows = np.bincount(raw.columns["station"].codes)
    assert rows.tolist() == [
        *(32_409, 33_019, 31_725, 30_074, 32_573, 32_642),
        *(32_659, 33_299, 31_681, 33_195, 31_946, 33_033),
    ]
    missing = [925, 774, 779, 750, 616, 646, 953, 628, 913, 677, 382, 696]
    assert (rows <= 35_064 - np.array(missing)).all()


def test_what_is_known_is_of_an_hour_before() -> None:
    # Dongsi, 2013-03-08 01:00 and the hour before, by the file's own rows
    raw = AIR.table()
    assert raw.time is not None
    mine = raw.columns["station"].codes == raw.columns["station"].names.index("Dongsi")
    time, x, y = raw.time[mine], raw.x[mine], raw.y[mine]
    follows = np.flatnonzero(np.diff(time) == 1) + 1
    np.testing.assert_array_equal(x[follows, 0], y[follows - 1])
    ahead = fb.BeijingAir(horizon=24).table()
    mine = ahead.columns["station"].codes == ahead.columns["station"].names.index("Dongsi")
    day = dict(zip(time.tolist(), y.tolist(), strict=True))
    pairs = [
        (lag, day[t - 24])
        for lag, t in zip(ahead.x[mine, 0], ahead.time[mine], strict=True)  # type: ignore[index]
        if t - 24 in day
    ]
    assert len(pairs) > 29_000
    lag, was = np.array(pairs).T
    np.testing.assert_array_equal(lag, was)


def test_wind_is_a_direction() -> None:
    raw = AIR.table()
    east, north = (
        raw.card.features.index(f"wind from the {side}, 1 h before") for side in ("east", "north")
    )
    np.testing.assert_allclose(raw.x[:, east] ** 2 + raw.x[:, north] ** 2, 1, atol=1e-5)
    assert len(np.unique(np.round(raw.x[:, [east, north]], 4), axis=0)) == 16
