"""Who takes part: real values and the distributions that privacy is proved for."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

import fedbench as fb


def test_everyone() -> None:
    assert fb.Everyone().draw(4, np.random.default_rng(0)).tolist() == [0, 1, 2, 3]
    assert fb.Everyone().expected(4) == 4.0


def test_a_fixed_cohort_is_always_as_large() -> None:
    sampling = fb.FixedCohort(size=5)
    rng = np.random.default_rng(0)
    assert {len(sampling.draw(9, rng)) for _ in range(50)} == {5}
    assert sampling.expected(9) == 5.0
    assert sampling.draw(5, rng).tolist() == [0, 1, 2, 3, 4]


def test_poisson_at_rate_one_is_everyone() -> None:
    assert fb.Poisson(rate=1).draw(3, np.random.default_rng(0)).tolist() == [0, 1, 2]


def test_poisson_cohorts_are_binomial() -> None:
    rng = np.random.default_rng(3)
    sizes = np.array([len(fb.Poisson(rate=0.3).draw(20, rng)) for _ in range(5000)])
    expected = stats.binom(20, 0.3).pmf(np.arange(21)) * 5000
    middle = (expected > 20).nonzero()[0]
    observed = np.bincount(sizes, minlength=21)
    tails = [observed[: middle[0]].sum(), observed[middle[-1] + 1 :].sum()]
    tails_expected = [expected[: middle[0]].sum(), expected[middle[-1] + 1 :].sum()]
    test = stats.chisquare([*observed[middle], *tails], [*expected[middle], *tails_expected])
    assert test.pvalue > 1e-3


def test_poisson_coins_are_independent() -> None:
    rng = np.random.default_rng(4)
    part = np.zeros((5000, 8))
    for row in part:
        row[fb.Poisson(rate=0.4).draw(8, rng)] = 1
    correlation = np.corrcoef(part.T) - np.eye(8)
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)


def test_poisson_cohorts_may_be_empty() -> None:
    rng = np.random.default_rng(0)
    assert min(len(fb.Poisson(rate=0.05).draw(10, rng)) for _ in range(50)) == 0


def test_a_million_clients_cost_no_more_than_their_cohort() -> None:
    ids = fb.Poisson(rate=1e-5).draw(10**9, np.random.default_rng(0))
    assert 9_500 < len(ids) < 10_500
    assert ids[-1] < 10**9


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, float("nan")])
def test_a_rate_out_of_range(rate: float) -> None:
    with pytest.raises(ValidationError, match="rate"):
        fb.Poisson(rate=rate)


def test_an_empty_fixed_cohort_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be at least 1"):
        fb.FixedCohort(size=0)


@pytest.mark.parametrize("rate", [1e-9, 1e-18, 1e-30, 1e-300])
def test_hardly_anybody_is_drawn_at_a_tiny_rate(rate: float) -> None:
    for seed in range(20):
        drawn = fb.Poisson(rate=rate).draw(100, np.random.default_rng(seed))
        assert ((drawn >= 0) & (drawn < 100)).all()
        assert len(drawn) <= 1
