"""Holding out, standardising and refusing: what a source does with a table."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import Card, Dataset, RandomSplit, Raw
from fedbench.data.card import Task
from fedbench.data.source import STRATA


class Ages(RandomSplit):
    """Sixty people, three columns; a cell may be spoilt to see who notices."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (3,)
    strata_sizes: ClassVar[tuple[int, ...]] = (30, 30)
    spoilt: tuple[int, ...] = ()
    value: str = "nan"
    shift: float = 0.0

    def table(self) -> Raw:
        x = np.arange(180, dtype=np.float32).reshape(60, 3)
        x[:, 2] = 7.0
        if self.spoilt:
            x[self.spoilt] = float(self.value)
        x[5] += self.shift
        names, classes = ("a", "age", "c"), ("no", "yes")
        card = Card("Ages", "made here", "none", "classification", (3,), names, "y", classes)
        return Raw(card, x, np.arange(60) % 2)


class Visits(RandomSplit):
    """Sixty pairs of a user and an item; one id may be spoilt."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (2,)
    vocabulary: ClassVar[tuple[int, ...]] = (6, 10)
    strata_sizes: ClassVar[tuple[int, ...]] = (30, 30)
    spoilt: tuple[int, int] | None = None
    value: int = 0

    def table(self) -> Raw:
        x = np.stack([np.arange(60) % 6, np.arange(60) // 6], axis=1)
        if self.spoilt:
            x[self.spoilt] = self.value
        card = Card(
            "Visits",
            "made here",
            "none",
            "classification",
            self.shape,
            ("user", "item"),
            "liked",
            ("no", "yes"),
            vocabulary=self.vocabulary,
        )
        return Raw(card, x, np.arange(60) % 2)


class Prices(RandomSplit):
    """A regression table, whose targets may hold a gap."""

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (1,)
    strata_sizes: ClassVar[tuple[int, ...]] = (4,) * 10
    gap: int | None = None

    def table(self) -> Raw:
        y = np.linspace(100, 500, 40)
        if self.gap is not None:
            y[self.gap] = np.inf
        card = Card("Prices", "made here", "none", "regression", (1,), ("size",), "price")
        return Raw(card, y[::-1].astype(np.float32)[:, None].clip(0, 1e6), y)


def split(source: RandomSplit) -> NDArray[np.bool_]:
    """Return which raw rows are held out."""
    return source.held_out(source.table())


def test_training_and_test_rows_are_disjoint_and_complete() -> None:
    y = Ages().table().y
    held = split(Ages())
    data = Ages().load()
    assert held.sum() == len(data.y_test) == 12
    np.testing.assert_array_equal(data.y, y[~held])
    np.testing.assert_array_equal(data.y_test, y[held])


def test_features_are_standardised_by_the_training_rows_alone() -> None:
    x = Ages().table().x
    held = split(Ages())
    data = Ages().load()
    mean, std = x[~held].mean(0, dtype=np.float64), x[~held].std(0, dtype=np.float64)
    std[2] = 1.0
    np.testing.assert_allclose(data.x, (x[~held] - mean) / std, atol=1e-6)
    np.testing.assert_allclose(data.x_test, (x[held] - mean) / std, atol=1e-6)
    assert not np.allclose(data.x_test.mean(0)[:2], 0, atol=1e-3)


def test_other_test_rows_change_no_training_row() -> None:
    seed = next(seed for seed in range(30) if split(Ages(split_seed=seed))[5])
    plain, moved = Ages(split_seed=seed).load(), Ages(split_seed=seed, shift=1000.0).load()
    np.testing.assert_array_equal(plain.x, moved.x)
    assert not np.array_equal(plain.x_test, moved.x_test)


def test_a_constant_column_stays_finite() -> None:
    assert (Ages().load().x[:, 2] == 0).all()


@pytest.mark.parametrize("source", [fb.Digits(), fb.BreastCancer(), fb.Wine()], ids=repr)
def test_the_held_out_rows_have_the_same_class_shares(source: RandomSplit) -> None:
    y = source.table().y
    data = source.load()
    whole, held = np.bincount(y), np.bincount(data.y_test)
    np.testing.assert_allclose(held, whole * source.test_fraction, atol=0.5)
    np.testing.assert_array_equal(held + np.bincount(data.y), whole)


def test_a_regression_target_is_standardised_and_can_be_taken_back() -> None:
    y = Prices().table().y
    data = Prices().load()
    card = data.card
    back = np.concatenate([data.y, data.y_test]) * card.target_std + card.target_mean
    np.testing.assert_allclose(np.sort(back), np.sort(y), rtol=1e-5)
    assert card.target_mean == pytest.approx(float(back[: len(data.y)].mean()), rel=1e-5)


def test_strata_of_a_regression_are_tenths_of_the_training_targets() -> None:
    data = fb.DiabetesProgression().load()
    strata, test = data.strata()
    sizes = np.bincount(strata, minlength=STRATA)
    assert len(sizes) == STRATA == len(data.strata_names)
    assert abs(sizes - len(data.y) / STRATA).max() <= 8  # equal targets stay together
    for k in range(STRATA - 1):
        assert data.y[strata == k].max() <= data.y[strata == k + 1].min()
    assert test.min() >= 0 and test.max() < STRATA


def test_strata_of_a_classification_are_its_classes() -> None:
    data = fb.Wine().load()
    strata, test = data.strata()
    np.testing.assert_array_equal(strata, data.y)
    np.testing.assert_array_equal(test, data.y_test)
    assert data.strata_names == ("grower 1", "grower 2", "grower 3")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_missing_feature_is_named_by_column_and_row(value: str) -> None:
    with pytest.raises(
        ValueError, match=rf"Ages: 'age' is {value} in raw row 17 .*fill in or drop"
    ):
        Ages(spoilt=(17, 1), value=value).load()


def test_a_missing_target_is_named_by_its_row() -> None:
    with pytest.raises(ValueError, match=r"Prices\.table\(\): target 'price' is inf in row 9 "):
        Prices(gap=9).load()


def test_a_dataset_made_by_hand_is_checked_too() -> None:
    good = fb.Wine().load()
    bad = good.x_test.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="'ash' is nan in test row 3"):
        Dataset(good.card, good.x, good.y, bad, good.y_test)


def test_a_run_on_a_spoilt_table_says_where() -> None:
    session = fb.Session(
        fb.Experiment(data=Ages(spoilt=(2, 0)), partition=fb.IID(clients=2), rounds=1)
    )
    session.start()
    assert session.wait(60) == "failed"
    assert session.failure is not None
    assert "'a' is nan in raw row 2" in session.failure.message


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.5])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(ValidationError, match="test_fraction"):
        fb.Wine(test_fraction=share)


def test_a_regression_split_holds_out_each_tenth_of_the_target() -> None:
    y = fb.DiabetesProgression().table().y
    for seed in range(5):
        data = fb.DiabetesProgression(split_seed=seed, test_fraction=0.25).load()
        held = data.y_test * data.card.target_std + data.card.target_mean
        edges = np.quantile(y.astype(float), np.linspace(0, 1, 11)[1:-1])
        counts = np.bincount(np.searchsorted(edges, held - 1e-3), minlength=10)
        assert counts.min() >= 10 and counts.max() <= 12


def test_ids_are_left_as_they_are() -> None:
    card, x = Visits().table().card, Visits().table().x
    data = Visits().load()
    assert data.card == card and data.x.dtype == data.x_test.dtype == np.int64
    rows = np.concatenate([data.x, data.x_test])
    np.testing.assert_array_equal(rows[np.lexsort(rows.T)], x[np.lexsort(x.T)])


@pytest.mark.parametrize(
    ("spoilt", "value", "said"),
    [
        ((7, 1), 10, r"Visits: 'item' is 10 in raw row 7 \(1 such .* between 0 and 9"),
        ((8, 0), -1, r"Visits: 'user' is -1 in raw row 8 \(1 such .* between 0 and 5"),
    ],
)
def test_an_id_out_of_its_vocabulary_is_named(
    spoilt: tuple[int, int], value: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Visits(spoilt=spoilt, value=value).load()


def test_one_vocabulary_is_for_every_place_of_a_sequence() -> None:
    data = Visits().load()
    tokens = replace(data.card, vocabulary=(10,))
    Dataset(tokens, data.x, data.y, data.x_test, data.y_test)
    with pytest.raises(ValueError, match=r"'item' is 9 in .* between 0 and 8"):
        Dataset(replace(tokens, vocabulary=(9,)), data.x, data.y, data.x_test, data.y_test)


@pytest.mark.parametrize("vocabulary", [(), (6, 10, 3)])
def test_integers_need_a_vocabulary(vocabulary: tuple[int, ...]) -> None:
    data = Visits().load()
    card = replace(data.card, vocabulary=vocabulary)
    with pytest.raises(ValueError, match=r"Visits: training x holds integers in 2 columns and .*"):
        Dataset(card, data.x, data.y, data.x_test, data.y_test)


def test_a_vocabulary_needs_integers() -> None:
    data = Visits().load()
    x = data.x.astype(np.float32)
    with pytest.raises(ValueError, match="Visits: the card has a vocabulary, so training x must"):
        Dataset(data.card, x, data.y, data.x_test, data.y_test)
