"""Made reviews: words, what they tell, and where they mean the opposite."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.simulated.reviews import COMMON, FEELINGS, KINDS, PLACES, _words


def test_texts_are_words_and_then_padding() -> None:
    raw = fb.Reviews(reviews=20_000).table()
    length = (raw.x > 0).sum(1)
    assert length.min() == 6 and length.max() == PLACES
    assert length.mean() == pytest.approx(15, abs=0.1)
    assert (raw.x[np.arange(PLACES) >= length[:, None]] == 0).all()
    word = raw.x[raw.x > 0]
    found = [(word <= FEELINGS).mean(), ((word > FEELINGS) & (word <= FEELINGS + COMMON)).mean()]
    np.testing.assert_allclose(found, KINDS[:2], atol=0.01)


def test_words_are_distributed() -> None:
    words = _words(5, 0.8, 0.3, np.random.default_rng(0))
    np.testing.assert_allclose(words.sum(2), 1)
    assert (words[:, :, 0] == 0).all()
    # only words of feeling tell what is meant
    feelings = slice(1, 1 + FEELINGS)
    assert (words[:, 0, feelings] != words[:, 1, feelings]).all()
    np.testing.assert_array_equal(words[:, 0, 1 + FEELINGS :], words[:, 1, 1 + FEELINGS :])


@pytest.mark.parametrize("slang", [0.0, 0.4])
def test_the_truth_is_as_often_right_as_it_says(slang: float) -> None:
    raw = fb.Reviews(reviews=100_000, slang=slang, clarity=0.7).table()
    assert raw.truth is not None
    assert raw.truth.mean() == pytest.approx(raw.y.mean(), abs=0.005)
    for low in np.arange(0, 1, 0.1):
        near = (raw.truth >= low) & (raw.truth < low + 0.1)
        assert raw.y[near].mean() == pytest.approx(raw.truth[near].mean(), abs=0.03)


def test_the_truth_is_bayes_rule_by_hand() -> None:
    source = fb.Reviews(shops=3, contentment=0, reviews=300)
    raw = source.table()
    assert raw.truth is not None
    # without slang a word of feeling is one of praise if its place in the list is even
    word = np.arange(FEELINGS)
    odds = np.where(word % 2 == 0, 1, -1) * np.log(0.85 / 0.15)
    for row in range(20):
        own = raw.x[row][(raw.x[row] > 0) & (raw.x[row] <= FEELINGS)] - 1
        assert raw.truth[row] == pytest.approx(1 / (1 + np.exp(-odds[own].sum())))


def test_knobs() -> None:
    def best(**knobs: float) -> float:
        found = fb.oracle(fb.Reviews(reviews=10_000, contentment=0, **knobs))
        assert found is not None
        return found["accuracy"]

    assert best(clarity=0.5) == pytest.approx(0.5, abs=0.03)
    assert best(clarity=0.7) < 0.85 < 0.95 < best(clarity=0.95)

    def rates(contentment: float) -> np.ndarray:
        raw = fb.Reviews(reviews=100_000, shops=20, contentment=contentment).table()
        shop = raw.columns["shop"].codes
        rate = np.bincount(shop, raw.y) / np.bincount(shop)
        return np.log(rate / (1 - rate))

    assert rates(0).std() < 0.1
    assert rates(1.0).std() == pytest.approx(1, rel=0.4)


def test_slang_makes_a_word_mean_the_opposite_at_some_shops() -> None:
    def agreement(slang: float) -> float:
        words = _words(2, 0.8, slang, np.random.default_rng(0))[:, :, 1 : 1 + FEELINGS]
        praises = words[:, 1] > words[:, 0]
        return float((praises[0] == praises[1]).mean())

    assert agreement(0) == 1
    # two shops agree where neither or both have turned a word
    assert agreement(0.3) == pytest.approx(0.7**2 + 0.3**2, abs=0.07)
