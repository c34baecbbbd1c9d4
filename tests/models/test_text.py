"""A bag of words, computed again in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import fedbench as fb
from fedbench.data import Card

CARD = Card(
    "x",
    "here",
    "none",
    "classification",
    (5,),
    tuple("abcde"),
    "y",
    ("p", "q", "r"),
    vocabulary=(11,),
)
TOKENS = np.array([[3, 7, 3, 0, 0], [10, 0, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]])


def test_the_layers() -> None:
    module = fb.TextClassifier(width=4).build(CARD)
    assert [type(layer) for layer in module] == [nn.EmbeddingBag, nn.Linear]
    module = fb.TextClassifier(width=4, hidden=6).build(CARD)
    assert [type(layer) for layer in module] == [nn.EmbeddingBag, nn.Linear, nn.ReLU, nn.Linear]
    assert [tuple(leaf.shape) for leaf in module.parameters()] == [
        (11, 4),
        (6, 4),
        (6,),
        (3, 6),
        (3,),
    ]


@pytest.mark.parametrize("hidden", [None, 6])
def test_the_forward_pass_by_hand(hidden: int | None) -> None:
    module = fb.TextClassifier(width=4, hidden=hidden).build(CARD)
    table, *leaves = [leaf.detach().double().numpy() for leaf in module.parameters()]
    expected = []
    for row in TOKENS:
        words = [table[token] for token in row if token != 0]
        value = np.mean(words, axis=0) if words else np.zeros(4)
        if hidden:
            value = np.maximum(leaves[0] @ value + leaves[1], 0)
        expected.append(leaves[-2] @ value + leaves[-1])
    outputs = module(torch.from_numpy(TOKENS)).detach()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_padding_is_never_trained() -> None:
    module = fb.TextClassifier(width=4).build(CARD)
    module(torch.from_numpy(TOKENS)).square().sum().backward()
    assert not module[0].weight.grad[0].any() and module[0].weight.grad[3].any()


@pytest.mark.parametrize(
    ("shape", "vocabulary", "words"),
    [
        ((13,), (), "rows of 13 numbers; choose Linear or MLP"),
        ((8, 8), (), "arrays of 8 × 8 numbers; choose Linear or MLP"),
        ((2,), (6, 10), "rows of 2 ids; choose MatrixFactorisation"),
        ((3,), (6, 10, 4), "rows of 3 ids; turn ids into columns of 0 and 1"),
    ],
)
def test_what_it_refuses(shape: tuple[int, ...], vocabulary: tuple[int, ...], words: str) -> None:
    assert fb.TextClassifier().unsuited(shape, vocabulary) == (
        f"TextClassifier takes texts, (length,) of token ids, and the data are {words}"
    )
