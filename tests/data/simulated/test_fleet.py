"""Made machines: wear, repairs, and who is tested."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.simulated.fleet import FEATURES, READINGS, _hazard, _lives, _risk


def test_wear_grows_until_a_failure_and_begins_anew() -> None:
    speed = np.full((50, 400), 0.01)
    wear, since, fails = _lives(speed, np.random.default_rng(0))
    assert fails.sum() > 50
    after = np.zeros_like(fails)
    after[:, 1:] = fails[:, :-1]
    np.testing.assert_allclose(wear[after], 0.01)
    np.testing.assert_array_equal(since[after], 1)
    on = ~after
    on[:, 0] = False
    np.testing.assert_allclose((wear[:, 1:] - wear[:, :-1])[on[:, 1:]], 0.01)


def test_the_risk_is_that_of_the_hazards_to_come() -> None:
    wear = np.array([[0.2, 0.9, 1.3]])
    found = _risk(wear, np.full((1, 3), 0.02))[0]
    for risk, start in zip(found, wear[0], strict=True):
        alive = np.prod([1 - _hazard(np.array(start + 0.02 * k)) for k in range(READINGS)])
        assert risk == pytest.approx(1 - alive)
    assert found[0] < 0.05 < found[1] < 0.9 < found[2]


def test_risks_are_as_often_true_as_they_say() -> None:
    raw = fb.Fleet(plants=20, machines=50, readings=400).table()
    assert raw.truth is not None
    for low in (0.0, 0.1, 0.2, 0.3, 0.5):
        near = (raw.truth >= low) & (raw.truth < low + 0.1)
        assert raw.y[near].mean() == pytest.approx(raw.truth[near].mean(), abs=0.04)


def test_whole_machines_are_held_out_of_every_plant() -> None:
    fleet = fb.Fleet()
    raw = fleet.table()
    held = fleet.held_out(raw)
    assert raw.units is not None
    assert not set(raw.units[held]) & set(raw.units[~held])
    assert set(raw.columns["plant"].codes[held]) == set(range(6))


def test_the_mean_looks_back_over_ten_readings_of_the_same_machine() -> None:
    raw = fb.Fleet(plants=1, machines=3, readings=60).table()
    each = 60 - 9 - READINGS
    vibration, mean = (
        raw.x[:, FEATURES.index(name)].reshape(3, each)
        for name in ("vibration (mm/s)", "vibration, mean of ten")
    )
    for machine in range(3):
        np.testing.assert_allclose(mean[machine, 20], vibration[machine, 11:21].mean(), rtol=1e-5)


def test_worn_machines_shake_and_shifted_sensors_differ_by_plant() -> None:
    raw = fb.Fleet(sensors=0, duty=0).table()
    vibration = raw.x[:, FEATURES.index("vibration, mean of ten")]
    assert vibration[raw.y == 1].mean() > vibration[raw.y == 0].mean() + 0.5
    plant = raw.columns["plant"].codes

    def spread(sensors: float) -> float:
        oil = fb.Fleet(sensors=sensors, duty=0).table().x[:, FEATURES.index("oil temperature (°C)")]
        return float((np.bincount(plant, oil) / np.bincount(plant)).std())

    assert spread(2) > 3 * spread(0)
