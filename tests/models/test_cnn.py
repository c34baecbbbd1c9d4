"""McMahan's convolutional network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

import fedbench as fb
from fedbench.data import Card

MNIST = Card(
    "x", "here", "none", "classification", (1, 28, 28), ("pixel",), "y", tuple("0123456789")
)


def size(module: nn.Module) -> int:
    return sum(leaf.numel() for leaf in module.parameters())


def test_it_has_the_papers_number_of_parameters() -> None:
    with torch.device("meta"):
        assert size(fb.CNN().build(MNIST)) == 1_663_370
        assert size(fb.CNN().build(replace(MNIST, shape=(28, 28)))) == 1_663_370


def test_the_forward_pass_layer_by_layer() -> None:
    card = replace(MNIST, shape=(3, 9, 6))
    module = fb.CNN(channels=(4, 2), hidden=7).build(card)
    first, first_bias, second, second_bias, dense, dense_bias, out, out_bias = module.parameters()
    x = torch.randn((5, 3, 9, 6), generator=torch.Generator().manual_seed(0))
    hidden = functional.max_pool2d(functional.conv2d(x, first, first_bias, padding=2).relu(), 2)
    assert hidden.shape == (5, 4, 4, 3)
    hidden = functional.max_pool2d(
        functional.conv2d(hidden, second, second_bias, padding=2).relu(), 2
    )
    assert hidden.shape == (5, 2, 2, 1)
    expected = (hidden.flatten(1) @ dense.T + dense_bias).relu() @ out.T + out_bias
    torch.testing.assert_close(module(x), expected)


def test_digits_are_images_to_it() -> None:
    data = fb.Digits().load()
    module = fb.CNN(channels=(8, 16), hidden=32).build(data.card)
    assert module(torch.from_numpy(data.x[:3])).shape == (3, 10)


@pytest.mark.parametrize(
    ("channels", "groups"), [((32, 64), (8, 8)), ((6, 3), (2, 1)), ((12,), (4,))]
)
def test_norms_are_groups_that_divide_the_channels(
    channels: tuple[int, ...], groups: tuple[int, ...]
) -> None:
    module = fb.CNN(channels=channels, hidden=4, norm=True).build(MNIST)
    kinds = [type(layer) for layer in module]
    assert kinds[:4] == [nn.Conv2d, nn.GroupNorm, nn.ReLU, nn.MaxPool2d]
    norms = [layer for layer in module if isinstance(layer, nn.GroupNorm)]
    assert [(norm.num_groups, norm.num_channels) for norm in norms] == list(
        zip(groups, channels, strict=True)
    )


def test_examples_do_not_touch_one_another() -> None:
    module = fb.CNN(channels=(8,), hidden=4, norm=True).build(replace(MNIST, shape=(8, 8)))
    x = torch.randn((6, 8, 8), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(module(x)[2:3], module(x[2:3]))


def test_the_smallest_image() -> None:
    module = fb.CNN(channels=(2, 2), hidden=3).build(replace(MNIST, shape=(4, 5)))
    assert module(torch.zeros((1, 4, 5))).shape == (1, 10)


@pytest.mark.parametrize(
    ("shape", "vocabulary", "words"),
    [
        (
            (13,),
            (),
            "CNN takes images, (height, width) or (channels, height, width), and the data are "
            "rows of 13 numbers; choose Linear or MLP",
        ),
        (
            (80,),
            (100,),
            "CNN takes images, (height, width) or (channels, height, width), and the data are "
            "sequences of 80 token ids; choose TextClassifier or GRU",
        ),
        (
            (3, 3, 9),
            (),
            "CNN with 2 convolutions takes images of at least 4 × 4 pixels, and the data are "
            "arrays of 3 × 3 × 9 numbers; choose Linear or MLP",
        ),
    ],
)
def test_what_it_refuses(shape: tuple[int, ...], vocabulary: tuple[int, ...], words: str) -> None:
    assert fb.CNN().unsuited(shape, vocabulary) == words


def test_one_convolution_takes_smaller_images() -> None:
    assert fb.CNN(channels=(4,)).unsuited((2, 3), ()) is None
    assert fb.CNN().unsuited((4, 4), ()) is None
