"""Made ratings: stars, tastes, and who rates what."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.simulated.ratings import _expected, _opinions


def test_each_user_rates_so_many_films_once() -> None:
    raw = fb.Ratings(users=50, films=60, rated=20).table()
    assert raw.x.shape == (1000, 2) and raw.x.dtype == np.int64
    assert (np.bincount(raw.x[:, 0]) == 20).all()
    assert len(np.unique(raw.x, axis=0)) == 1000
    assert raw.x.max(0)[1] < 60
    assert set(np.unique(raw.y)) == {1, 2, 3, 4, 5}


def test_expected_stars_are_those_of_many_draws() -> None:
    mean, noise = np.array([0.2, 2.5, 3.4, 5.1]), 0.6
    draws = np.rint(mean + noise * np.random.default_rng(0).standard_normal((200_000, 4)))
    np.testing.assert_allclose(_expected(mean, noise), draws.clip(1, 5).mean(0), atol=0.01)
    np.testing.assert_array_equal(_expected(mean, 0.0), [1, 2, 3, 5])


def test_the_truth_is_the_mean_of_the_stars() -> None:
    raw = fb.Ratings(users=2000, noise=1.0).table()
    assert raw.truth is not None
    for low in np.arange(1.5, 4.5, 0.5):
        near = (raw.truth >= low) & (raw.truth < low + 0.5)
        assert raw.y[near].mean() == pytest.approx(raw.truth[near].mean(), abs=0.05)
    sure = fb.Ratings(noise=0).table()
    np.testing.assert_array_equal(sure.y, sure.truth)


def test_opinions_are_of_as_low_a_rank_as_there_are_tastes() -> None:
    mean = _opinions(80, 60, 1.0, np.random.default_rng(0))
    # four tastes, what users and films are by themselves
    assert np.linalg.matrix_rank(mean) <= 4 + 2
    assert mean.mean() == pytest.approx(3.5, abs=0.2)
    agreed = _opinions(80, 60, 0.0, np.random.default_rng(0))
    agreed -= agreed.mean(1, keepdims=True)
    np.testing.assert_allclose(agreed, agreed[:1].repeat(80, axis=0), atol=1e-12)


def test_people_rate_what_they_like() -> None:
    raw = fb.Ratings().table()
    mean = _opinions(200, 120, 1.0, np.random.default_rng([0, 7]))
    assert mean[raw.x[:, 0], raw.x[:, 1]].mean() > mean.mean() + 0.15


def test_every_user_is_trained_on_and_tested() -> None:
    data = fb.Ratings().load()
    trained, tested = (
        np.bincount(held["user"].codes) for held in (data.columns, data.test_columns)
    )
    assert (trained + tested == 40).all()
    assert (np.abs(tested - 8) <= 1).all()


def test_more_ratings_than_films_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"data.rated\n.*a user rates a film at most once.*at most 20"
    ):
        fb.Experiment(
            data=fb.Ratings(films=20, rated=21),
            partition=fb.Natural(),
            model=fb.MatrixFactorisation(),
        )
