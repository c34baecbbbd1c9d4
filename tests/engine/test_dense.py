"""Layers by hand: what may be stacked, and each against autograd, client by client."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from fedbench.engine import dense
from fedbench.engine.dense import Layer, Trained, layers
from fedbench.tree import Tree

CLIENTS, BATCH = 3, 4


class Own(nn.Linear):
    """A dense layer that may compute anything."""


class OwnSequence(nn.Sequential):
    """A sequence that may compute anything."""


def squares_of(a: Tensor) -> NDArray[np.float32]:
    return a.square().sum(2).numpy()


def tied() -> nn.Sequential:
    """Return two layers with one weight."""
    module = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    module[2].weight = module[0].weight
    return module


def twice() -> nn.Sequential:
    """Return a sequence with one layer at two places."""
    layer = nn.Linear(6, 6)
    return nn.Sequential(layer, nn.ReLU(), layer)


def buffered() -> nn.Sequential:
    """Return a dense layer that carries a buffer."""
    layer = nn.Linear(6, 2)
    layer.register_buffer("seen", torch.zeros(1))
    return nn.Sequential(layer)


def names(found: list[Layer] | None) -> list[str]:
    assert found is not None
    return [type(layer).__name__ for layer in found]


def test_every_layer_that_can_be_stacked_is_recognised() -> None:
    module = nn.Sequential(
        nn.Flatten(),
        nn.Linear(8, 6),
        nn.ReLU(),
        nn.Linear(6, 5, bias=False),
        nn.LayerNorm(5, eps=0.01),
        nn.Tanh(),
        nn.Linear(5, 4),
        nn.Sigmoid(),
    )
    for shape in ((8,), (2, 4), (2, 2, 2)):
        found = layers(module, shape)
        assert names(found) == [
            *("Flatten", "Linear", "ReLU", "Linear", "LayerNorm", "Tanh", "Linear", "Sigmoid")
        ]
    assert found is not None
    assert [layer.weight for layer in found if isinstance(layer, Trained)] == [
        f"{k}.weight" for k in (1, 3, 4, 6)
    ]
    assert [found[k].biased for k in (1, 3, 6)] == [True, False, True]  # pyright: ignore
    assert found[4].epsilon == 0.01  # pyright: ignore


def test_a_bag_of_embeddings_is_recognised_as_the_first_layer() -> None:
    bag = nn.EmbeddingBag(11, 4, padding_idx=0)
    found = layers(nn.Sequential(bag, nn.ReLU(), nn.Linear(4, 2)), (7,))
    assert names(found) == ["Bag", "ReLU", "Linear"]
    assert found is not None
    assert (found[0].padding, found[0].vocabulary) == (0, 11)  # pyright: ignore
    bare = layers(nn.Sequential(nn.EmbeddingBag(5, 4)), (7,))
    assert bare is not None and bare[0].padding is None  # pyright: ignore


def test_rows_need_no_flattening_and_names_are_the_modules_own() -> None:
    module = nn.Sequential()
    module.add_module("body", nn.Linear(6, 5))
    module.add_module("squash", nn.ReLU(inplace=True))
    module.add_module("head", nn.Linear(5, 2))
    found = layers(module, (6,))
    assert names(found) == ["Linear", "ReLU", "Linear"]
    assert found is not None
    assert [(found[k].weight, found[k].bias) for k in (0, 2)] == [
        ("body.weight", "body.bias"),
        ("head.weight", "head.bias"),
    ]


REFUSED = {
    "no sequence": (nn.Linear(6, 2), (6,)),
    "a sequence of somebody's own": (OwnSequence(nn.Linear(6, 2)), (6,)),
    "a sequence in a sequence": (nn.Sequential(nn.Sequential(nn.Linear(6, 2))), (6,)),
    "a convolution": (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2)),
        (1, 8, 8),
    ),
    "dropout": (nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.Linear(6, 2)), (6,)),
    "another activation": (nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 2)), (6,)),
    "a dense layer along one of two axes": (nn.Sequential(nn.Linear(6, 2)), (5, 6)),
    "an activation before flattening": (
        nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(30, 2)),
        (5, 6),
    ),
    "flattening some axes": (nn.Sequential(nn.Flatten(1, 2), nn.Linear(2, 2)), (5, 6, 2)),
    "flattening the batch": (nn.Sequential(nn.Flatten(0), nn.Linear(6, 2)), (6,)),
    "one weight for two layers": (tied(), (6,)),
    "one layer at two places": (twice(), (6,)),
    "a subclass of a dense layer": (nn.Sequential(Own(6, 2)), (6,)),
    "a norm without weights": (
        nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6, elementwise_affine=False)),
        (6,),
    ),
    "a norm without bias": (nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6, bias=False)), (6,)),
    "a norm over two axes": (nn.Sequential(nn.LayerNorm((5, 6)), nn.Flatten()), (5, 6)),
    "a norm over the batch": (nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6)), (6,)),
    "a sum of embeddings": (nn.Sequential(nn.EmbeddingBag(9, 4, mode="sum")), (6,)),
    "the largest of embeddings": (nn.Sequential(nn.EmbeddingBag(9, 4, mode="max")), (6,)),
    "embeddings that are cut short": (nn.Sequential(nn.EmbeddingBag(9, 4, max_norm=1.0)), (6,)),
    "embeddings by offsets": (
        nn.Sequential(nn.EmbeddingBag(9, 4, include_last_offset=True)),
        (6,),
    ),
    "embeddings whose gradient goes by frequency": (
        nn.Sequential(nn.EmbeddingBag(9, 4, scale_grad_by_freq=True)),
        (6,),
    ),
    "embeddings of rows of tokens": (nn.Sequential(nn.EmbeddingBag(9, 4)), (5, 6)),
    "embeddings further in": (nn.Sequential(nn.Flatten(), nn.EmbeddingBag(9, 4)), (6,)),
    "plain embeddings": (nn.Sequential(nn.Embedding(9, 4), nn.Flatten()), (6,)),
    "a buffer": (buffered(), (6,)),
}


@pytest.mark.parametrize(("module", "shape"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_not_stacked(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert layers(module, shape) is None


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parameters(module: nn.Module, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Return values of their own for each client, [C, ...]."""
    chance = generator(1)
    return {
        name: torch.randn((CLIENTS, *leaf.shape), generator=chance, dtype=dtype)
        for name, leaf in module.named_parameters()
    }


