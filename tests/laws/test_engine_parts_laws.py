"""Every engine agrees with the slow one about every model, strategy, attack and private example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fedbench as fb
from fedbench import tree
from fedbench.attacks import Attack
from fedbench.data import Card, Dataset, FederatedDataset
from fedbench.engine import Broadcast, Engine, LocalUpdates, LoopEngine, TrainingContext
from fedbench.models import Model
from fedbench.privacy import ExampleLevelDP, NoPrivacy, Privacy
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo, Strategy
from tests.laws.tables import tables
from tests.laws.test_engine_laws import TRAININGS, Anchored, assert_same

OFFSETS = np.array([0, 3, 14, 20, 47, 48])  # clients of 1 to 27 samples
PRIVATE = ExampleLevelDP(noise_multiplier=0.8, clip=0.5, noise_seed=5)
SEVERAL = fb.LocalTraining(epochs=2, batch_size=7, lr=0.05)


class Dense(Model):
    """All layers that are stacked, as somebody might put them together."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(card.inputs, 6, bias=False),
            nn.LayerNorm(6),
            nn.Sigmoid(),
            nn.Linear(6, 5),
            nn.Tanh(),
            nn.LayerNorm(5),
            nn.Linear(5, card.outputs),
        )


class Dropping(Model):
    """A module that draws random numbers while it trains."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        return nn.Sequential(
            nn.Flatten(), nn.Linear(card.inputs, 8), nn.Dropout(0.5), nn.Linear(8, card.outputs)
        )


def federated(table: Dataset) -> FederatedDataset:
    """Return the first 48 rows of a table with five ragged clients."""
    test = np.array([0, 0, 0, 0, 0, len(table.y_test)])
    strata = np.zeros(48, dtype=np.int64)
    return FederatedDataset(
        card=table.card,
        x=table.x[:48],
        y=table.y[:48],
        offsets=OFFSETS,
        x_test=table.x_test,
        y_test=table.y_test,
        test_offsets=test,
        strata=strata,
        strata_names=("all",),
    )


def trained(
    engine: Engine,
    table: Dataset,
    model: Model,
    *,
    training: fb.LocalTraining = SEVERAL,
    strategy: Strategy | None = None,
    privacy: Privacy | None = None,
    attack: Attack | None = None,
) -> LocalUpdates:
    """Return the updates of all five clients in round 3; client 2 has been there before."""
    data = federated(table)
    strategy = strategy or fb.FedAvg()
    context = TrainingContext(
        data,
        model,
        training,
        strategy,
        seed=3,
        privacy=privacy or NoPrivacy(),
        attack=attack or fb.NoAttack(),
    )
    params = model.initial(data.card, 3)
    server = strategy.init(params)
    states = {2: tree.map(lambda leaf: leaf + 0.1, strategy.init_client(params))}
    info = RoundInfo(3, training.lr, 5, 5.0, training.momentum)
    known = states if states[2] else {}
    return engine.train(context, Broadcast(info, params, server), np.arange(5), known)


SLOW: dict[Any, LocalUpdates] = {}


def slowly(table: Dataset, model: Model, **arguments: Any) -> LocalUpdates:
    """Return what the slow engine gives, worked out once: every fast one is held against it."""
    key = id(table), model, *sorted(arguments.items())
    if key not in SLOW:
        SLOW[key] = trained(LoopEngine(), table, model, **arguments)
    return SLOW[key]


def test_every_model(fast_engine: Engine, model: Model, table: Dataset) -> None:
    assert_same(trained(fast_engine, table, model), slowly(table, model))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_every_model_with_private_examples(
    fast_engine: Engine, model: Model, table: Dataset
) -> None:
    found = trained(fast_engine, table, model, privacy=PRIVATE)
    assert_same(found, slowly(table, model, privacy=PRIVATE))
    plain = slowly(table, model)
    for name, leaf in found.payloads.items():
        assert not torch.allclose(leaf, plain.payloads[name])


@pytest.mark.parametrize("privacy", [NoPrivacy(), PRIVATE], ids=["plain", "private"])
@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_every_way_to_train(
    fast_engine: Engine, training: fb.LocalTraining, privacy: Privacy
) -> None:
    for model in (Dense(), fb.CNN(channels=(2,), hidden=4)):
        table = tables()["grey classes"]
        arguments = {"training": training, "strategy": Anchored(), "privacy": privacy}
        assert_same(
            trained(fast_engine, table, model, **arguments),
            slowly(table, model, **arguments),
        )


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_every_strategy(fast_engine: Engine, strategy: Strategy, kind: str) -> None:
    model = fb.MLP(hidden=(5,)) if kind == "mlp" else fb.CNN(channels=(2,), hidden=4)
    table = tables()["grey classes"]
    training = SEVERAL
    if strategy.one_gradient:
        training = fb.LocalTraining(steps=1, batch_size=None, lr=0.5)
    arguments = {"training": training, "strategy": strategy}
    assert_same(
        trained(fast_engine, table, model, **arguments),
        slowly(table, model, **arguments),
    )


@pytest.mark.parametrize("goal", ["binary", "classes", "regression"])
def test_every_attack(fast_engine: Engine, attack: Attack, goal: str) -> None:
    if attack.share():
        attack = attack.replace(fraction=0.4)
    for model in (fb.MLP(hidden=(5,)), fb.CNN(channels=(2,), hidden=4)):
        table = tables()[f"grey {goal}"]
        assert_same(
            trained(fast_engine, table, model, attack=attack),
            slowly(table, model, attack=attack),
        )


@pytest.mark.parametrize("goal", ["binary", "classes", "regression"])
def test_layers_of_ones_own_are_stacked(fast_engine: Engine, goal: str) -> None:
    table = tables()[goal]
    context = TrainingContext(federated(table), Dense(), SEVERAL, fb.FedAvg(), seed=3)
    assert context.layers is not None and len(context.layers) == 8
    for privacy in (NoPrivacy(), PRIVATE):
        assert_same(
            trained(fast_engine, table, Dense(), privacy=privacy),
            slowly(table, Dense(), privacy=privacy),
        )


def test_dropout_falls_alike(fast_engine: Engine) -> None:
    table = tables()["classes"]
    torch.manual_seed(1)
    found = trained(fast_engine, table, Dropping())
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert_same(found, trained(LoopEngine(), table, Dropping()))
    assert torch.equal(torch.random.get_rng_state(), before)  # nobody else's numbers are drawn


class Frozen(Model):
    """A module with a first layer that stays as it is, and a norm over weights."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        first = nn.Linear(card.inputs, 6)
        first.requires_grad_(False)
        last = nn.utils.parametrizations.weight_norm(nn.Linear(6, card.outputs))
        return nn.Sequential(nn.Flatten(), first, nn.Tanh(), last)


def test_what_is_frozen_stays_with_everybody(fast_engine: Engine) -> None:
    table = tables()["classes"]
    for privacy in (NoPrivacy(), PRIVATE):
        found = trained(fast_engine, table, Frozen(), privacy=privacy)
        assert_same(found, slowly(table, Frozen(), privacy=privacy))
        assert not any(name.startswith("1.") for name in found.payloads)


def test_a_run_gives_the_frozen_layers_back(train) -> None:
    experiment = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=3), model=Frozen(), seed=4)
    progress, _ = train(experiment, 2)
    module = Rounds(experiment).module(progress.params)
    begun = Frozen().module(experiment.federation().card, 4)
    assert torch.equal(module.state_dict()["1.weight"], begun.state_dict()["1.weight"])
    assert torch.equal(module.state_dict()["3.bias"], progress.params["3.bias"])
    assert not torch.equal(module.state_dict()["3.bias"], begun.state_dict()["3.bias"])
