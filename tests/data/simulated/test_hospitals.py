"""Made hospitals: calibrated to four real ones, and with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import Raw
from fedbench.data.simulated.hospitals import KNOWN

MANY = fb.Hospitals(patients=200_000)


def by_hospital(raw: Raw, values: np.ndarray) -> list[float]:
    codes = raw.columns["hospital"].codes
    return [float(values[codes == k].mean()) for k in range(int(codes.max()) + 1)]


def test_four_hospitals_have_the_sizes_of_the_real_ones() -> None:
    raw = fb.Hospitals().table()
    assert np.bincount(raw.columns["hospital"].codes).tolist() == [303, 261, 46, 130]
    assert np.bincount(
        fb.Hospitals(hospitals=2, patients=564).table().columns["hospital"].codes
    ).tolist() == [303, 261]


def test_illness_age_and_sex_are_as_published() -> None:
    raw = MANY.table()
    np.testing.assert_allclose(by_hospital(raw, raw.y), KNOWN[:, 1], atol=0.01)
    np.testing.assert_allclose(by_hospital(raw, raw.x[:, 0]), KNOWN[:, 2], atol=0.2)
    np.testing.assert_allclose(by_hospital(raw, raw.x[:, 1]), KNOWN[:, 4], atol=0.01)
    # and of the real set itself, where it is at hand
    heart = fb.HeartDisease()
    if all(file.cached for file in heart.files):
        real = heart.table()
        np.testing.assert_allclose(by_hospital(real, real.y), KNOWN[:, 1], atol=0.002)
        np.testing.assert_allclose(by_hospital(real, real.x[:, 0]), KNOWN[:, 2], atol=0.05)
        np.testing.assert_allclose(by_hospital(real, real.x[:, 1]), KNOWN[:, 4], atol=0.001)


def test_without_a_mix_hospitals_are_alike_and_with_twice_it_they_lie_further_apart() -> None:
    def spread(mix: float) -> float:
        raw = MANY.replace(case_mix=mix).table()
        return float(np.std(by_hospital(raw, raw.y)))

    alike, published, further = spread(0), spread(1), spread(1.5)
    assert alike < 0.02 < published < further


def test_the_truth_is_calibrated() -> None:
    raw = MANY.table()
    assert raw.truth is not None
    for low in np.arange(0.05, 0.95, 0.1):
        near = (raw.truth >= low) & (raw.truth < low + 0.1)
        assert raw.y[near].mean() == pytest.approx(raw.truth[near].mean(), abs=0.02)


def test_a_device_that_is_off_shifts_what_is_measured_and_not_who_is_ill() -> None:
    right, off = MANY.table(), MANY.replace(device_shift=1.0).table()
    np.testing.assert_array_equal(right.x[:, [0, 1, 6, 7]], off.x[:, [0, 1, 6, 7]])
    apart = np.abs(np.subtract(by_hospital(right, right.x[:, 2]), by_hospital(off, off.x[:, 2])))
    assert apart.max() > 5  # mmHg


def test_more_hospitals_are_drawn_around_the_four() -> None:
    raw = fb.Hospitals(hospitals=40, patients=100_000).table()
    assert raw.columns["hospital"].names[:5] == (
        *("Cleveland-like", "Budapest-like", "Zurich-like", "Long-Beach-like", "hospital 5"),
    )
    rates = by_hospital(raw, raw.y)
    assert 0.01 < min(rates) < 0.3
    assert max(rates) > 0.85
    assert np.bincount(raw.columns["hospital"].codes).min() >= 200


@pytest.mark.parametrize(
    ("source", "field", "words"),
    [
        (fb.Hospitals(hospitals=100, patients=100), "patients", "100 rows are too few for 100"),
        (fb.Banks(banks=500, rows=1000), "rows", "choose at least 15,000"),
    ],
)
def test_so_few_rows_that_somebody_has_none_are_refused(
    source: fb.Hospitals | fb.Banks, field: str, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(data=source, partition=fb.Natural())
    (error,) = caught.value.errors()
    assert error["loc"] == ("data", field)
    assert words in error["msg"]
    with pytest.raises(ValueError, match="too few"):
        source.load()


@pytest.mark.parametrize("hospitals", [1, 4, 5, 24, 500])
def test_every_hospital_has_patients_however_many_there_are(hospitals: int) -> None:
    raw = fb.Hospitals(hospitals=hospitals, patients=30 * hospitals + 80).table()
    sizes = np.bincount(raw.columns["hospital"].codes, minlength=hospitals)
    assert sizes.min() >= 2
    assert sizes.sum() == 30 * hospitals + 80