def own(params: Tree, client: int) -> dict[str, Tensor]:
    return {name: leaf[client].clone().requires_grad_() for name, leaf in params.items()}


def grads(value: Tensor, of: dict[str, Tensor]) -> dict[str, Tensor]:
    found = torch.autograd.grad(value, list(of.values()), retain_graph=True)
    return dict(zip(of, found, strict=True))


def square(of: dict[str, Tensor]) -> float:
    return sum(float(leaf.double().square().sum()) for leaf in of.values())


def numbers(*shape: int) -> Tensor:
    return torch.randn((CLIENTS, BATCH, *shape), generator=generator(2), dtype=torch.float64)


FIRST = {  # a module that begins with the layer in question, the input of it, and which layer
    "linear": (nn.Sequential(nn.Linear(6, 5)), numbers(6)),
    "linear without bias": (nn.Sequential(nn.Linear(6, 5, bias=False)), numbers(6)),
    "norm": (nn.Sequential(nn.LayerNorm(6, eps=0.03)), numbers(6)),
    "flatten": (nn.Sequential(nn.Flatten()), numbers(2, 3)),
    "relu": (nn.Sequential(nn.ReLU()), numbers(6)),
    "tanh": (nn.Sequential(nn.Tanh()), numbers(6)),
    "sigmoid": (nn.Sequential(nn.Sigmoid()), numbers(6)),
}


@pytest.mark.parametrize(("module", "x"), FIRST.values(), ids=FIRST)
def test_each_layer_is_what_autograd_makes_of_it(module: nn.Sequential, x: Tensor) -> None:
    found = layers(module, tuple(x.shape[2:]))
    assert found is not None
    (layer,), params = found, parameters(module)
    before = x.clone()
    out = layer.forward(params, x)
    assert torch.equal(x, before)  # a first layer must not write over the data
    slope = torch.randn(out.shape, generator=generator(3), dtype=out.dtype)
    back = layer.backward(params, x, out, slope.clone())
    assert isinstance(layer, Trained) == bool(params)
    gradients = layer.gradients(x, slope) if isinstance(layer, Trained) else {}
    assert set(gradients) == set(params)
    for client in range(CLIENTS):
        leaves, given = own(params, client), x[client].clone().requires_grad_()
        result = functional_call(module, leaves, (given,))
        torch.testing.assert_close(out[client], result)
        total = (result * slope[client]).sum()
        torch.testing.assert_close(
            back[client], torch.autograd.grad(total, given, retain_graph=True)[0]
        )
        if isinstance(layer, Trained):
            for name, grad in grads(total, leaves).items():
                torch.testing.assert_close(gradients[name][client], grad)
            each = (result * slope[client]).sum(1)
            exact = [square(grads(value, leaves)) for value in each]
            assert layer.squares(x, slope, squares_of)[client].tolist() == pytest.approx(exact)


TOKENS = torch.tensor(
    [
        [[1, 2, 3, 4], [1, 1, 1, 2], [5, 0, 0, 0], [0, 0, 0, 0]],
        [[2, 2, 4, 4], [0, 3, 0, 3], [4, 3, 2, 1], [5, 5, 5, 5]],
        [[0, 0, 0, 1], [1, 0, 2, 1], [3, 3, 3, 0], [2, 0, 0, 0]],
    ]
)


