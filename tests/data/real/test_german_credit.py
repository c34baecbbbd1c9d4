"""German credit: every code explained, every count as published."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.real.german_credit import CODES, NUMBERS

CREDIT = fb.GermanCredit()
pytestmark = pytest.mark.skipif(
    CREDIT.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def test_rows_and_classes() -> None:
    raw = CREDIT.table()
    assert raw.x.shape == (1000, 61) and np.isfinite(raw.x).all()
    assert np.bincount(raw.y).tolist() == [700, 300]
    assert raw.card.classes == ("good", "bad")


def test_the_first_customer() -> None:
    # A11 6 A34 A43 1169 A65 A75 4 A93 A101 4 A121 67 A143 A152 2 A173 1 A192 A201 1
    raw = CREDIT.table()
    assert raw.x[0, :7].tolist() == [6, 1169, 4, 4, 67, 2, 1]
    told = [name for name, value in zip(raw.card.features, raw.x[0], strict=True) if value == 1]
    assert told == [
        "dependants",
        "account: below 0 DM",
        "history: critical",
        "purpose: radio or television",
        "savings: none or not known",
        "employed: from 7 years",
        "personal status: man, single",
        "others liable: none",
        "property: real estate",
        "other instalments: none",
        "housing: own",
        "work: skilled",
        "telephone: yes",
        "foreign worker: yes",
    ]


def test_every_column_is_used_once_and_every_customer_has_one_value_of_each() -> None:
    raw = CREDIT.table()
    assert sorted([*NUMBERS, *CODES]) == list(range(20))
    start = len(NUMBERS)
    for _, meaning in CODES.values():
        block = raw.x[:, start : start + len(meaning)]
        assert (block.sum(1) == 1).all() and (block.sum(0) > 0).all()
        start += len(meaning)
    assert start == 61


@pytest.mark.parametrize(
    ("column", "sizes"),
    [
        ("purpose", [234, 103, 181, 280, 12, 22, 50, 9, 97, 12]),
        ("personal status", [50, 310, 548, 92]),
    ],
)
def test_groups_of_customers(column: str, sizes: list[int]) -> None:
    assert np.bincount(CREDIT.table().columns[column].codes).tolist() == sizes
    data = fb.Experiment(data=CREDIT, partition=fb.Natural(column=column)).federation()
    assert (data.sizes + np.diff(data.test_offsets)).tolist() == sizes


def test_numbers_are_standardised_and_indicators_are_not() -> None:
    data = CREDIT.load()
    np.testing.assert_allclose(data.x[:, :7].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(data.x[:, :7].std(0), 1, atol=1e-5)
    assert set(np.unique(data.x[:, 7:])) == {0, 1}
    assert len(data.y) == CREDIT.training_samples == 798
