"""Made roads: peaks, incidents, and a forecast that nobody beats."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.simulated.traffic import (
    DAY,
    FREE,
    LASTS,
    PAST,
    WANDER,
    _expected_left,
    _incidents,
    _usual,
    _wander,
)


def hours(raw: fb.data.Raw) -> np.ndarray:
    assert raw.time is not None
    return raw.time.astype("datetime64[m]").astype(int) % (24 * 60) / 60


def test_a_row_is_the_last_known_hour_of_its_sensor() -> None:
    raw = fb.Traffic(operators=2, sensors=2, days=2, ahead=4).table()
    each = 2 * DAY - PAST + 1 - 4
    assert raw.x.shape == (4 * each, PAST + 2)
    sensor = raw.columns["sensor"]
    assert sensor.names[2] == "operator 2, sensor 1"
    assert (raw.columns["operator"].codes == sensor.codes // 2).all()
    x, y = raw.x.reshape(4, each, -1), raw.y.reshape(4, each)
    # the newest of the twelve speeds is what was to be forecast four rows earlier
    np.testing.assert_array_equal(x[:, 4:, 0], y[:, :-4])
    np.testing.assert_array_equal(x[:, 11:, 11], x[:, :-11, 0])
    assert raw.card.features[0] == "speed 20 min before"
    angle = np.arctan2(raw.x[:, -2], raw.x[:, -1]) % (2 * np.pi)
    np.testing.assert_allclose(angle / (2 * np.pi) * 24, hours(raw), atol=1e-3)


def test_the_expectation_of_an_incident_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(0)
    begins, ahead = 0.02, 5
    left = _incidents(40_000, 40, begins, rng)
    now, later = left[:, -1 - ahead], left[:, -1]
    expected = _expected_left(now[:, None], ahead, begins)[:, 0]
    for free in (True, False):
        mine = (now == 1) == free
        assert later[mine].mean() == pytest.approx(expected[mine].mean(), abs=0.008)
    # it is over after LASTS steps on average
    over = (left[:, 1:] == 1) & (left[:, :-1] < 1)
    assert over.sum() / (left[:, :-1] < 1).sum() == pytest.approx(1 / LASTS, rel=0.03)
    # by hand, one step ahead: it goes on with 5/6; none is on: one begins, of 0.5 on average
    two = _expected_left(np.array([[0.4, 1.0]]), 1, 0.02)[0]
    np.testing.assert_allclose(two, [1 - 5 / 6 * 0.6, 1 - 0.02 * 0.5])


def test_wandering_is_stationary_with_the_memory_it_should_have() -> None:
    drift = _wander(2000, 200, np.random.default_rng(1))
    assert drift[:, 0].std() == pytest.approx(WANDER, rel=0.05)
    assert drift[:, -1].std() == pytest.approx(WANDER, rel=0.05)
    assert np.corrcoef(drift[:, 50], drift[:, 53])[0, 1] == pytest.approx(0.95**3, abs=0.02)


def test_the_truth_is_the_mean_of_the_speed() -> None:
    raw = fb.Traffic(operators=20, sensors=10, days=14, incidents=6).table()
    assert raw.truth is not None
    slope, _ = np.polyfit(raw.truth, raw.y, 1)
    assert slope == pytest.approx(1, abs=0.01)
    for low in range(10, 110, 20):
        near = (raw.truth >= low) & (raw.truth < low + 20)
        assert raw.y[near].mean() == pytest.approx(raw.truth[near].mean(), rel=0.01)


def test_roads_are_slow_at_the_peaks_of_working_days() -> None:
    speed = _usual(1, 6, 7 * DAY, 0.0, np.random.default_rng(0))
    assert (speed <= np.repeat(FREE, 2)[:, None]).all()
    days = speed.reshape(6, 7, DAY)
    night, morning = days[:, :, 3 * 12], days[:, :, 7 * 12 + 6]
    # it begins on a Thursday: the third and fourth day are the weekend
    assert (morning[::2, [0, 1, 4, 5, 6]] < 0.8 * night[::2, [0, 1, 4, 5, 6]]).all()
    assert (morning[:, [2, 3]] > 0.95 * night[:, [2, 3]]).all()
    # motorways are busiest: they lose more than half, streets much less
    assert morning[0, 0] / FREE[0] < 0.5 < 0.7 < morning[4, 0] / FREE[2]


def test_knobs() -> None:
    def means(mix: float) -> np.ndarray:
        raw = fb.Traffic(mix=mix, incidents=0, days=7).table()
        owner = raw.columns["operator"].codes
        return np.bincount(owner, raw.y) / np.bincount(owner)

    assert means(0).std() < 1.5
    assert means(2).std() > 5 * means(0).std()
    calm, busy = fb.Traffic(incidents=0), fb.Traffic(incidents=12)
    best = [fb.oracle(source) for source in (calm, busy)]
    assert best[0] is not None and best[1] is not None
    assert best[0]["rmse"] < 0.5 * best[1]["rmse"]
    near, far = fb.oracle(fb.Traffic(ahead=1)), fb.oracle(fb.Traffic(ahead=12))
    assert near is not None and far is not None
    assert near["rmse"] < far["rmse"]


def test_the_latest_days_are_the_test_set() -> None:
    data = fb.Traffic().load()
    assert data.time is not None
    assert data.test_time is not None
    assert data.time.max() < data.test_time.min()
    assert len(data.y_test) / len(data.y) == pytest.approx(0.25, rel=0.01)
