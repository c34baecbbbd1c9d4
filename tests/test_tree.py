"""Arithmetic on trees, single and stacked over clients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fedbench import tree


@pytest.fixture
def a() -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.tensor([5.0, -6.0])}


@pytest.fixture
def b() -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([[0.5, 0.0], [-1.0, 2.0]]), "b": torch.tensor([1.0, 1.0])}


def test_add_and_sub(a, b) -> None:
    assert tree.add(a, b)["w"].tolist() == [[1.5, 2.0], [2.0, 6.0]]
    assert tree.sub(a, b)["b"].tolist() == [4.0, -7.0]


def test_scale_by_one_number(a) -> None:
    assert tree.scale(a, -2)["b"].tolist() == [-10.0, 12.0]
    assert tree.scale(a, torch.tensor(0.5))["w"].tolist() == [[0.5, 1.0], [1.5, 2.0]]


def test_scale_by_a_number_per_client(a) -> None:
    scaled = tree.scale(a, torch.tensor([10.0, -1.0]))
    assert scaled["w"].tolist() == [[10.0, 20.0], [-3.0, -4.0]]
    assert scaled["b"].tolist() == [50.0, 6.0]


def test_a_factor_does_not_change_the_type(a) -> None:
    assert tree.scale(a, torch.tensor([1, 2]))["w"].dtype == torch.float32
    assert tree.scale(a, torch.tensor([1.0, 2.0], dtype=torch.float64))["w"].dtype == torch.float32


def test_zeros_like(a) -> None:
    zeros = tree.zeros_like(a)
    assert {name: leaf.shape for name, leaf in zeros.items()} == {
        name: leaf.shape for name, leaf in a.items()
    }
    assert not any(leaf.any() for leaf in zeros.values())


def test_map_over_several_trees(a, b) -> None:
    assert tree.map(torch.maximum, a, b)["b"].tolist() == [5.0, 1.0]


def test_stack_row_and_concatenate(a, b) -> None:
    stacked = tree.stack([a, b])
    assert stacked["w"].shape == (2, 2, 2)
    assert torch.equal(tree.row(stacked, 1)["w"], b["w"])
    joined = tree.concatenate([stacked, tree.stack([b])])
    assert joined["b"].tolist() == [[5.0, -6.0], [1.0, 1.0], [1.0, 1.0]]


def test_norms_are_over_all_leaves_of_a_client() -> None:
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4))
    norms = tree.norms({"w": torch.from_numpy(w), "b": torch.from_numpy(b)})
    flat = np.concatenate([w.reshape(3, -1), b], axis=1)
    np.testing.assert_allclose(norms.numpy(), np.linalg.norm(flat, axis=1))


def test_norms_of_large_trees_keep_their_digits() -> None:
    # A float32 sum of ten million squares of 0.1 would be off in the third digit.
    assert float(tree.norms({"w": torch.full((1, 10**6), 0.1)})) == pytest.approx(100, rel=1e-6)


def test_norms_of_nobody() -> None:
    assert tree.norms({"w": torch.zeros((0, 4))}).shape == (0,)


def test_size(a) -> None:
    assert tree.size(a) == 6
