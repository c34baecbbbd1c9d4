"""Dense layers with activations between them."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn

import fedbench as fb
from fedbench.models import Model


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


def test_layers_are_normalised_before_their_activation() -> None:
    model = fb.MLP(hidden=(6, 4), norm=True)
    module = model.build(fb.Wine().load().card)
    block = [nn.Linear, nn.LayerNorm, nn.ReLU]
    assert [type(layer) for layer in module] == [nn.Flatten, *block, *block, nn.Linear]
    x = torch.randn((5, 13), generator=torch.Generator().manual_seed(0))
    hidden = module[:3](x)
    torch.testing.assert_close(hidden.mean(1), torch.zeros(5), rtol=0, atol=1e-6)
    torch.testing.assert_close(hidden.var(1, correction=0), torch.ones(5), rtol=1e-3, atol=0)


@pytest.mark.parametrize("model", [fb.MLP(), fb.Linear()], ids=["MLP", "Linear"])
def test_ids_are_refused(model: Model) -> None:
    name = type(model).__name__
    assert model.unsuited((7,), (12,)) == (
        f"{name} takes numbers, and the data are sequences of 7 token ids; "
        "choose TextClassifier or GRU"
    )
    assert model.unsuited((2,), (3, 4)) == (
        f"{name} takes numbers, and the data are rows of 2 ids; choose MatrixFactorisation"
    )
    assert model.unsuited((3, 8, 8), ()) is None
