"""What holds for every aggregator."""

from __future__ import annotations

import torch
from hypothesis import given, strategies as st

from fedbench.aggregators import Aggregator
from fedbench.tree import Tree


def payloads(clients: int, seed: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tree = {
        "weight": torch.randn((clients, 3, 2), generator=generator),
        "bias": torch.randn((clients, 3), generator=generator),
    }
    return tree, torch.rand(clients, generator=generator) + 0.1


def assert_close(a: Tree, b: Tree) -> None:
    assert list(a) == list(b)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-5, atol=1e-6)


@given(clients=st.integers(1, 12), seed=st.integers(0, 2**31), order=st.randoms())
def test_the_order_of_clients_changes_nothing(
    aggregator: Aggregator, clients: int, seed: int, order
) -> None:
    if clients < aggregator.least:
        return
    tree, weights = payloads(clients, seed)
    permutation = list(range(clients))
    order.shuffle(permutation)
    permuted = {name: leaf[permutation] for name, leaf in tree.items()}
    assert_close(
        aggregator.combine(tree, weights), aggregator.combine(permuted, weights[permutation])
    )


def test_one_client_is_its_own_aggregate(aggregator: Aggregator) -> None:
    if aggregator.least > 1:
        return
    tree, weights = payloads(1, 0)
    alone = {name: leaf[0] for name, leaf in tree.items()}
    assert_close(aggregator.combine(tree, weights), alone)


def test_clients_that_agree_are_their_own_aggregate(aggregator: Aggregator) -> None:
    tree, weights = payloads(1, 3)
    same = {name: leaf.expand(7, *leaf.shape[1:]) for name, leaf in tree.items()}
    result = aggregator.combine(same, weights.expand(7))
    assert_close(result, {name: leaf[0] for name, leaf in tree.items()})


def test_inputs_are_left_alone(aggregator: Aggregator) -> None:
    tree, weights = payloads(5, 1)
    before, weights_before = {k: v.clone() for k, v in tree.items()}, weights.clone()
    aggregator.combine(tree, weights)
    assert all(torch.equal(tree[name], before[name]) for name in tree)
    assert torch.equal(weights, weights_before)


def test_a_sum_is_linear(aggregator: Aggregator) -> None:
    if not aggregator.is_sum:
        return
    tree, weights = payloads(5, 2)
    other, _ = payloads(5, 4)
    both = {name: tree[name] + 2 * other[name] for name in tree}
    parts = [aggregator.combine(each, weights, total=3.0) for each in (tree, other, both)]
    expected = {name: parts[0][name] + 2 * parts[1][name] for name in tree}
    assert_close(parts[2], expected)


def test_nobody_gives_zeros(aggregator: Aggregator) -> None:
    tree, weights = payloads(0, 0)
    result = aggregator.combine(tree, weights)
    assert {name: tuple(leaf.shape) for name, leaf in result.items()} == {
        "weight": (3, 2),
        "bias": (3,),
    }
    assert not any(leaf.any() for leaf in result.values())


def test_a_fifth_of_flipped_signs_breaks_the_mean_alone(aggregator: Aggregator) -> None:
    if aggregator.least > 15:
        return
    generator = torch.Generator().manual_seed(5)
    honest = 1 + 0.1 * torch.randn((15, 40), generator=generator)
    sent = honest.clone()
    sent[:3] *= -20
    robust = aggregator.replace(**ROBUST.get(type(aggregator).__name__, {}))
    result = robust.combine({"w": sent}, torch.ones(15))["w"]
    off = (result - 1).abs().max()
    assert off > 3 if type(aggregator).__name__ == "Mean" else off < 0.5


# what these rules must be told to bear three corrupt clients of fifteen
ROBUST = {"Krum": {"byzantine": 3}, "MultiKrum": {"byzantine": 3}, "TrimmedMean": {"trim": 0.2}}
