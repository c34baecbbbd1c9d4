"""Rented bikes: lags by the clock, and counts."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

BIKES = fb.BikeSharing()
pytestmark = pytest.mark.skipif(
    BIKES.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def test_lags_are_by_the_clock_and_not_by_the_row() -> None:
    raw = BIKES.table()
    assert raw.x.shape == (16_831, 19)
    assert raw.time is not None
    count = dict(zip(raw.time.astype(int).tolist(), raw.y.tolist(), strict=True))
    for column, behind in enumerate((24, 48, 168)):
        known = [
            (raw.x[k, column], count[int(t) - behind])
            for k, t in enumerate(raw.time)
            if int(t) - behind in count
        ]
        assert len(known) > 16_000
        lag, was = np.array(known).T
        np.testing.assert_array_equal(lag, was)


def test_neither_casual_nor_registered_rentals_are_features() -> None:
    raw = BIKES.table()
    assert not {"casual", "registered"} & set(raw.card.features)
    for k in range(raw.x.shape[1]):
        assert abs(np.corrcoef(raw.x[:, k], raw.y)[0, 1]) < 0.9


def test_weekdays_seasons_and_months_are_clients() -> None:
    raw = BIKES.table()
    assert raw.time is not None
    weekday = (raw.time.astype(int) // 24 + 4) % 7  # 1 January 1970 was a Thursday
    assert (weekday == raw.columns["weekday"].codes).all()
    months = raw.time.astype(int).astype("datetime64[h]").astype("datetime64[M]").astype(int) % 12
    assert (months == raw.columns["month"].codes).all()
    for name, count in BIKES.natural.items():
        data = fb.Experiment(
            data=BIKES, partition=fb.Natural(column=name), model=fb.Linear()
        ).federation()
        assert data.clients == count