@pytest.mark.parametrize("padding", [0, 3, None])
def test_a_bag_of_embeddings_is_what_autograd_makes_of_it(padding: int | None) -> None:
    module = nn.Sequential(nn.EmbeddingBag(6, 5, padding_idx=padding))
    found = layers(module, (4,))
    assert found is not None
    layer, params = found[0], parameters(module, torch.float32)
    out = layer.forward(params, TOKENS)
    slope = torch.randn(out.shape, generator=generator(3))
    gradients, squares = layer.gradients(TOKENS, slope), layer.squares(TOKENS, slope, squares_of)
    for client in range(CLIENTS):
        leaves = own(params, client)
        result = functional_call(module, leaves, (TOKENS[client],))
        torch.testing.assert_close(out[client], result)
        each = (result * slope[client]).sum(1)
        whole = grads(each.sum(), leaves)["0.weight"]
        torch.testing.assert_close(gradients["0.weight"][client], whole)
        exact = [square(grads(value, leaves)) for value in each]
        assert squares[client].tolist() == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("name", ["linear", "linear without bias", "norm"])
def test_a_step_in_place_is_the_gradient_times_the_rate(name: str) -> None:
    module, x = FIRST[name]
    found = layers(module, (6,))
    assert found is not None
    (layer,), params = found, parameters(module)
    slope = torch.randn(layer.forward(params, x).shape, generator=generator(3), dtype=x.dtype)
    expected = {key: leaf - 0.3 * layer.gradients(x, slope)[key] for key, leaf in params.items()}
    layer.descend(params, x, slope, 0.3)
    for key, leaf in expected.items():
        torch.testing.assert_close(params[key], leaf)


def stack(shape: tuple[int, ...], *middle: nn.Module) -> tuple[nn.Sequential, tuple[int, ...]]:
    return nn.Sequential(nn.Flatten(), *middle).double(), shape


def shared_activation() -> tuple[nn.Sequential, tuple[int, ...]]:
    """Return a network that calls one activation at two places."""
    act = nn.Tanh()
    return stack((6,), nn.Linear(6, 5), act, nn.Linear(5, 4), act, nn.Linear(4, 3))


NETWORKS = {
    "relu": stack((2, 3), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)),
    "tanh and sigmoid": stack(
        (6,), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 3)
    ),
    "norms": stack(
        *((6,), nn.LayerNorm(6), nn.Linear(6, 5), nn.LayerNorm(5), nn.ReLU()),
        *(nn.Linear(5, 4, bias=False), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)),
    ),
    "activations in a row": stack(
        (6,), nn.Sigmoid(), nn.Linear(6, 5), nn.Tanh(), nn.ReLU(), nn.Tanh(), nn.Linear(5, 3)
    ),
    "an activation at the end": stack((6,), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), nn.Tanh()),
    "flat twice": stack((2, 3), nn.Linear(6, 3), nn.Flatten(), nn.Tanh(), nn.Linear(3, 3)),
    "one activation twice": shared_activation(),
}


@pytest.mark.parametrize(("module", "shape"), NETWORKS.values(), ids=NETWORKS)
def test_norms_of_single_examples_through_a_whole_network(
    module: nn.Sequential, shape: tuple[int, ...]
) -> None:
    found = layers(module, shape)
    assert found is not None
    params, x = parameters(module), numbers(*shape)
    y = torch.randint(3, (CLIENTS, BATCH), generator=generator(4))
    given = [x]
    for layer in found:
        given.append(layer.forward(params, given[-1]))
    outputs = given[-1].detach().requires_grad_()
    losses = nn.functional.cross_entropy(outputs.flatten(0, 1), y.flatten(), reduction="sum")
    (slope,) = torch.autograd.grad(losses, outputs)
    squares, gradients = np.zeros((CLIENTS, BATCH)), {}
    for depth in reversed(range(len(found))):
        layer = found[depth]
        if isinstance(layer, Trained):
            squares += layer.squares(given[depth], slope, squares_of)
            gradients |= layer.gradients(given[depth], slope)
        slope = layer.backward(params, given[depth], given[depth + 1], slope)
    for client in range(CLIENTS):
        leaves = own(params, client)
        each = nn.functional.cross_entropy(
            functional_call(module, leaves, (x[client],)), y[client], reduction="none"
        )
        exact = [square(grads(value, leaves)) for value in each]
        assert squares[client].tolist() == pytest.approx(exact)
        for name, grad in grads(each.sum(), leaves).items():
            torch.testing.assert_close(gradients[name][client], grad)


def test_activations_write_over_what_nobody_needs_and_nothing_else() -> None:
    module = nn.Sequential(
        *(nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Sigmoid(), nn.LayerNorm(5), nn.ReLU())
    )
    found = layers(module, (6,))
    assert found is not None
    spare = [layer.spare for layer in found if isinstance(layer, dense.Activation)]
    assert spare == [False, True, False, True]
