"""Matrix factorisation, computed again in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.data import Card

RATINGS = Card(
    "Films", "here", "none", "regression", (2,), ("user", "item"), "stars", vocabulary=(4, 6)
)


def test_the_forward_pass_by_hand() -> None:
    module = fb.MatrixFactorisation(factors=3).build(RATINGS)
    for leaf in module.parameters():
        torch.nn.init.normal_(leaf, generator=torch.Generator().manual_seed(leaf.numel()))
    value = {name: leaf.detach().double().numpy() for name, leaf in module.named_parameters()}
    pairs = [(0, 5), (3, 0), (3, 5), (2, 2)]
    expected = [
        [
            value["user.weight"][user] @ value["item.weight"][item]
            + value["user_bias.weight"][user, 0]
            + value["item_bias.weight"][item, 0]
            + value["bias"][0]
        ]
        for user, item in pairs
    ]
    outputs = module(torch.tensor(pairs)).detach()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_shapes_and_the_start() -> None:
    params = fb.MatrixFactorisation(factors=3).initial(RATINGS, 0)
    assert {name: tuple(leaf.shape) for name, leaf in params.items()} == {
        "bias": (1,),
        "user.weight": (4, 3),
        "item.weight": (6, 3),
        "user_bias.weight": (4, 1),
        "item_bias.weight": (6, 1),
    }
    assert not any(leaf.any() for name, leaf in params.items() if "bias" in name)
    assert 0.01 < float(params["item.weight"].std()) < 0.2


def test_it_finds_the_factors_of_a_table() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(4, 1)) @ rng.normal(size=(1, 6)) + rng.normal(size=(1, 6))
    pairs = torch.tensor([(user, item) for user in range(4) for item in range(6)])
    targets = torch.tensor(table.flatten(), dtype=torch.float32)
    model = fb.MatrixFactorisation(factors=2)
    module = model.build(RATINGS)
    module.load_state_dict(model.initial(RATINGS, 1))
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(500):
        optimiser.zero_grad()
        loss = model.loss(module(pairs), targets).mean()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 1e-3 < float(targets.var())


def test_liking_is_a_logit() -> None:
    card = replace(RATINGS, task="classification", classes=("no", "yes"))
    model = fb.MatrixFactorisation()
    outputs = model.build(card)(torch.tensor([(0, 1), (1, 5)]))
    assert outputs.shape == (2, 1)
    losses = model.loss(outputs, torch.tensor([0, 1]))
    expected = [torch.sigmoid(-outputs[0, 0]), torch.sigmoid(outputs[1, 0])]
    torch.testing.assert_close(losses, -torch.stack(expected).log())


def test_three_classes_are_refused() -> None:
    card = replace(RATINGS, task="classification", classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="outputs one number and Films has 3 classes"):
        fb.MatrixFactorisation().build(card)


@pytest.mark.parametrize(
    ("shape", "vocabulary", "words"),
    [
        ((13,), (), "rows of 13 numbers; choose Linear or MLP"),
        ((2,), (9,), "sequences of 2 token ids; choose TextClassifier or GRU"),
        ((3,), (6, 10, 4), "rows of 3 ids; turn ids into columns of 0 and 1"),
    ],
)
def test_what_it_refuses(shape: tuple[int, ...], vocabulary: tuple[int, ...], words: str) -> None:
    takes = "MatrixFactorisation takes two columns of ids, user and item"
    reason = fb.MatrixFactorisation().unsuited(shape, vocabulary)
    assert reason == f"{takes}, and the data are {words}"
