"""What holds for every source, partitioner and sampling."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from fedbench.data import (
    ClassSplit,
    Column,
    Features,
    FederatedDataset,
    Natural,
    Partitioner,
    RandomSplit,
    Raw,
    Skew,
    Source,
    Split,
)
from fedbench.data.card import Card
from fedbench.data.skews import skewed
from fedbench.participation.sampling import Sampling

SITES = ("north", "<b>south", "east", "west")


class Sited(RandomSplit):
    """Rows of four classes at four sites of unequal size, seen one after another."""

    task: ClassVar = "classification"
    shape: ClassVar = (3,)
    rows: int = 375

    def table(self) -> Raw:
        rng = np.random.default_rng(0)
        y = rng.integers(4, size=self.rows)
        site = rng.choice(4, size=self.rows, p=[0.5, 0.3, 0.15, 0.05])
        x = rng.normal(size=(self.rows, 3)).astype(np.float32)
        x[:, 0] = np.arange(self.rows)  # no two rows are alike
        card = Card(
            "Sited",
            "made here",
            "none",
            "classification",
            (3,),
            ("row", "a", "b"),
            "class",
            tuple("0123"),
            client="site",
        )
        column = Column(SITES, site)
        return Raw(card, x, y, {"site": column}, rng.permutation(self.rows).astype(float))

    @property
    def natural(self) -> dict[str, int]:
        return {"site": 4}


Owners = tuple[NDArray[np.int64], NDArray[np.int64]]


def assigned(split: ClassSplit, seed: int, rows: int = 300, classes: int = 4) -> Owners:
    rng = np.random.default_rng(0)
    strata, test = rng.integers(classes, size=rows), rng.integers(classes, size=rows // 4)
    return split.assign(strata, test, np.random.default_rng(seed))


# Sources


def test_a_source_gives_what_its_card_says(source: Source) -> None:
    data = source.load()
    card = data.card
    assert (card.task, card.shape, card.vocabulary) == (
        source.task,
        source.shape,
        source.vocabulary,
    )
    assert source.training_samples in (None, len(data.y))
    assert source.natural == {name: len(column.names) for name, column in data.columns.items()}
    assert card.client == next(iter(source.natural), "")
    assert data.x.shape[1:] == data.x_test.shape[1:] == card.shape
    assert data.x.dtype == data.x_test.dtype == (np.int64 if card.vocabulary else np.float32)
    assert len(data.x) == len(data.y) and len(data.x_test) == len(data.y_test)
    assert card.name and card.source and card.licence and card.target
    assert len(card.features) == card.inputs == len(set(card.features))
    if card.task == "classification":
        assert data.y.dtype == np.int64
        found = set(np.unique(data.y))
        # of an alphabet some letters are so rare that no row asks for them
        assert found <= set(range(len(card.classes)))
        assert len(card.classes) > 20 or len(found) == len(card.classes)
    else:
        assert data.y.dtype == np.float32 and card.classes == ()
        assert abs(data.y.mean()) < 1e-5 and abs(data.y.std() - 1) < 1e-5


def test_a_source_is_split_by_its_own_seed_alone(random_split: RandomSplit) -> None:
    source = random_split
    again = source.replace(split_seed=source.split_seed)
    other = source.replace(split_seed=source.split_seed + 1)
    assert np.array_equal(source.load().x, again.load().x)
    assert not np.array_equal(source.load().x, other.load().x)


def test_the_share_held_out_is_the_share_asked_for(random_split: RandomSplit) -> None:
    source = random_split
    if not source.strata_sizes:
        pytest.skip("whole units are held out: its share is looked at by its own tests")
    for share in (0.05, 0.25, 0.3, 0.5):
        asked = source.replace(test_fraction=share)
        data = asked.load()
        strata, held = (np.bincount(rows) for rows in data.strata())
        assert len(data.y) == asked.training_samples  # known before anything is read
        sites = max(1, source.natural.get(data.card.client, 1))
        assert len(data.y) + len(data.y_test) == sum(source.strata_sizes)
        assert abs(len(data.y_test) - share * sum(source.strata_sizes)) <= sites * len(strata) / 2
        if data.card.task == "classification":
            assert np.abs(held - share * (strata + held)).max() <= 0.5 * sites


# Partitioners


def test_each_row_has_exactly_one_owner(class_split: ClassSplit) -> None:
    split = class_split
    train, test = assigned(split, 1)
    assert train.shape == (300,) and test.shape == (75,)
    for owners in (train, test):
        assert owners.min() >= 0 and owners.max() < split.clients


def test_every_client_holds_what_it_needs(class_split: ClassSplit) -> None:
    split = class_split
    least = split.samples_needed // split.clients
    for seed in range(20):
        train, _ = assigned(split, seed)
        assert np.bincount(train, minlength=split.clients).min() >= max(1, least)


def test_as_few_samples_as_are_needed_are_enough(class_split: ClassSplit) -> None:
    split = class_split
    train, _ = assigned(split, 5, rows=split.samples_needed)
    least = split.samples_needed // split.clients
    assert np.bincount(train, minlength=split.clients).tolist() == [least] * (split.clients)


def test_a_partition_is_pure_in_its_seed(class_split: ClassSplit) -> None:
    split = class_split
    first, second, other = (assigned(split, seed) for seed in (2, 2, 3))
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_a_partition_leaves_its_inputs_alone(class_split: ClassSplit) -> None:
    split = class_split
    strata, test = np.arange(60) % 3, np.arange(20) % 3
    split.assign(strata, test, np.random.default_rng(0))
    assert np.array_equal(strata, np.arange(60) % 3) and np.array_equal(test, np.arange(20) % 3)


@given(clients=st.integers(1, 40), seed=st.integers(0, 2**31), classes=st.integers(1, 12))
def test_any_federation_is_dealt_out_whole(
    class_split: ClassSplit, clients: int, seed: int, classes: int
) -> None:
    split = class_split.replace(clients=clients)
    train, test = assigned(split, seed, rows=200, classes=classes)
    sizes = np.bincount(train, minlength=clients)
    assert sizes.sum() == 200 and len(sizes) == clients
    assert sizes.min() >= split.samples_needed // clients
    assert np.bincount(test, minlength=clients).sum() == 50


def test_a_federation_holds_every_row_once(split: Split) -> None:
    source = Sited()
    raw = source.load()
    data = FederatedDataset.build(source, split, 4)
    assert data.clients == split.count(source) == len(data.sizes)
    assert data.offsets[0] == data.test_offsets[0] == 0
    assert data.offsets[-1] == len(data.y) and data.test_offsets[-1] == len(data.y_test)
    assert np.array_equal(ordered(raw.x_test), ordered(data.x_test))
    assert len(np.unique(data.x[:, 0])) == len(data.x)  # no row has two owners
    if not split.leaves_out:
        assert np.array_equal(ordered(raw.x), ordered(data.x))
    assert len(data.names) in (0, data.clients)


def ordered(rows: Features) -> Features:
    flat = rows.reshape(len(rows), -1)
    return flat[np.lexsort(flat.T)]


def test_a_client_holds_what_its_size_says(partitioner: Partitioner) -> None:
    source = Sited()
    assert list(partitioner.check(SimpleNamespace(data=source))) == []
    data = FederatedDataset.build(source, partitioner, 4)
    assert data.clients == partitioner.count(source)
    ids = np.arange(data.clients)
    plan = data.plan(ids, batch_size=None, epochs=1, steps=None, seed=1, round=1)
    counts = np.zeros((data.clients, len(data.strata_names)), dtype=np.int64)
    for client, rows in enumerate(plan.rows[:, 0]):
        own = rows[rows >= 0]
        assert len(own) == len(np.unique(own)) == data.sizes[client]
        np.add.at(counts[client], data.strata[own], 1)
    np.testing.assert_array_equal(data.counts(), counts)
    np.testing.assert_array_equal(data.counts(2), counts[:2])


def test_test_rows_lie_with_the_first_clients(partitioner: Partitioner) -> None:
    data = FederatedDataset.build(Sited(), partitioner, 4)
    assert data.tested <= data.clients
    assert data.test_offsets[0] == 0 and data.test_offsets[-1] == len(data.y_test)
    assert (np.diff(data.test_offsets) >= 0).all()


def test_a_deal_is_pure_in_its_seed(partitioner: Partitioner) -> None:
    data = Sited().load()
    kept = {name: getattr(data, name).copy() for name in ("x", "y", "x_test", "y_test")}
    first, second = (partitioner.deal(data, seed) for seed in (2, 2))
    for name in ("order", "offsets", "test_order", "test_offsets"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    for name, rows in kept.items():
        assert np.array_equal(getattr(data, name), rows)


# Skews


def test_a_skew_is_pure_and_leaves_its_arguments_alone(skew: Skew) -> None:
    data, split = Sited().load(), Natural()
    kept = data.x.copy(), data.y.copy()
    plain = FederatedDataset.build(Sited(), split, 4)
    first, second = (skewed_by(skew, plain, 4) for _ in range(2))
    other = skewed_by(skew, plain, 5)
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert np.array_equal(data.x, kept[0]) and np.array_equal(data.y, kept[1])
    assert first[0].dtype == plain.x.dtype and first[0].shape == plain.x.shape
    assert first[1].dtype == plain.y.dtype and first[1].shape == plain.y.shape
    assert np.isfinite(first[0]).all() and set(np.unique(first[1])) <= set(range(4))


def test_a_client_is_skewed_alike_whoever_else_there_is(skew: Skew) -> None:
    plain = FederatedDataset.build(Sited(), Natural(), 4)
    whole = skewed_by(skew, plain, 4)
    first = int(plain.offsets[1])
    alone = skewed(
        (skew,),
        plain.card,
        plain.x[:first],
        plain.y[:first],
        plain.offsets[:2],
        seed=4,
        clients=4,
        training=True,
    )
    assert np.array_equal(alone[0], whole[0][:first]) and np.array_equal(alone[1], whole[1][:first])


def test_a_row_changes_no_other_where_a_skew_keeps_privacy(skew: Skew) -> None:
    plain = FederatedDataset.build(Sited(), Natural(), 4)
    before = skewed_by(skew, plain, 4)
    x, y = plain.x.copy(), plain.y.copy()
    x[0], y[0] = x[0] + 1, (y[0] + 1) % 4
    after = skewed((skew,), plain.card, x, y, plain.offsets, seed=4, clients=4, training=True)
    same = all(np.array_equal(a[1:], b[1:]) for a, b in zip(before, after, strict=True))
    assert same or not type(skew).keeps_privacy


def skewed_by(skew: Skew, data: FederatedDataset, seed: int):
    return skewed(
        (skew,), data.card, data.x, data.y, data.offsets, seed=seed, clients=4, training=True
    )


# Samplings


def test_a_cohort_is_a_sorted_set_of_clients(sampling: Sampling) -> None:
    rng = np.random.default_rng(0)
    for clients in (12, 13, 200):
        for _ in range(50):
            ids = sampling.draw(clients, rng, int(rng.integers(sampling.turns(clients))))
            assert np.issubdtype(ids.dtype, np.integer) and ids.ndim == 1
            assert (np.diff(ids) > 0).all()
            assert len(ids) == 0 or (ids[0] >= 0 and ids[-1] < clients)


def test_a_cohort_is_pure_in_its_generator(sampling: Sampling) -> None:
    draws = [sampling.draw(500, np.random.default_rng(seed)) for seed in (7, 7, 8)]
    assert np.array_equal(draws[0], draws[1])
    if sampling.expected(500) < 500:
        assert not np.array_equal(draws[0], draws[2])


def test_the_turns_of_a_draw_part_the_clients(sampling: Sampling) -> None:
    turns = sampling.turns(23)
    if turns == 1:
        return
    parts = [sampling.draw(23, np.random.default_rng(5), turn) for turn in range(turns)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(23))


def test_the_expected_size_is_the_mean_size(sampling: Sampling) -> None:
    clients, draws = 60, 2000
    rng = np.random.default_rng(11)
    turns = sampling.turns(clients)
    sizes = np.array([len(sampling.draw(clients, rng, k % turns)) for k in range(draws)])
    expected = sampling.expected(clients)
    rate = expected / clients
    # No sampling of clients one by one varies more than independent coins do.
    error = 5 * math.sqrt(clients * rate * (1 - rate) / draws)
    # the last pass may not be whole
    assert abs(sizes[: draws - draws % turns].mean() - expected) <= error


def test_every_client_has_the_same_chance(sampling: Sampling) -> None:
    clients, draws = 24, 4000
    rng = np.random.default_rng(12)
    taken = np.zeros(clients)
    for k in range(draws):
        taken[sampling.draw(clients, rng, k % sampling.turns(clients))] += 1
    rate = sampling.expected(clients) / clients
    assert np.abs(taken / draws - rate).max() <= 5 * math.sqrt(rate * (1 - rate) / draws)


def test_bounds_are_refused_with_the_field(class_split: ClassSplit) -> None:
    with pytest.raises(ValidationError, match=r"clients\n.*must be at least 1"):
        class_split.replace(clients=0)
