"""The recurrent network against torch's own cell."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import fedbench as fb
from fedbench.data import Card

SERIES = Card("x", "here", "none", "classification", (6, 3), ("value",), "y", ("p", "q", "r", "s"))
TEXT = replace(SERIES, shape=(6,), vocabulary=(9,))


def oracle(module: nn.Module, inputs: int, hidden: int, layers: int) -> nn.GRU:
    """Return torch's layers with the weights of ours."""
    theirs = nn.GRU(inputs, hidden, layers, batch_first=True)
    params = dict(module.named_parameters())
    names = {"weight_ih": "input.weight", "weight_hh": "state.weight"}
    names |= {"bias_ih": "input.bias", "bias_hh": "state.bias"}
    theirs.load_state_dict(
        {
            f"{name}_l{layer}": params[f"cells.{layer}.{ours}"].detach()
            for layer in range(layers)
            for name, ours in names.items()
        }
    )
    return theirs


def assert_same_gradients(module: nn.Module, theirs: nn.GRU, outputs: Tensor, last: Tensor) -> None:
    expected = module.output(last)
    torch.testing.assert_close(outputs, expected)
    ours = [leaf for cell in module.cells for leaf in cell.parameters()]
    found = torch.autograd.grad(outputs.square().sum(), ours)
    known = torch.autograd.grad(expected.square().sum(), list(theirs.parameters()))
    by_layer = [known[4 * k + place] for k in range(theirs.num_layers) for place in (0, 2, 1, 3)]
    for a, b in zip(found, by_layer, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_series_equals_torchs(layers: int) -> None:
    module = fb.GRU(hidden=5, layers=layers).build(SERIES)
    theirs = oracle(module, 3, 5, layers)
    x = torch.randn((4, 6, 3), generator=torch.Generator().manual_seed(0))
    _, last = theirs(x)
    assert_same_gradients(module, theirs, module(x), last[-1])


@pytest.mark.parametrize("layers", [1, 2])
def test_padded_texts_equal_torchs_packed_sequences(layers: int) -> None:
    module = fb.GRU(width=3, hidden=5, layers=layers).build(TEXT)
    theirs = oracle(module, 3, 5, layers)
    x = torch.tensor([[3, 1, 8, 0, 0, 0], [1, 2, 3, 4, 5, 6], [7, 0, 0, 0, 0, 0]])
    packed = pack_padded_sequence(
        module.embedding(x), (x > 0).sum(1), batch_first=True, enforce_sorted=False
    )
    _, last = theirs(packed)
    assert_same_gradients(module, theirs, module(x), last[-1])


def test_padding_may_stand_anywhere() -> None:
    module = fb.GRU(width=3, hidden=5).build(TEXT)
    rows = torch.tensor([[3, 1, 8, 0, 0, 0], [0, 0, 0, 3, 1, 8], [0, 3, 0, 1, 8, 0]])
    outputs = module(rows)
    torch.testing.assert_close(outputs, outputs[:1].expand(3, -1))


def test_shapes_and_the_spread_of_the_first_weights() -> None:
    params = fb.GRU(width=3, hidden=5, layers=2).initial(TEXT, 0)
    assert {name: tuple(leaf.shape) for name, leaf in params.items()} == {
        "embedding.weight": (9, 3),
        "cells.0.input.weight": (15, 3),
        "cells.0.input.bias": (15,),
        "cells.0.state.weight": (15, 5),
        "cells.0.state.bias": (15,),
        "cells.1.input.weight": (15, 5),
        "cells.1.input.bias": (15,),
        "cells.1.state.weight": (15, 5),
        "cells.1.state.bias": (15,),
        "output.weight": (4, 5),
        "output.bias": (4,),
    }
    for name, leaf in params.items():
        if name.startswith("cells"):
            assert 0.3 < float(leaf.abs().max()) <= 5**-0.5


@pytest.mark.parametrize(
    ("shape", "vocabulary", "words"),
    [
        ((13,), (), "rows of 13 numbers; choose Linear or MLP"),
        ((3, 8, 8), (), "arrays of 3 × 8 × 8 numbers; choose Linear or MLP"),
        ((2,), (6, 10), "rows of 2 ids; choose MatrixFactorisation"),
    ],
)
def test_what_it_refuses(shape: tuple[int, ...], vocabulary: tuple[int, ...], words: str) -> None:
    takes = "GRU takes sequences, (time,) of token ids or (time, features) of numbers"
    reason = fb.GRU().unsuited(shape, vocabulary)
    assert reason == f"{takes}, and the data are {words}"
