"""Incomes: the publishers' split, and what is not known."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

ADULT = fb.AdultIncome()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in ADULT.files), reason="its files are not in FEDBENCH_DATA"
)


def test_rows_and_shares_of_the_publishers_split() -> None:
    data = ADULT.load()
    assert (len(data.y), len(data.y_test)) == (32_561, 16_281)
    assert (int(data.y.sum()), int(data.y_test.sum())) == (7841, 3846)
    assert data.x.shape[1] == 91
    assert ADULT.training_samples == 32_561


def test_the_first_person() -> None:
    # 39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male,
    # 2174, 0, 40, United-States, <=50K
    raw = ADULT.table()
    assert raw.x[0, :5].tolist() == [39, 13, 2174, 0, 40]
    told = [n for n, v in zip(raw.card.features[5:], raw.x[0, 5:], strict=True) if v == 1]
    assert told == [
        "workclass: State-gov",
        "marital-status: Never-married",
        "occupation: Adm-clerical",
        "relationship: Not-in-family",
        "race: White",
        "sex: Male",
        "native-country: United-States",
    ]
    education = raw.columns["education"]
    assert education.names[education.codes[0]] == "Bachelors"


def test_what_is_not_known_is_a_category_and_the_weight_no_feature() -> None:
    raw = ADULT.table()
    counts = {
        name: int(raw.x[:, raw.card.features.index(f"{name}: not known")].sum())
        for name in ("workclass", "occupation", "native-country")
    }
    assert counts == {"workclass": 2799, "occupation": 2809, "native-country": 857}
    assert "fnlwgt" not in raw.card.features


def test_every_group_can_be_a_client() -> None:
    for name, count in ADULT.natural.items():
        data = fb.Experiment(data=ADULT, partition=fb.Natural(column=name)).federation()
        assert data.clients == count
        assert (data.sizes > 0).all()
    assert np.isfinite(ADULT.load().x).all()
