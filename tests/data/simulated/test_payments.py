"""Made payments: how rare frauds are, who has seen which, and Bayes' rule."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.simulated.payments import PATTERNS, SPREADS, _density, _prior


def test_frauds_are_as_rare_as_they_are_called_and_differ_by_bank() -> None:
    raw = fb.Payments(payments=400_000, regions=0, prevalence=0.02).table()
    assert raw.y.mean() == pytest.approx(0.02, rel=0.05)
    bank = raw.columns["bank"].codes
    rate = np.bincount(bank, raw.y) / np.bincount(bank)
    assert rate.std() < 0.002
    spread = fb.Payments(payments=400_000, regions=1, prevalence=0.02).table()
    bank = spread.columns["bank"].codes
    rate = np.bincount(bank, spread.y) / np.bincount(bank)
    assert np.log(rate / (1 - rate)).std() == pytest.approx(1, rel=0.4)


def test_the_truth_is_as_often_right_as_it_says() -> None:
    raw = fb.Payments(payments=300_000, prevalence=0.05).table()
    assert raw.truth is not None
    assert raw.truth.mean() == pytest.approx(raw.y.mean(), rel=0.02)
    for low in np.arange(0, 1, 0.1):
        near = (raw.truth >= low) & (raw.truth < low + 0.1)
        assert raw.y[near].mean() == pytest.approx(raw.truth[near].mean(), abs=0.03)


def test_the_density_of_a_payment_is_the_product_of_its_features() -> None:
    """Against scipy's, for a stolen card; factors that all kinds share cancel in a ratio."""
    from scipy.stats import norm, vonmises

    numbers, shift = np.array([[4.0, 2.0, 3.0]]), np.array([[0.5, 0.0, -0.5]])
    yes = np.array([True])
    found = _density(numbers, shift, np.array([1.0]), ~yes, yes, np.array([3]))[0]
    honest = norm.pdf([4.0, 2.0, 3.0], [3.7, 1.5, 5.5], [1.0, 1.2, 1.5]).prod()
    honest *= vonmises.pdf(1.0, 1.2, loc=2 * np.pi * 14 / 24) * 0.7 * 0.15 * 0.1
    stolen = norm.pdf([4.0, 2.0, 3.0], [4.5, 2.2, 4.0], [0.9, 1.1, 1.4]).prod()
    stolen *= vonmises.pdf(1.0, 1.0, loc=2 * np.pi * 17 / 24) * 0.9 * 0.6 * 0.5
    assert found[2] / found[0] == pytest.approx(stolen / honest)


def test_a_bank_has_met_only_its_patterns_until_they_spread() -> None:
    bank, rate = np.repeat(np.arange(4), 2), np.full(4, 0.04)
    prior = _prior(bank, np.tile([SPREADS - 1, SPREADS], 4), rate, 3)
    np.testing.assert_allclose(prior.sum(1), 1)
    np.testing.assert_allclose(prior[1::2, 1:], 0.01)
    early = prior[::2, 1:]
    # each knows one, and every one is known to somebody
    assert ((early > 0).sum(0) == 1).all() and ((early > 0).sum(1) == 1).all()
    np.testing.assert_allclose(early.sum(1), 0.04)
    assert (_prior(bank, np.zeros(8), rate, 0)[:, 1:] == 0.01).all()
    assert early.shape[1] == len(PATTERNS)


def test_the_test_set_is_when_patterns_have_spread() -> None:
    data = fb.Payments().load()
    assert data.time is not None
    assert data.test_time is not None
    assert data.time.max() < SPREADS <= data.test_time.min()


def test_a_bank_alone_misses_what_it_has_not_seen() -> None:
    """Logistic regression on one bank's rows, against one on the rows of all."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    def costs(unseen: int) -> float:
        source = fb.Payments(payments=80_000, prevalence=0.05, regions=0, unseen=unseen)
        data = source.load()
        own, test = data.columns["bank"].codes, data.test_columns["bank"].codes
        model = LogisticRegression(max_iter=500)
        pooled = log_loss(data.y_test, model.fit(data.x, data.y).predict_proba(data.x_test)[:, 1])
        alone = np.empty(len(data.y_test))
        for k in range(source.banks):
            model.fit(data.x[own == k], data.y[own == k])
            alone[test == k] = model.predict_proba(data.x_test[test == k])[:, 1]
        return log_loss(data.y_test, alone) / pooled

    assert costs(0) < 1.1
    assert costs(3) > 1.3


def test_too_few_payments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"data.payments\n.*at least 3,000"):
        fb.Experiment(data=fb.Payments(payments=1000, banks=100), partition=fb.Natural())
