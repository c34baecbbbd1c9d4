"""Credit cards in Taiwan: counts, undocumented codes and groups."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

CREDIT = fb.CreditDefault()
pytestmark = pytest.mark.skipif(
    CREDIT.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def test_rows_classes_and_the_published_mean() -> None:
    raw = CREDIT.table()
    assert raw.x.shape == (30_000, 29) and np.isfinite(raw.x).all()
    assert np.bincount(raw.y).tolist() == [23_364, 6_636]
    assert raw.x[:, 0].mean(dtype=np.float64) == pytest.approx(167_484.32, abs=0.005)


def test_the_first_card_holder() -> None:
    # 1,20000,2,2,1,24,2,2,-1,-1,-2,-2,3913,3102,689,0,0,0,0,689,0,0,0,0,1
    raw = CREDIT.table()
    expected = [20_000, 24, 2, 2, -1, -1, -2, -2, 3913, 3102, 689, 0, 0, 0, 0, 689, 0, 0, 0, 0]
    assert raw.x[0, :20].tolist() == expected
    told = [name for name, value in zip(raw.card.features, raw.x[0], strict=True) if value == 1]
    assert told == ["sex: female", "education: university", "marriage: married"]
    assert raw.y[0] == 1 and raw.card.classes[1] == "default"


@pytest.mark.parametrize(
    ("column", "sizes"),
    [
        # 123 others and the undocumented 14 + 280 + 51
        ("education", [10_585, 14_030, 4_917, 123 + 14 + 280 + 51]),
        ("marriage", [13_659, 15_964, 323 + 54]),
        ("age band", [9_618, 11_238, 6_464, 2_341, 339]),
    ],
)
def test_groups_of_card_holders(column: str, sizes: list[int]) -> None:
    raw = CREDIT.table()
    assert np.bincount(raw.columns[column].codes).tolist() == sizes
    data = fb.Experiment(data=CREDIT, partition=fb.Natural(column=column)).federation()
    assert (data.sizes + np.diff(data.test_offsets)).tolist() == sizes
    assert data.names == raw.columns[column].names


def test_age_bands_are_what_they_are_called() -> None:
    raw = CREDIT.table()
    for k, name in enumerate(raw.columns["age band"].names):
        ages = raw.x[raw.columns["age band"].codes == k, 1]
        assert f"{ages.min():g} to {ages.max():g}" == name


def test_tails_are_as_long_as_the_card_says() -> None:
    paid = CREDIT.table().x[:, 15]  # PAY_AMT2
    assert (paid.max() - paid.mean()) / paid.std() == pytest.approx(72.8, abs=0.1)


def test_numbers_are_standardised_and_indicators_are_not() -> None:
    data = CREDIT.load()
    np.testing.assert_allclose(data.x[:, :20].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(data.x[:, :20].std(0), 1, atol=1e-3)
    assert set(np.unique(data.x[:, 20:])) == {0, 1}
    assert len(data.y) == CREDIT.training_samples == 24_000
