"""Heart disease in four hospitals, as FLamby prepares it."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

HEART = fb.HeartDisease()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in HEART.files), reason="its files are not in FEDBENCH_DATA"
)


def test_patients_and_prevalence_are_those_of_the_hospitals() -> None:
    raw = HEART.table()
    hospital = raw.columns["hospital"]
    assert hospital.names == ("Cleveland", "Budapest", "Zurich and Basel", "Long Beach")
    assert np.bincount(hospital.codes).tolist() == [303, 261, 46, 130]
    assert [int(raw.y[hospital.codes == k].sum()) for k in range(4)] == [139, 98, 45, 101]
    assert raw.x.shape == (740, 13) and np.isfinite(raw.x).all()


def test_the_first_patient_of_cleveland() -> None:
    # 63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,0
    first = HEART.table().x[0]
    expected = [63, 1, 145, 233, 1, 150, 0, 2.3, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(first, expected, rtol=1e-6)


def test_cholesterol_of_zero_is_a_trap_that_the_card_names() -> None:
    raw = HEART.table()
    zero = raw.x[:, 3] == 0
    assert np.bincount(raw.columns["hospital"].codes[zero], minlength=4).tolist() == [0, 0, 46, 33]
    assert "cholesterol is 0" in raw.card.traps[0]


def test_a_third_of_each_hospital_is_held_out() -> None:
    data = fb.HeartDisease(test_fraction=0.34).load()
    held = np.bincount(data.test_columns["hospital"].codes)
    # FLamby's own split is 104, 89, 16 and 45: each class rounds by itself here
    assert held.tolist() == [103, 88, 15, 44]


def test_each_hospital_is_scaled_by_its_own_training_rows_if_asked() -> None:
    data = fb.HeartDisease(scaling="local").load()
    hospital = data.columns["hospital"].codes
    for k in range(4):
        mine = data.x[hospital == k]
        np.testing.assert_allclose(mine.mean(0), 0, atol=1e-5)
        std = mine.std(0)
        assert (np.isclose(std, 1, atol=1e-4) | (std == 0)).all()
    pooled = HEART.load()
    np.testing.assert_allclose(pooled.x.mean(0), 0, atol=1e-5)
    ages = [pooled.x[pooled.columns["hospital"].codes == k, 0].mean() for k in range(4)]
    assert max(ages) - min(ages) > 1  # Long Beach's veterans are older than Budapest's patients


def test_hospitals_are_natural_clients() -> None:
    experiment = fb.Experiment(data=HEART, partition=fb.Natural())
    assert experiment.clients == 4
    data = experiment.federation()
    assert data.names[3] == data.name(3) == "Long Beach"
    assert (data.sizes + np.diff(data.test_offsets)).tolist() == [303, 261, 46, 130]
    assert "4 clients · Natural" in experiment.describe()
