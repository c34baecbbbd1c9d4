"""What holds for every strategy: pure hooks whose neutral case is a gradient step."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch.func import functional_call

import fedbench as fb
from fedbench import tree
from fedbench.engine import Broadcast, LoopEngine, TrainingContext
from fedbench.models import Model
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo, Strategy
from fedbench.tree import Tree
from tests.cohorts import weights_of

INFO = RoundInfo(round=1, lr=0.5, clients=6, expected_cohort=6.0)
# Their server steps by rules of its own: hand-computed values are in tests/strategies.
OWN_STEP = ("FedAdagrad", "FedAdam", "FedYogi", "FedDyn", "FedPer")
FULL_BATCH = fb.LocalTraining(steps=1, batch_size=None, lr=0.5)


def suited(strategy: Strategy) -> fb.LocalTraining:
    """Return several local steps if the strategy takes them."""
    several = fb.LocalTraining(epochs=2, batch_size=8, lr=0.5)
    return FULL_BATCH if strategy.one_gradient else several


def random_tree(seed: int, clients: int | None = None) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lead = () if clients is None else (clients,)
    return {
        "body.weight": torch.randn((*lead, 3, 4), generator=generator),
        "body.bias": torch.randn((*lead, 3), generator=generator),
        "head.weight": torch.randn((*lead, 2, 3), generator=generator),
    }


def copied(value: Tree) -> dict[str, torch.Tensor]:
    return {name: leaf.clone() for name, leaf in value.items()}


def assert_equal(a: Tree, b: Tree) -> None:
    assert set(a) == set(b)
    for name in a:
        assert torch.equal(a[name], b[name]), name


def assert_close(a: Tree, b: Tree) -> None:
    assert list(a) == list(b)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("learner", [fb.Linear(), fb.MLP(hidden=(6,))], ids=["Linear", "MLP"])
@pytest.mark.parametrize("table", [fb.Wine(), fb.DiabetesProgression()], ids=["Wine", "Diabetes"])
def test_one_client_and_one_full_batch_are_a_central_gradient_step(
    strategy: Strategy, learner: Model, table: fb.Wine | fb.DiabetesProgression
) -> None:
    if type(strategy).__name__ in OWN_STEP:
        return
    experiment = fb.Experiment(
        data=table,
        partition=fb.IID(clients=1),
        model=learner,
        training=FULL_BATCH,
        strategy=strategy,
    )
    rounds = Rounds(experiment)
    begun = rounds.begin()
    after, _ = rounds.next(begun)
    leaves = {name: leaf.clone().requires_grad_() for name, leaf in begun.params.items()}
    x, y = torch.from_numpy(rounds.data.x), torch.from_numpy(rounds.data.y)
    outputs = functional_call(learner.build(rounds.data.card), leaves, (x,))
    grads = torch.autograd.grad(learner.loss(outputs, y).mean(), list(leaves.values()))
    central = {
        name: (leaf - 0.5 * grad).detach()
        for (name, leaf), grad in zip(leaves.items(), grads, strict=True)
    }
    assert_close(after.params, central)


def test_the_order_of_clients_changes_nothing(strategy: Strategy) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.Dirichlet(clients=6),
        model=fb.MLP(hidden=(5,)),
        training=suited(strategy),
    )
    data, model = experiment.federation(), experiment.model
    params = model.initial(data.card, 0)
    server = strategy.init(params)
    context = TrainingContext(data, model, experiment.training, strategy, seed=0)
    results = []
    for ids in ([0, 1, 2, 3, 4, 5], [4, 1, 5, 0, 3, 2]):
        updates = LoopEngine().train(context, Broadcast(INFO, params, server), np.array(ids), {})
        payload = fb.Mean().combine(updates.payloads, weights_of(context, np.array(ids)))
        results.append((strategy.update(params, payload, server, INFO), updates.states))
    (first, first_server), first_clients = results[0]
    (second, second_server), second_clients = results[1]
    assert_close(first, second)
    assert_close(first_server, second_server)
    assert set(first_clients) == set(second_clients)
    for client in first_clients:
        assert_close(first_clients[client], second_clients[client])


def test_hooks_of_stacked_clients_equal_hooks_one_by_one(strategy: Strategy) -> None:
    anchor = random_tree(0)
    server, client = strategy.init(anchor), strategy.init_client(anchor)
    grads, params = random_tree(1, clients=3), random_tree(2, clients=3)
    held = tree.stack([client] * 3) if client else {}
    steps = torch.tensor([1, 2, 5])
    direction = strategy.adjust(grads, params, anchor, server, held)
    payload, state = strategy.finish(tree.sub(params, anchor), anchor, held, server, steps, INFO)
    for k in range(3):
        own = tree.row(params, k)
        alone = strategy.adjust(tree.row(grads, k), own, anchor, server, client)
        sent, kept = strategy.finish(tree.sub(own, anchor), anchor, client, server, steps[k], INFO)
        assert_close(tree.row(direction, k), alone)
        assert_close(tree.row(payload, k), sent)
        assert_close(tree.row(state, k) if state else {}, kept)


def test_hooks_leave_their_inputs_alone(strategy: Strategy) -> None:
    anchor, grads, params = random_tree(0), random_tree(1), random_tree(2)
    server, client = strategy.init(anchor), strategy.init_client(anchor)
    inputs = (anchor, grads, params, server, client)
    before = [copied(each) for each in inputs]
    strategy.adjust(grads, params, anchor, server, client)
    payload, _ = strategy.finish(grads, anchor, client, server, torch.tensor(3), INFO)
    strategy.update(params, payload, server, INFO)
    for now, then in zip(inputs, before, strict=True):
        assert_equal(now, then)


def test_the_object_keeps_no_state(strategy: Strategy) -> None:
    before = copy.deepcopy(vars(strategy))
    params = random_tree(0)
    results = []
    for _ in range(2):
        server, client = strategy.init(params), strategy.init_client(params)
        payload, client = strategy.finish(
            random_tree(1), params, client, server, torch.tensor(2), INFO
        )
        new, server = strategy.update(params, payload, server, INFO)
        results.append((new, server, client))
    assert vars(strategy) == before
    for first, second in zip(*results, strict=True):
        assert_equal(first, second)


def test_state_is_tensors_and_survives_a_file(strategy: Strategy) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.IID(clients=4),
        model=fb.MLP(hidden=(5,)),
        training=suited(strategy),
        strategy=strategy,
    )
    rounds = Rounds(experiment)
    after, _ = rounds.next(rounds.begin())
    kept = [state.strategy for state in after.clients.values()]
    for state in (after.params, after.server, *kept):
        assert_equal(state, load(save(dict(state))) if state else {})


def test_weights_follow_the_setting(strategy: Strategy) -> None:
    weights = strategy.weights(torch.tensor([4, 1, 10]))
    assert weights.dtype == torch.float32
    assert weights.tolist() == ([4, 1, 10] if strategy.weighting == "samples" else [1, 1, 1])
