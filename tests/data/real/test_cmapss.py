"""Turbofan engines: lives, windows, conditions and who is tested."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

ENGINES = fb.CMAPSS()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in ENGINES.files), reason="its files are not in FEDBENCH_DATA"
)


def test_fleets_engines_and_test_rows_are_the_published_ones() -> None:
    raw = ENGINES.table()
    assert raw.held is not None
    fleet = raw.columns["fleet"].codes
    assert np.bincount(fleet[~raw.held]).tolist() == [20_631, 53_759, 24_720, 61_249]
    assert np.bincount(fleet[raw.held]).tolist() == [100, 259, 100, 248]
    assert len(raw.columns["engine"].names) == 709
    train = np.bincount(raw.columns["engine"].codes[~raw.held], minlength=709)
    assert train[:3].tolist() == [192, 287, 179]  # flights of the first engines of FD001
    assert (train > 0).all()


def test_remaining_life_falls_by_one_a_flight_to_zero_under_the_ceiling() -> None:
    raw = fb.CMAPSS(ceiling=1000).table()
    assert raw.held is not None
    first = raw.y[~raw.held][:192]
    assert first.tolist() == list(range(191, -1, -1))
    low = ENGINES.table()
    np.testing.assert_array_equal(low.y, np.minimum(raw.y, 125))
    # RUL_FD001.txt begins 112, 98, 69, 82, 91
    assert raw.y[raw.held][:5].tolist() == [112, 98, 69, 82, 91]


def test_a_sensor_is_measured_within_its_condition() -> None:
    raw = ENGINES.table()
    assert raw.held is not None
    conditions = raw.x[:, -6:]
    assert set(conditions.sum(axis=1)) == {1}
    one = raw.columns["fleet"].codes % 2 == 0
    assert conditions[one, 0].all()  # FD001 and FD003 fly at sea level
    assert (conditions[~one].mean(axis=0) > 0.1).all()
    train = raw.x[~raw.held]
    for k in range(6):
        mine = train[train[:, -6 + k] == 1][:, :21]
        np.testing.assert_allclose(mine.mean(axis=0), 0, atol=0.05)
    assert np.abs(train[:, :21]).max() == 5  # cut off: one sensor stands still but for four flights


def test_the_mean_looks_back_over_the_window_of_the_same_engine() -> None:
    raw = fb.CMAPSS(window=3).table()
    sensors, mean = raw.x[:300, :21], raw.x[:300, 21:42]
    np.testing.assert_allclose(mean[0], sensors[0], atol=1e-5)
    np.testing.assert_allclose(mean[1], sensors[:2].mean(0), atol=1e-5)
    np.testing.assert_allclose(mean[100], sensors[98:101].mean(0), atol=1e-5)
    # the second engine begins at row 192 and knows nothing of the first
    np.testing.assert_allclose(mean[192], sensors[192], atol=1e-5)


def test_sensors_tell_how_worn_an_engine_is() -> None:
    data = ENGINES.load()
    a = np.column_stack([data.x, np.ones(len(data.x))])
    weights = np.linalg.lstsq(a, data.y, rcond=None)[0]
    told = np.column_stack([data.x_test, np.ones(len(data.x_test))]) @ weights
    error = np.sqrt(np.mean((told - data.y_test) ** 2)) * data.card.target_std
    assert error < 22  # flights; the mean of the training set alone misses by 44
