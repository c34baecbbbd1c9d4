"""Dense layers with activations between them."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

import fedbench as fb


def test_the_layers_of_mcmahans_2nn() -> None:
    module = fb.MLP(hidden=(200, 200)).build(fb.Digits().load().card)
    assert [type(layer) for layer in module] == [
        nn.Flatten,
        nn.Linear,
        nn.ReLU,
        nn.Linear,
        nn.ReLU,
        nn.Linear,
    ]
    sizes = [tuple(leaf.shape) for leaf in module.parameters()]
    assert sizes == [(200, 64), (200,), (200, 200), (200,), (10, 200), (10,)]


def test_tanh() -> None:
    module = fb.MLP(hidden=(3,), activation="tanh").build(fb.Wine().load().card)
    assert isinstance(module[2], nn.Tanh)
    assert module(torch.zeros((2, 13))).shape == (2, 3)


@pytest.mark.parametrize(
    "settings", [{"hidden": ()}, {"hidden": (0,)}, {"hidden": (4, -1)}, {"activation": "sigmoid"}]
)
def test_what_is_refused(settings) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        fb.MLP(**settings)


def test_a_list_from_a_file_is_a_tuple() -> None:
    assert fb.MLP.from_json('{"hidden": [8, 4]}').hidden == (8, 4)
