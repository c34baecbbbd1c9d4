"""Partitioners with real values: even shares, skew by α, smoothness in α."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import FederatedDataset
from fedbench.data.heterogeneity import label_distance
from fedbench.data.partition import _dirichlet

STRATA = np.arange(2000) % 10
TEST = np.arange(500) % 10


def owners(alpha: float, seed: int = 0, clients: int = 20) -> np.ndarray:
    partition = fb.Dirichlet(clients=clients, alpha=alpha)
    return partition.assign(STRATA, TEST, np.random.default_rng(seed))[0]


def counts(alpha: float, seed: int = 0) -> np.ndarray:
    return np.histogram2d(owners(alpha, seed), STRATA, bins=(20, 10))[0]


def test_iid_shares_differ_by_one_at_most() -> None:
    train, test = fb.IID(clients=7).assign(STRATA, TEST, np.random.default_rng(0))
    for rows in (train, test):
        sizes = np.bincount(rows, minlength=7)
        assert sizes.max() - sizes.min() <= 1


def test_iid_shares_are_a_random_sample() -> None:
    partition = fb.IID(clients=4)
    train, _ = partition.assign(STRATA, TEST, np.random.default_rng(0))
    table = np.histogram2d(train, STRATA, bins=(4, 10))[0]
    # 27 degrees of freedom: a fair deal stays below 55 but for one in a thousand
    assert ((table - 50) ** 2 / 50).sum() < 55


def test_small_alpha_concentrates_and_large_alpha_evens_out() -> None:
    distances = [label_distance(counts(alpha)).mean() for alpha in (0.05, 0.3, 3, 100)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.6 and distances[-1] < 0.1


def test_shares_have_the_variance_of_a_dirichlet() -> None:
    rng = np.random.default_rng(1)
    for alpha in (0.1, 0.5, 5.0):
        shares = _dirichlet(alpha, rng.random((4000, 10)))
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
        assert shares.mean() == pytest.approx(0.1)
        variance = 0.1 * 0.9 / (10 * alpha + 1)
        assert shares.var(axis=0).mean() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("alpha", [1e-300, 1e-12, 1e-3, 1e3, 1e9])
def test_extreme_alpha_still_gives_shares(alpha: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shares = _dirichlet(alpha, np.random.default_rng(0).random((6, 5)))
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (shares >= 0).all()


def test_the_partition_moves_smoothly_with_alpha() -> None:
    for seed in range(10):
        near = (owners(0.3, seed) != owners(0.303, seed)).mean()
        far = (owners(0.3, seed) != owners(3.0, seed)).mean()
        assert near < 0.03 < far


def test_a_clients_test_rows_follow_its_training_mix() -> None:
    partition = fb.Dirichlet(clients=5, alpha=0.3)
    train, test = partition.assign(STRATA, STRATA, np.random.default_rng(0))
    mixes = [np.histogram2d(rows, STRATA, bins=(5, 10))[0] for rows in (train, test)]
    np.testing.assert_allclose(mixes[0], mixes[1], atol=5)


def test_min_samples_moves_no_more_rows_than_needed() -> None:
    one = fb.Dirichlet(clients=40, alpha=0.05, min_samples=1)
    ten = fb.Dirichlet(clients=40, alpha=0.05, min_samples=10)
    before = one.assign(STRATA, TEST, np.random.default_rng(3))[0]
    after = ten.assign(STRATA, TEST, np.random.default_rng(3))[0]
    sizes = np.bincount(before, minlength=40)
    assert np.bincount(after, minlength=40).min() == 10
    missing = (10 - sizes).clip(min=0).sum()
    assert missing <= (before != after).sum() <= missing + 40


@given(
    clients=st.integers(1, 30),
    alpha=st.floats(1e-3, 1e3),
    least=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_any_dirichlet_partition_is_whole_and_keeps_the_least(
    clients: int, alpha: float, least: int, seed: int
) -> None:
    partition = fb.Dirichlet(clients=clients, alpha=alpha, min_samples=least)
    train, test = partition.assign(STRATA[:200], TEST[:50], np.random.default_rng(seed))
    sizes = np.bincount(train, minlength=clients)
    assert sizes.sum() == 200 and sizes.min() >= least and len(sizes) == clients
    assert len(test) == 50 and test.min() >= 0 and test.max() < clients


@pytest.mark.parametrize("alpha", [0, -1, float("nan"), float("inf")])
def test_alpha_must_be_positive(alpha: float) -> None:
    with pytest.raises(ValidationError, match=r"alpha\n.*(must be more than 0|finite number)"):
        fb.Dirichlet(alpha=alpha)


def test_too_many_clients_for_the_table() -> None:
    with pytest.raises(ValueError, match=r"143 clients need 143 .* Wine has 142; choose fewer"):
        FederatedDataset.build(fb.Wine(), fb.IID(clients=143), 0)
