"""What holds for every model."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

import fedbench as fb
from fedbench.data import Source
from fedbench.models import Model

SETS = {"binary": fb.BreastCancer(), "classes": fb.Wine(), "regression": fb.DiabetesProgression()}


@pytest.fixture(params=SETS.values(), ids=SETS)
def table(request: pytest.FixtureRequest) -> Source:
    return request.param


def test_one_output_row_and_one_loss_an_example(model: Model, table: Source) -> None:
    data = table.load()
    x, y = torch.from_numpy(data.x[:9]), torch.from_numpy(data.y[:9])
    outputs = model.build(data.card)(x)
    assert outputs.shape == (9, data.card.outputs)
    losses = model.loss(outputs, y)
    assert losses.shape == (9,) and bool((losses >= 0).all())


def test_initial_parameters_are_pure_and_complete(model: Model, table: Source) -> None:
    card = table.load().card
    state = torch.random.get_rng_state()
    first, second = model.initial(card, 5), model.initial(card, 5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert list(first) == [name for name, _ in model.build(card).named_parameters()]
    assert not any(leaf.requires_grad for leaf in first.values())


def test_dense_models_are_what_they_say(model: Model, table: Source) -> None:
    activations = model.dense()
    if activations is None:
        pytest.skip(f"{type(model).__name__} is not made of dense layers alone")
    data = table.load()
    params = {name: torch.randn_like(leaf) for name, leaf in model.initial(data.card, 0).items()}
    leaves = list(params.values())
    x = torch.from_numpy(data.x[:5])
    hidden = x
    for depth, (weight, bias) in enumerate(zip(leaves[::2], leaves[1::2], strict=True)):
        hidden = hidden @ weight.T + bias
        if depth < len(activations):
            hidden = getattr(torch, activations[depth])(hidden)
    outputs = functional_call(model.build(data.card), params, (x,))
    torch.testing.assert_close(outputs, hidden)


def test_a_few_steps_lower_the_loss(model: Model, table: Source) -> None:
    data = table.load()
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    module = model.build(data.card)
    module.load_state_dict(model.initial(data.card, 0))
    optimiser = torch.optim.SGD(module.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        loss = model.loss(module(x), y).mean()
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
