"""Made banks: rates, regions, drift."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb


def signs(drift: float, late: bool) -> np.ndarray:
    """Return the weights that a large sample of early or late months tells of."""
    raw = fb.Banks(rows=200_000, drift=drift, regions=0, banks=1).table()
    assert raw.truth is not None
    assert raw.time is not None
    mine = raw.time >= 30 if late else raw.time < 6
    x = raw.x[mine]
    x = (x - x.mean(0)) / x.std(0)
    odds = np.log(raw.truth[mine] / (1 - raw.truth[mine]))
    return np.linalg.lstsq(x, odds - odds.mean(), rcond=None)[0]


@pytest.mark.parametrize(("event", "rate"), [("default", 0.08), ("fraud", 0.01)])
def test_events_are_as_rare_as_they_are_called(event: str, rate: float) -> None:
    raw = fb.Banks(event=event, rows=200_000, regions=0).table()
    assert raw.y.mean() == pytest.approx(rate, rel=0.05)
    assert raw.truth is not None
    assert raw.truth.mean() == pytest.approx(rate, rel=1e-3)


def test_the_spread_of_regions_is_that_of_the_banks_rates() -> None:
    def spread(regions: float) -> float:
        raw = fb.Banks(rows=400_000, banks=40, regions=regions).table()
        assert raw.truth is not None
        bank = raw.columns["bank"].codes
        rate = np.bincount(bank, raw.truth) / np.bincount(bank)
        return float(np.log(rate / (1 - rate)).std())

    assert spread(0) < 1e-6
    assert spread(0.5) == pytest.approx(0.5, rel=0.3)
    assert spread(1.0) == pytest.approx(1.0, rel=0.3)


def test_drift_turns_the_signs_with_time() -> None:
    np.testing.assert_allclose(signs(0, False), signs(0, True), atol=0.02)
    early, late = signs(1.5, False), signs(1.5, True)
    likeness = early @ late / np.linalg.norm(early) / np.linalg.norm(late)
    assert likeness < 0.8


def test_the_latest_months_are_the_test_set() -> None:
    data = fb.Banks().load()
    assert data.time is not None
    assert data.test_time is not None
    assert data.time.max() < data.test_time.min()


def test_every_bank_has_rows() -> None:
    raw = fb.Banks(banks=200, rows=20_000).table()
    assert np.bincount(raw.columns["bank"].codes, minlength=200).min() >= 5
    assert len(raw.y) == 20_000
