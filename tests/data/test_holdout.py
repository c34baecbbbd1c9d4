"""Every client keeps a training row, and gives test rows in proportion where it has enough."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

import fedbench as fb
from fedbench.data import Card, RandomSplit, Raw, TimeSplit
from fedbench.data.card import Task
from fedbench.data.source import Column

NAMES = ("a", "b")


def raw_of(owners: list[int], classes: list[int], time: Any = None, units: Any = None) -> Raw:
    card = Card("Users", "made", "none", "classification", (2,), NAMES, "y", ("n", "y"))
    return Raw(
        Card(**{**vars(card), "client": "user"}),
        np.zeros((len(owners), 2), dtype=np.float32),
        np.array(classes),
        {"user": Column.of(np.array(owners))},
        time=time,
        units=units,
    )


class Drawn(RandomSplit):
    """Rows that are split at random."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (2,)

    def table(self) -> Raw:
        raise NotImplementedError


class InTime(TimeSplit):
    """Rows that are split by time."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (2,)

    def table(self) -> Raw:
        raise NotImplementedError


def users(count: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": np.repeat([f"u{k:03}" for k in range(count)], rows)})
    frame["x"], frame["z"] = rng.normal(size=(2, len(frame)))
    return frame.assign(y=np.where(frame["x"] + rng.normal(size=len(frame)) > 0, "yes", "no"))


@pytest.mark.parametrize(("count", "rows"), [(300, 3), (300, 2), (40, 7)])
def test_users_with_few_rows_are_all_clients(count: int, rows: int) -> None:
    table = fb.Table(users(count, rows), target="y", client="user")
    for seed in range(5):
        data = fb.Experiment(data=table.replace(split_seed=seed), partition=fb.Natural())
        federation = data.federation()
        assert federation.clients == count
        assert federation.sizes.min() >= 1
        assert len(federation.y_test) == pytest.approx(0.2 * count * rows, rel=0.25)


def test_where_no_client_has_two_rows_natural_clients_are_refused_with_a_remedy() -> None:
    table = fb.Table(users(300, 1), target="y", client="user")
    with pytest.raises(ValueError, match=r"without a training sample .* choose GroupedNatural"):
        fb.Experiment(data=table, partition=fb.Natural()).federation()
    grouped = fb.Experiment(data=table, partition=fb.GroupedNatural(clients=5)).federation()
    assert len(grouped.y_test) == 60


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=2, max_size=80),
    st.sampled_from([0.05, 0.2, 0.5, 0.9, 0.99]),
    st.booleans(),
    st.integers(0, 3),
)
def test_no_client_is_emptied_and_no_unit_is_parted(
    rows: list[tuple[int, int]], share: float, in_units: bool, seed: int
) -> None:
    owners, classes = [owner for owner, _ in rows], [each for _, each in rows]
    units = np.arange(len(rows)) // 3 if in_units else None
    time = np.random.default_rng(seed).integers(0, 5, len(rows)).astype(float)
    raw = raw_of(owners, classes, time, units)
    for source in (Drawn(test_fraction=share, split_seed=seed), InTime(test_fraction=share)):
        held = source.held_out(raw)
        if set(np.array(owners)[~held]) != set(owners):  # only where nobody can give a row
            assert units is not None or max(np.bincount(owners)) == 1
        if units is not None and isinstance(source, Drawn):
            assert not set(units[held]) & set(units[~held])


def test_large_clients_give_test_rows_in_proportion_where_the_others_are_tiny() -> None:
    frame = pd.concat([users(400, 1), users(3, 100).assign(user=np.repeat(["A", "B", "C"], 100))])
    table = fb.Table(frame, target="y", client="user")
    raw = table.table()
    held = table.held_out(raw)
    large = frame["user"].isin(["A", "B", "C"]).to_numpy()
    assert min(held[large].reshape(3, 100).sum(1)) >= 18
    assert max(held[large].reshape(3, 100).sum(1)) <= 22
    assert not held[~large].any()


def test_a_client_seen_only_at_the_end_is_split_by_its_own_time() -> None:
    owners, time = np.repeat([0, 1], [90, 10]), np.arange(100.0)
    held = InTime().held_out(raw_of(owners.tolist(), [0, 1] * 50, time))
    np.testing.assert_array_equal(np.flatnonzero(held), [*range(80, 90), 98, 99])


def test_by_coarse_times_something_is_left_to_train_on() -> None:
    """Nine rows of ten are from the first day: it used to be the test set, and all of it."""
    time = np.repeat([1.0, 2.0], [90, 10])
    held = InTime().held_out(raw_of([0] * 100, [0, 1] * 50, time))
    np.testing.assert_array_equal(np.flatnonzero(held), np.arange(90, 100))
    assert InTime(test_fraction=0.001).held_out(raw_of([0] * 9, [0] * 9, np.arange(9.0))).sum() == 1
