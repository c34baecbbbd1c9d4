"""Rows in order of their client, and the batches that a cohort trains on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

import fedbench as fb
from fedbench.data import FederatedDataset
from tests.batches import Batches, stacked_batches

DATA = FederatedDataset.build(fb.Wine(), fb.Dirichlet(clients=9, alpha=0.2), 5)


def batches(ids: list[int], **settings: int | None) -> Batches:
    defaults = {"batch_size": 4, "epochs": 1, "steps": None, "seed": 0, "round": 1}
    return stacked_batches(DATA, np.array(ids, dtype=np.int64), **(defaults | settings))


def rows_of(cohort: Batches, k: int) -> list[bytes]:
    """Return the samples of the k-th client in order of training, as bytes."""
    mask = cohort.mask[k].bool().numpy()
    return [row.tobytes() for row in cohort.x[k].numpy()[mask]]


def owned(client: int) -> list[bytes]:
    return [row.tobytes() for row in DATA.x[DATA.offsets[client] : DATA.offsets[client + 1]]]


def test_the_same_arguments_give_the_same_object() -> None:
    first = FederatedDataset.build(fb.Wine(), fb.Dirichlet(clients=9, alpha=0.2), 5)
    assert FederatedDataset.build(fb.Wine(), fb.Dirichlet(clients=9, alpha=0.2), 5) is first


def test_offsets_and_counts_agree_with_the_partition() -> None:
    source, partition = fb.Wine(), fb.Dirichlet(clients=9, alpha=0.2)
    raw = source.load()
    strata, test_strata = raw.strata()
    train, test = partition.assign(strata, test_strata, np.random.default_rng([5, 2]))
    for client in range(9):
        mine = slice(DATA.offsets[client], DATA.offsets[client + 1])
        held = slice(DATA.test_offsets[client], DATA.test_offsets[client + 1])
        np.testing.assert_array_equal(DATA.x[mine], raw.x[train == client])
        np.testing.assert_array_equal(DATA.y[mine], raw.y[train == client])
        np.testing.assert_array_equal(DATA.x_test[held], raw.x_test[test == client])
        np.testing.assert_array_equal(DATA.y_test[held], raw.y_test[test == client])
        np.testing.assert_array_equal(
            DATA.counts()[client], np.bincount(raw.y[train == client], minlength=3)
        )
    np.testing.assert_array_equal(DATA.counts().sum(1), DATA.sizes)


def test_counts_of_a_regression_are_over_tenths() -> None:
    data = FederatedDataset.build(fb.DiabetesProgression(), fb.IID(clients=4), 0)
    assert data.counts().shape == (4, 10)
    assert data.counts().sum() == len(data.y)


def test_another_seed_deals_otherwise() -> None:
    other = FederatedDataset.build(fb.Wine(), fb.Dirichlet(clients=9, alpha=0.2), 6)
    assert not np.array_equal(other.sizes, DATA.sizes)


def test_shapes_and_padding() -> None:
    cohort = batches([0, 3, 8], batch_size=4)
    clients, steps, width = cohort.mask.shape
    assert clients == 3 and width <= 4
    assert steps == max(-(-int(size) // 4) for size in DATA.sizes[[0, 3, 8]])
    assert cohort.x.shape == (3, steps, width, 13) and cohort.y.shape == (3, steps, width)
    np.testing.assert_array_equal(cohort.sizes, DATA.sizes[[0, 3, 8]])
    np.testing.assert_array_equal(cohort.mask.sum((1, 2)).numpy(), DATA.sizes[[0, 3, 8]])
    falling = cohort.mask.numpy()
    assert (np.diff(falling, axis=2) <= 0).all()  # samples stand first in their batch


@given(
    batch=st.one_of(st.none(), st.integers(1, 60)),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    round=st.integers(1, 1000),
)
def test_every_sample_once_an_epoch(batch: int | None, epochs: int, seed: int, round: int) -> None:
    cohort = batches(list(range(9)), batch_size=batch, epochs=epochs, seed=seed, round=round)
    for client in range(9):
        taken = rows_of(cohort, client)
        own = owned(client)
        assert len(taken) == epochs * len(own)
        for start in range(0, len(taken), len(own)):
            assert sorted(taken[start : start + len(own)]) == sorted(own)


@given(batch=st.one_of(st.none(), st.integers(1, 60)), steps=st.integers(1, 40))
def test_steps_take_that_many_batches_and_go_round(batch: int | None, steps: int) -> None:
    cohort = batches(list(range(9)), batch_size=batch, epochs=None, steps=steps)
    assert cohort.mask.shape[1] == steps
    assert bool((cohort.mask.sum(2) > 0).all())
    for client in range(9):
        own, taken = owned(client), rows_of(cohort, client)
        whole = len(taken) // len(own) * len(own)
        for start in range(0, whole, len(own)):
            assert sorted(taken[start : start + len(own)]) == sorted(own)
        assert len(set(taken[whole:])) == len(taken[whole:])


def test_targets_go_with_their_features() -> None:
    cohort = batches([2], batch_size=3)
    mask = cohort.mask[0].bool()
    label = {row.tobytes(): int(y) for row, y in zip(DATA.x, DATA.y, strict=True)}
    for row, y in zip(cohort.x[0][mask].numpy(), cohort.y[0][mask].numpy(), strict=True):
        assert label[row.tobytes()] == y


def test_batches_do_not_depend_on_who_else_takes_part() -> None:
    alone, together = batches([4]), batches([1, 4, 7])
    assert rows_of(alone, 0) == rows_of(together, 1)


@pytest.mark.parametrize("change", [{"seed": 1}, {"round": 2}])
def test_batches_are_shuffled_anew(change: dict[str, int]) -> None:
    client = int(DATA.sizes.argmax())
    plain, other = batches([client]), batches([client], **change)
    assert rows_of(plain, 0) == rows_of(batches([client]), 0)
    assert rows_of(plain, 0) != rows_of(other, 0)


def test_passes_are_shuffled_differently() -> None:
    client = int(DATA.sizes.argmax())
    taken = rows_of(batches([client], epochs=2), 0)
    assert taken[: len(taken) // 2] != taken[len(taken) // 2 :]


def test_nobody() -> None:
    cohort = batches([])
    assert cohort.mask.shape[0] == len(cohort.ids) == len(cohort.sizes) == 0


def test_a_cohort_is_a_copy() -> None:
    before = DATA.x.copy()
    batches([0, 1]).x.zero_()
    np.testing.assert_array_equal(DATA.x, before)
