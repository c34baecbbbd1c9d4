"""Arithmetic on trees, single and stacked over clients."""

from __future__ import annotations

import math

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


SIZES = [1, 255, 256, 257, 1000]  # around the runs that are summed in single precision


def leaves(clients: int, *shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Return leaves of normal numbers, each of another order of magnitude."""
    rng = np.random.default_rng(clients)
    drawn = [rng.normal(size=(clients, *shape)) * 10.0**k for k, shape in enumerate(shapes)]
    return {f"leaf {k}": torch.from_numpy(leaf).float() for k, leaf in enumerate(drawn)}


def flat(a: tree.Tree) -> np.ndarray:
    """Return all coordinates of a stacked tree in double precision, [C, n]."""
    parts = [leaf.double().numpy() for leaf in a.values()]
    return np.concatenate([part.reshape(len(part), math.prod(part.shape[1:])) for part in parts], 1)


@pytest.mark.parametrize("clients", [0, 1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_norms_around_the_length_of_a_run(size: int, clients: int) -> None:
    assert tree.RUN == 256
    a = leaves(clients, (size,))
    found = tree.norms(a)
    assert found.shape == (clients,) and found.dtype == torch.float64
    exact = np.linalg.norm(a["leaf 0"].double().numpy(), axis=1)
    np.testing.assert_allclose(found.numpy(), exact, rtol=3e-7)


@pytest.mark.parametrize("clients", [0, 4])
def test_norms_over_leaves_of_every_size_and_of_scalars(clients: int) -> None:
    a = leaves(clients, *((size,) for size in SIZES), (), (0,), (16, 33), (2, 3, 50))
    np.testing.assert_allclose(tree.norms(a).numpy(), np.linalg.norm(flat(a), axis=1), rtol=3e-7)


def test_norms_of_leaves_that_do_not_lie_in_one_piece() -> None:
    turned = {name: leaf.transpose(1, 2) for name, leaf in leaves(3, (20, 31), (1, 500)).items()}
    assert not turned["leaf 0"].is_contiguous()
    exact = np.linalg.norm(flat(turned), axis=1)
    np.testing.assert_allclose(tree.norms(turned).numpy(), exact, rtol=3e-7)


def test_norms_of_doubles_keep_all_their_digits() -> None:
    a = {"w": leaves(2, (1000,))["leaf 0"].double() + 1e-12}
    np.testing.assert_allclose(tree.norms(a).numpy(), np.linalg.norm(flat(a), axis=1), rtol=1e-14)


@pytest.mark.parametrize("block", [1, 7, 30, 10**6])
def test_coordinate_rules_see_blocks_and_give_the_whole(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "BLOCK", block)
    a = leaves(5, (4, 3), (17,), (), (0,), (1,))
    shapes = []

    def second(rows: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(rows.shape))
        return rows.sort(0).values[1]

    found = tree.by_columns(second, a)
    assert list(found) == list(a)
    for name, leaf in a.items():
        assert found[name].shape == leaf.shape[1:]
        assert found[name].tolist() == np.sort(leaf.numpy(), axis=0)[1].tolist()
    widest = max(1, block // 5)
    assert {clients for clients, _ in shapes} == {5}
    assert max(width for _, width in shapes) == min(widest, 17)
    assert len(shapes) == sum(-(-size // widest) for size in (12, 17, 1, 0, 1))


@pytest.mark.parametrize("block", [1, 7, 30, 10**6])
def test_columns_are_all_coordinates_once(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "BLOCK", block)
    a = leaves(5, (4, 3), (17,), (), (0,), (1,))
    found = list(tree.columns(a))
    assert torch.cat(found, 1).double().numpy().tolist() == flat(a).tolist()
    assert max(part.shape[1] for part in found) == min(max(1, block // 5), 17)


def test_columns_of_nobody_and_of_many_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = {"w": torch.zeros(0, 3), "b": torch.zeros(0)}
    assert [tuple(part.shape) for part in tree.columns(nobody)] == [(0, 3), (0, 1)]
    assert tree.by_columns(lambda rows: rows.sum(0), nobody)["w"].tolist() == [0, 0, 0]
    monkeypatch.setattr(tree, "BLOCK", 2)  # fewer than there are clients: one column at a time
    a = leaves(3, (4,))
    assert [tuple(part.shape) for part in tree.columns(a)] == [(3, 1)] * 4


def test_coordinate_rules_keep_the_type() -> None:
    doubles = {"w": torch.tensor([[1.0, 5.0], [2.0, 4.0]], dtype=torch.float64)}
    found = tree.by_columns(lambda rows: rows.mean(0), doubles)["w"]
    assert found.dtype == torch.float64 and found.tolist() == [1.5, 4.5]


def test_size(a) -> None:
    assert tree.size(a) == 6
