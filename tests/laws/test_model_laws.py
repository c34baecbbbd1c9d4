"""What holds for every model."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call, grad, vmap

from fedbench.data import Dataset
from fedbench.engine.dense import layers
from fedbench.models import Model
from tests.laws.tables import KINDS, suited


def test_one_output_row_and_one_loss_an_example(model: Model, table: Dataset) -> None:
    x, y = torch.from_numpy(table.x[:9]), torch.from_numpy(table.y[:9])
    outputs = model.build(table.card)(x)
    assert outputs.shape == (9, table.card.outputs)
    losses = model.loss(outputs, y)
    assert losses.shape == (9,) and bool((losses >= 0).all())


def test_initial_parameters_are_pure_and_complete(model: Model, table: Dataset) -> None:
    card = table.card
    state = torch.random.get_rng_state()
    first, second = model.initial(card, 5), model.initial(card, 5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert list(first) == [name for name, _ in model.build(card).named_parameters()]
    assert not any(leaf.requires_grad for leaf in first.values())


def test_stacked_layers_give_what_the_module_gives(model: Model, table: Dataset) -> None:
    module = model.module(table.card, 1)
    found = layers(module, table.card.shape)
    if found is None:
        assert type(model).__name__ not in ("Linear", "MLP", "TextClassifier")
        return
    x = torch.from_numpy(table.x[:5])
    own = {name: leaf.detach().unsqueeze(0) for name, leaf in module.named_parameters()}
    hidden = x.unsqueeze(0)
    for layer in found:
        hidden = layer.forward(own, hidden)
    torch.testing.assert_close(hidden[0], module(x).detach())


def test_a_few_steps_lower_the_loss(model: Model, table: Dataset) -> None:
    x, y = torch.from_numpy(table.x), torch.from_numpy(table.y)
    module = model.build(table.card)
    module.load_state_dict(model.initial(table.card, 0))
    optimiser = torch.optim.SGD(module.parameters(), lr=0.02)
    losses = []
    for _ in range(20):
        loss = model.loss(module(x), y).mean()
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]


def test_parameters_from_outside_reach_every_layer(model: Model, table: Dataset) -> None:
    x, y = torch.from_numpy(table.x[:9]), torch.from_numpy(table.y[:9])
    params = model.initial(table.card, 2)
    module = model.build(table.card)
    module.load_state_dict(params)
    expected = torch.autograd.grad(
        model.loss(module(x), y).mean(), list(module.parameters()), materialize_grads=True
    )
    leaves = {name: leaf.requires_grad_() for name, leaf in params.items()}
    outputs = functional_call(model.template(table.card), leaves, (x,))
    found = torch.autograd.grad(model.loss(outputs, y).mean(), list(leaves.values()))
    assert list(leaves) == [name for name, _ in module.named_parameters()]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert sum(float(leaf.abs().sum()) for leaf in found) > 0


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_gradients_example_by_example(model: Model, table: Dataset) -> None:
    x, y = torch.from_numpy(table.x[:5]), torch.from_numpy(table.y[:5])
    params = model.initial(table.card, 4)
    module = model.template(table.card)

    def loss(params: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return model.loss(functional_call(module, params, (x[None],)), y[None]).sum()

    together = vmap(grad(loss), (None, 0, 0))(params, x, y)
    for row in range(5):
        alone = grad(loss)(params, x[row], y[row])
        for name, leaf in alone.items():
            torch.testing.assert_close(together[name][row], leaf)


def test_every_model_takes_something(model: Model) -> None:
    assert suited(model)


def test_a_refusal_names_models_that_take_the_data(model: Model) -> None:
    odd = [((), ()), ((4,), ()), ((2, 3), ()), ((2, 2, 2, 2), ()), ((3,), (4, 5, 6))]
    for shape, vocabulary in [*KINDS.values(), *odd]:
        reason = model.unsuited(shape, vocabulary)
        if reason is None:
            continue
        takes, _, remedy = reason.rpartition("; ")
        assert takes.startswith(type(model).__name__)
        if remedy.startswith("choose "):
            for name in remedy.removeprefix("choose ").split(" or "):
                assert Model.choices()[name]().unsuited(shape, vocabulary) is None
