"""Made districts: weather, crowds, panels and what is built."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.simulated.city_load import FEATURES, _load


def feature(name: str) -> int:
    return FEATURES.index(name)


def test_noise_is_five_percent_and_the_truth_its_mean() -> None:
    raw = fb.CityLoad(days=731).table()
    assert raw.truth is not None
    residual = raw.y / raw.truth - 1
    assert residual.std() == pytest.approx(0.05, rel=0.02)
    assert residual.mean() == pytest.approx(0, abs=1e-3)
    assert (raw.truth > 0).all()


def test_the_truth_is_a_function_of_features_and_buildings() -> None:
    """Two hours that are alike in every feature have the same load in the same district."""
    day = np.zeros((48, len(FEATURES)))
    share = np.array([0.5, 0.3, 0.2])
    plain = _load(day, share, 0.0)
    np.testing.assert_allclose(plain[:24], plain[24:])
    hot, cold = day.copy(), day.copy()
    hot[:, feature("cooling degrees (K)")] = 10
    cold[:, feature("heating degrees (K)")] = 10
    offices = np.array([0.0, 1.0, 0.0])
    # by the constants: offices are cooled at 50 W a degree and heated at 20 W
    np.testing.assert_allclose(_load(hot, offices, 0) - _load(day, offices, 0), 0.5)
    np.testing.assert_allclose(_load(cold, offices, 0) - _load(day, offices, 0), 0.2)
    sunny = day.copy()
    sunny[:, feature("sunshine")] = 1
    np.testing.assert_allclose(_load(sunny, share, 1.0), plain - 0.25)
    assert (_load(sunny, share, 0.0) == plain).all()


def test_only_stadiums_have_crowds_and_only_in_the_evening() -> None:
    raw = fb.CityLoad(events=3).table()
    crowd = raw.x[:, feature("crowd (thousands)")]
    district = raw.columns["district"].codes
    assert set(district[crowd > 0]) == {0, 4, 8}
    assert raw.time is not None
    assert set(raw.time[crowd > 0].astype(int) % 24) == {18, 19, 20, 21}
    assert not fb.CityLoad(events=0).table().x[:, feature("crowd (thousands)")].any()


def test_weekends_are_off_and_nights_are_dark() -> None:
    raw = fb.CityLoad(days=366, districts=1).table()
    hour = np.arange(len(raw.y)) % 24
    off = raw.x[:, feature("day off")].reshape(-1, 24)
    assert (off == off[:, :1]).all()
    assert off[:, 0].sum() == pytest.approx(104 + 10, abs=4)
    sun = raw.x[:, feature("sunshine")]
    assert not sun[(hour < 4) | (hour > 21)].any()
    assert (sun[hour == 12] > 0).mean() > 0.9
    july = slice(190 * 24, 200 * 24)
    assert raw.x[july, feature("heating degrees (K)")].mean() < 2


def test_one_model_for_all_is_best_where_districts_are_alike_and_worst_where_not() -> None:
    """Least squares on the features: what a mix of buildings costs."""

    def gain(mix: float) -> float:
        data = fb.CityLoad(mix=mix, days=366).load()
        a = np.column_stack([data.x, np.ones(len(data.x))])
        t = np.column_stack([data.x_test, np.ones(len(data.x_test))])
        own, test = data.columns["district"].codes, data.test_columns["district"].codes
        pooled = t @ np.linalg.lstsq(a, data.y, rcond=None)[0] - data.y_test
        alone = np.empty_like(pooled)
        for k in range(12):
            w = np.linalg.lstsq(a[own == k], data.y[own == k], rcond=None)[0]
            alone[test == k] = t[test == k] @ w - data.y_test[test == k]
        return float((pooled**2).mean() / (alone**2).mean())

    assert gain(0) < 1.1
    assert gain(2) > 2


def test_a_city_changes_by_its_drift_alone() -> None:
    """Heat per degree and panels grow in a straight line, at a pace of each district's own."""
    days, heat, sun = 364, feature("heating degrees (K)"), feature("sunshine")
    still = fb.CityLoad(districts=3, days=days, mix=0).table()
    moved = fb.CityLoad(districts=3, days=days, mix=0, drift=1).table()
    assert np.array_equal(still.x, moved.x)
    assert still.truth is not None and moved.truth is not None
    more = (moved.truth - still.truth).reshape(3, -1)
    x = still.x.astype(np.float64).reshape(3, days * 24, -1)
    passed = np.arange(days * 24) / (days * 24)
    # an even mix heats with 0.6 · 35 + 0.3 · 20 + 0.1 · 5 watts a degree; the sun gives 250
    each = passed * (0.0275 * x[:, :, heat] - 0.25 * x[:, :, sun])
    pace = (more * each).sum(1) / (each**2).sum(1)
    np.testing.assert_allclose(more, pace[:, None] * each, atol=1e-6)
    assert ((pace > 0.5) & (pace < 1.5)).all() and len(np.unique(pace)) == 3
