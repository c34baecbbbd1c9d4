"""Patients with diabetes: who can come back, who is the same, and which text is a value."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data import Raw

DIABETES = fb.Diabetes130()
pytestmark = pytest.mark.skipif(
    DIABETES.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def share(raw: Raw, name: str) -> float:
    return float(raw.x[:, raw.card.features.index(name)].mean(dtype=np.float64))


def test_admissions_that_could_be_followed() -> None:
    raw = DIABETES.table()
    assert raw.x.shape == (99_343, 52)
    assert raw.units is not None
    assert len(np.unique(raw.units)) == 69_990
    assert np.bincount(raw.y).tolist() == [88_029, 11_314]


def test_the_text_none_is_a_test_not_made() -> None:
    raw = DIABETES.table()
    assert share(raw, "glucose: not measured") == pytest.approx(0.948, abs=0.001)
    assert share(raw, "A1c: not measured") == pytest.approx(0.831, abs=0.001)


def test_the_first_admission() -> None:
    # a girl under ten, Caucasian, one day, 41 tests, no procedure, one drug, diagnosis 250.83
    raw = DIABETES.table()
    assert raw.x[0, :9].tolist() == [5, 1, 41, 0, 1, 0, 0, 0, 1]
    told = [n for n, v in zip(raw.card.features[9:], raw.x[0, 9:], strict=True) if v == 1]
    assert told == [
        "race: Caucasian",
        "sex: female",
        "admission: not known",
        "glucose: not measured",
        "A1c: not measured",
        "insulin: none",
        "metformin: none",
        "drugs changed: no",
        "drug for diabetes: no",
        "illness: diabetes",
    ]


def test_a_patient_is_on_one_side_of_the_split_and_with_one_client() -> None:
    raw = DIABETES.table()
    held = DIABETES.held_out(raw)
    assert raw.units is not None
    assert not set(raw.units[held]) & set(raw.units[~held])
    assert held.mean() == pytest.approx(0.2, abs=0.01)
    for column in raw.columns.values():
        pairs = np.unique(np.column_stack([raw.units, column.codes]), axis=0)
        assert len(pairs) == 69_990


@pytest.mark.parametrize("column", ["specialty", "age", "race"])
def test_groups_can_be_clients(column: str) -> None:
    data = fb.Experiment(data=DIABETES, partition=fb.Natural(column=column)).federation()
    assert data.clients == DIABETES.natural[column]
    assert int(data.sizes.min()) > 100
