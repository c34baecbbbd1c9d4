"""Every engine gives the weights of the slow, obvious one."""

from __future__ import annotations

from functools import cache
from typing import Annotated

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

import fedbench as fb
from fedbench import tree
from fedbench.data import Source
from fedbench.engine import Broadcast, Engine, LocalUpdates, LoopEngine, TrainingContext
from fedbench.models import Model
from fedbench.strategies import RoundInfo, Strategy
from fedbench.tree import Tree

SETS = {
    "binary": fb.BreastCancer(test_fraction=0.8),
    "classes": fb.Wine(test_fraction=0.3),
    "regression": fb.DiabetesProgression(test_fraction=0.7),
}
MODELS = {
    "linear": fb.Linear(),
    "relu": fb.MLP(hidden=(6,)),
    "tanh": fb.MLP(hidden=(5, 4), activation="tanh"),
}
TRAININGS = {
    "epoch": fb.LocalTraining(lr=0.05),
    "epochs": fb.LocalTraining(epochs=3, batch_size=7, lr=0.05),
    "one step": fb.LocalTraining(steps=1, batch_size=4, lr=0.05),
    "many steps": fb.LocalTraining(steps=9, batch_size=16, lr=0.05),
    "full batch": fb.LocalTraining(steps=4, batch_size=None, lr=0.1),
    "batch larger than any client": fb.LocalTraining(epochs=2, batch_size=10_000, lr=0.1),
    "single samples": fb.LocalTraining(steps=20, batch_size=1, lr=0.01),
    "momentum": fb.LocalTraining(epochs=2, lr=0.02, momentum=0.9),
    "weight decay": fb.LocalTraining(epochs=2, lr=0.05, weight_decay=0.1),
    "both": fb.LocalTraining(steps=12, lr=0.02, momentum=0.5, weight_decay=0.01),
}
INFO = RoundInfo(round=3, lr=0.05, clients=8, expected_cohort=8.0)


class Anchored(Strategy):
    """A strategy with every hook in use: a pull to the anchor and a state for every client."""

    pull: Annotated[float, Field(ge=0)] = 0.3

    def init(self, params: Tree) -> Tree:
        return tree.map(torch.ones_like, params)

    def init_client(self, params: Tree) -> Tree:
        return {**tree.map(lambda leaf: leaf.new_full(leaf.shape, 0.1), params)}

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        away = tree.add(tree.scale(tree.sub(params, anchor), self.pull), tree.scale(server, 0.01))
        return tree.add(tree.add(grads, away), client)

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        return tree.scale(delta, 1 / steps), tree.add(client, tree.scale(delta, -0.5))


def trained(
    engine: Engine,
    table: Source,
    model: Model,
    training: fb.LocalTraining,
    strategy: Strategy,
    ids: NDArray[np.int64] | None = None,
) -> LocalUpdates:
    data = fb.Experiment(
        data=table, partition=fb.Dirichlet(clients=8, alpha=0.1), seed=3
    ).federation()
    params = model.initial(data.card, 3)
    info = RoundInfo(3, training.lr, 8, 8.0)
    states = {2: tree.map(lambda leaf: leaf + 0.2, strategy.init_client(params))}
    context = TrainingContext(data, model, training, strategy, seed=3)
    ids = np.arange(8) if ids is None else ids
    known = states if states[2] else {}
    return engine.train(context, Broadcast(info, params, strategy.init(params)), ids, known)


@cache
def oracle(
    table: Source, model: Model, training: fb.LocalTraining, strategy: Strategy
) -> LocalUpdates:
    return trained(LoopEngine(), table, model, training, strategy)


def assert_same(found: LocalUpdates, loop: LocalUpdates) -> None:
    assert list(found.payloads) == list(loop.payloads)
    for name, leaf in loop.payloads.items():
        torch.testing.assert_close(found.payloads[name], leaf, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.losses, loop.losses, rtol=1e-5, atol=1e-6)
    assert set(found.states) == set(loop.states)
    for client, state in loop.states.items():
        for name, leaf in state.items():
            torch.testing.assert_close(found.states[client][name], leaf, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("table", SETS.values(), ids=SETS)
@pytest.mark.parametrize("model_used", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_one_round_equals_the_loop(
    fast_engine: Engine, table: Source, model_used: Model, training: fb.LocalTraining
) -> None:
    found = trained(fast_engine, table, model_used, training, fb.FedAvg())
    assert_same(found, oracle(table, model_used, training, fb.FedAvg()))


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_a_strategy_with_states_equals_the_loop(
    fast_engine: Engine, training: fb.LocalTraining
) -> None:
    found = trained(fast_engine, fb.Wine(), fb.MLP(hidden=(5,)), training, Anchored())
    loop = oracle(fb.Wine(), fb.MLP(hidden=(5,)), training, Anchored())
    assert set(loop.states) == set(range(8))
    assert_same(found, loop)


def test_updates_are_in_the_order_of_the_ids(engine: Engine) -> None:
    ids = np.array([6, 0, 7, 2, 5])
    for strategy in (fb.FedAvg(), Anchored()):
        found = trained(engine, fb.Wine(), fb.Linear(), TRAININGS["epochs"], strategy, ids)
        whole = trained(engine, fb.Wine(), fb.Linear(), TRAININGS["epochs"], strategy)
        for name, leaf in whole.payloads.items():
            torch.testing.assert_close(found.payloads[name], leaf[ids], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(found.losses, whole.losses[ids], rtol=1e-5, atol=1e-6)


def test_an_empty_cohort_gives_empty_updates(engine: Engine) -> None:
    nobody = np.array([], dtype=np.int64)
    found = trained(engine, fb.Wine(), fb.Linear(), TRAININGS["epoch"], fb.FedAvg(), nobody)
    assert {leaf.shape[0] for leaf in found.payloads.values()} == {0}
    assert len(found.losses) == len(found.states) == 0


def test_the_engine_is_pure(engine: Engine) -> None:
    data = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=3)).federation()
    model, strategy = fb.MLP(hidden=(4,)), Anchored()
    params = model.initial(data.card, 0)
    server = strategy.init(params)
    states = {1: strategy.init_client(params)}
    broadcast = Broadcast(INFO, params, server)
    context = TrainingContext(data, model, fb.LocalTraining(momentum=0.5), strategy, seed=0)
    inputs = [params, server, states[1], {"x": torch.from_numpy(data.x)}]
    before = [{name: leaf.clone() for name, leaf in each.items()} for each in inputs]
    first = engine.train(context, broadcast, np.arange(3), states)
    second = engine.train(context, broadcast, np.arange(3), states)
    assert list(states) == [1]
    for now, then in zip(inputs, before, strict=True):
        assert all(torch.equal(now[name], then[name]) for name in then)
    for name, leaf in first.payloads.items():
        assert torch.equal(second.payloads[name], leaf)


def test_several_rounds_end_at_the_same_model(fast_engine: Engine, train) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.Dirichlet(clients=8, alpha=0.1),
        model=fb.MLP(hidden=(6,)),
        sampling=fb.Poisson(rate=0.5),
    )
    found, _ = train(experiment.replace(engine=fast_engine), 5)
    loop, _ = train(experiment.replace(engine=LoopEngine()), 5)
    for name, leaf in loop.params.items():
        torch.testing.assert_close(found.params[name], leaf, rtol=1e-5, atol=1e-5)
