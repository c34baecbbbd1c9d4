"""What each skew does to the rows of a client, in numbers."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import Skew
from fedbench.data.card import Card
from fedbench.data.skews import Holder

CARD = Card("made", "here", "none", "classification", (4,), tuple("abcd"), "y", tuple("xyz"))
X = np.random.default_rng(7).normal(size=(4000, 4)).astype(np.float32)
Y = np.random.default_rng(8).integers(3, size=4000)


def holder(client: int, clients: int = 5, training: bool = True, card: Card = CARD) -> Holder:
    own, rows = np.random.default_rng([1, client]), np.random.default_rng([2, client, training])
    return Holder(card, client, clients, own, rows, training)


def test_feature_noise_grows_from_the_first_client_to_the_last() -> None:
    skew = fb.FeatureNoise(std=0.8)
    for client in range(5):
        x, y = skew.apply(X, Y, holder(client))
        # 16,000 normal numbers: the spread is right to 5 of its standard errors
        assert (x - X).std() == pytest.approx(0.2 * client, rel=5 / np.sqrt(2 * X.size))
        assert y is Y


@pytest.mark.parametrize("value", [1e19, 1e30, 1e300])
@pytest.mark.parametrize("make", [lambda v: fb.FeatureNoise(std=v), lambda v: fb.Shift(std=v)])
def test_a_skew_too_strong_for_single_precision_is_named(make: Any, value: float) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(), partition=fb.IID(clients=4), skews=(fb.Scaling(), make(value))
    )
    with (
        warnings.catch_warnings(action="error"),
        pytest.raises(
            ValueError, match=r"skews\.1: fb\.\w+\(std=1e\+\d+\) makes a feature of"
        ) as caught,
    ):
        experiment.federation()
    assert "values up to 1e+18 can be computed with; choose a weaker skew" in str(caught.value)
    session = fb.Session(experiment)
    session.start()
    assert session.wait(60) == "failed"
    assert session.failure is not None
    assert session.failure.message == str(caught.value)


def test_a_strong_skew_is_taken_as_long_as_it_can_be_computed_with() -> None:
    experiment = fb.Experiment(
        data=fb.Wine(), partition=fb.IID(clients=4), skews=(fb.Shift(std=1e15),)
    )
    assert np.abs(experiment.federation().x).max() > 1e14


def test_a_shift_is_one_vector_a_client_for_training_and_test_rows() -> None:
    skew = fb.Shift(std=2.0)
    train, test = (skew.apply(X, Y, holder(3, training=part))[0] - X for part in (True, False))
    np.testing.assert_allclose(train, np.broadcast_to(train[0], X.shape), atol=1e-5)
    np.testing.assert_allclose(train[0], test[0], atol=1e-5)
    moved = np.array([(skew.apply(X[:1], Y[:1], holder(k))[0] - X[:1]) for k in range(1000)])
    assert moved.std() == pytest.approx(2.0, rel=5 / np.sqrt(2 * moved.size))


def test_scaling_multiplies_each_feature_by_one_factor() -> None:
    factors = []
    for client in range(1000):
        x, _ = fb.Scaling(spread=0.5).apply(X[:3], Y[:3], holder(client))
        ratio = x / X[:3]
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-5)
        factors.append(ratio[0])
    logs = np.log(factors)
    assert logs.mean() == pytest.approx(0, abs=5 * 0.5 / np.sqrt(logs.size))
    assert logs.std() == pytest.approx(0.5, rel=5 / np.sqrt(2 * logs.size))


def test_missing_features_are_zero_for_the_whole_client() -> None:
    gone = []
    for client in range(1000):
        x, _ = fb.MissingFeatures(share=0.3).apply(X[:5], Y[:5], holder(client))
        blank = (x == 0).all(axis=0)
        np.testing.assert_array_equal(x[:, ~blank], X[:5, ~blank])
        gone.append(blank)
    assert np.mean(gone) == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / 4000))


def test_label_noise_spoils_training_targets_alone() -> None:
    skew = fb.LabelNoise(rate=0.5)
    for client in range(5):
        x, y = skew.apply(X, Y, holder(client))
        assert x is X and set(np.unique(y)) == {0, 1, 2}
        rate = 0.125 * client
        assert (y != Y).mean() == pytest.approx(rate, abs=5 * np.sqrt(0.25 / len(Y)))
        assert (rate == 0) == bool((y == Y).all())
        test = skew.apply(X, Y, holder(client, training=False))
        assert test[1] is Y


def test_label_noise_of_a_regression_moves_numbers() -> None:
    card = replace(CARD, task="regression", classes=())
    targets = np.random.default_rng(1).normal(size=4000).astype(np.float32)
    _, y = fb.LabelNoise(rate=0.25).apply(X, targets, holder(4, card=card))
    moved = y != targets
    assert y.dtype == np.float32
    assert moved.mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.1875 / 4000))
    spread = (y - targets)[moved].std()
    assert spread == pytest.approx(1, rel=5 / np.sqrt(2 * moved.sum()))


def test_exchanged_classes_are_all_in_another_place_and_the_same_for_test_rows() -> None:
    exchanged = []
    for client in range(400):
        skew = fb.LabelPermutation(share=0.4)
        _, y = skew.apply(X[:50], Y[:50], holder(client))
        _, test = skew.apply(X[:50], Y[:50], holder(client, training=False))
        np.testing.assert_array_equal(y, test)
        moved = y != Y[:50]
        assert moved.all() or not moved.any()
        assert len({(a, b) for a, b in zip(Y[:50].tolist(), y.tolist(), strict=True)}) == 3
        exchanged.append(moved.all())
    assert np.mean(exchanged) == pytest.approx(0.4, abs=5 * np.sqrt(0.24 / 400))


def test_an_image_is_turned_by_one_angle_a_client() -> None:
    image = np.zeros((2, 9, 9), dtype=np.float32)
    image[:, 4, 1:8] = 1.0  # a line that lies
    card = replace(CARD, shape=(9, 9))

    quarter = fb.Rotation(degrees=180)
    who = holder(0, card=card)
    angle = np.random.default_rng([1, 0]).uniform(-180, 180)
    x, _ = quarter.apply(image, Y[:2], who)
    np.testing.assert_array_equal(x[0], x[1])
    rows, columns = np.nonzero(x[0] > 0.4)
    slope = np.polyfit(columns, rows, 1)[0] if np.ptp(columns) else np.inf
    lies = abs(np.degrees(np.arctan(slope))) % 180
    turned = abs((angle + 90) % 180 - 90)
    assert lies == pytest.approx(turned, abs=8)
    still, _ = fb.Rotation(degrees=0).apply(image, Y[:2], who)
    np.testing.assert_allclose(still, image, atol=1e-6)


def test_skews_compose_in_their_order() -> None:
    wines = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=3))
    blank, shift = fb.MissingFeatures(share=1.0), fb.Shift(std=1.0)
    x = {
        skews: wines.replace(skews=skews).federation().x
        for skews in ((blank,), (shift,), (blank, shift), (shift, blank))
    }
    assert not x[(blank,)].any() and not x[(shift, blank)].any()
    assert x[(blank, shift)].any()
    same = wines.replace(skews=(shift,)).federation()
    np.testing.assert_array_equal(same.offsets, wines.federation().offsets)
    np.testing.assert_array_equal(same.y, wines.federation().y)


@pytest.mark.parametrize(
    ("data", "skew", "said"),
    [
        (fb.Wine(), fb.Rotation(), r"skews\.0\.kind\n.*of shape \(13,\), are not images"),
        (fb.DiabetesProgression(), fb.LabelPermutation(), "has no classes to permute"),
    ],
)
def test_a_skew_that_does_not_fit_is_refused(data, skew: Skew, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        fb.Experiment(data=data, skews=(skew,))


def test_clients_that_share_rows_cannot_be_skewed() -> None:
    with pytest.raises(ValidationError, match="clients of Population share rows"):
        fb.Experiment(partition=fb.Population(clients=50), skews=(fb.Shift(),))


def test_skews_stand_in_toml_and_in_code() -> None:
    experiment = fb.Experiment(skews=(fb.Shift(std=2.0), fb.LabelNoise(rate=0.1)))
    assert '[[skews]]\nkind = "Shift"\nstd = 2.0\n' in experiment.to_toml()
    assert fb.Experiment.from_toml(experiment.to_toml()) == experiment
    assert fb.Experiment.from_json(experiment.to_json()) == experiment
    assert eval(experiment.code(), {"fb": fb}) == experiment
    assert "Shift · LabelNoise" in experiment.describe()
