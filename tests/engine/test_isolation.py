"""Nothing of one client, and of one private example, reaches the arithmetic of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st
from torch import nn

import fedbench as fb
from fedbench import tree
from fedbench.channel import Pipeline
from fedbench.data import Card, FederatedDataset
from fedbench.engine import (
    Broadcast,
    Engine,
    LocalUpdates,
    LoopEngine,
    StackedEngine,
    TrainingContext,
)
from fedbench.engine.pool import pool
from fedbench.models import Model
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree
from tests.cohorts import arrivals_of

EXTREMES = (3e38, -3e38, 1e25, -1e20, 1e19, 3e15, 1e-45, -1e-38)
EXPERIMENT = fb.Experiment(
    data=fb.DiabetesProgression(),
    partition=fb.GivenSizes(sizes=(3, 17, 8, 30, 11, 1)),
    model=fb.MLP(hidden=(5,)),
    training=fb.LocalTraining(steps=3, batch_size=8, lr=0.05),
    seed=3,
)
DATA = EXPERIMENT.federation()
INFO = RoundInfo(1, 0.05, 6, 6.0)


class Normed(Model):
    """Dense layers with a layer norm between them, which are stacked."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(
            nn.Linear(card.inputs, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, card.outputs)
        )


class Gelu(Model):
    """A model for the lean loop."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(nn.Linear(card.inputs, 6), nn.GELU(), nn.Linear(6, card.outputs))


class Bagged(Model):
    """A bag of embeddings."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(nn.EmbeddingBag(9, 4), nn.ReLU(), nn.Linear(4, card.outputs))


MODELS = {"linear": fb.Linear(), "mlp": EXPERIMENT.model, "norm": Normed(), "lean": Gelu()}
ENGINES = {
    "loop": LoopEngine(),
    "stacked": StackedEngine(workers=0),
    "pairs": StackedEngine(chunk=2),
}


def with_row(
    row: int, x: float | None, y: float | None, data: FederatedDataset
) -> FederatedDataset:
    """Return the data with one feature and the target of a training row in place of its own."""
    xs, ys = data.x.copy(), data.y.copy()
    if x is not None:
        xs[row, 1] = x
    if y is not None:
        ys[row] = y
    return replace(data, x=xs, y=ys)


def trained(
    engine: Engine, data: FederatedDataset, ids: tuple[int, ...] = (0, 1, 2, 3, 4, 5), **settings
) -> LocalUpdates:
    known = {"model": EXPERIMENT.model, "training": EXPERIMENT.training, "strategy": fb.FedAvg()}
    context = TrainingContext(data, seed=3, **known | settings)
    params = context.model.initial(data.card, 3)
    return engine.train(context, Broadcast(INFO, params), np.array(ids), {})


def others(payloads: Tree, client: int) -> Tree:
    return tree.map(lambda leaf: torch.cat([leaf[:client], leaf[client + 1 :]]), payloads)


def assert_equal(a: Tree, b: Tree) -> None:
    for name, leaf in a.items():
        assert torch.equal(leaf, b[name]), name


PRIVACY = {
    "none": fb.NoPrivacy(),
    "examples": fb.ExampleLevelDP(noise_multiplier=0.5, clip=0.7, noise_seed=2),
}


@settings(max_examples=15, deadline=None)
@given(
    row=st.just(0) | st.integers(0, len(DATA.y) - 1),  # padding once was row 0
    x=st.sampled_from([None, *EXTREMES]),
    y=st.sampled_from([None, *EXTREMES]),
    model=st.sampled_from(sorted(MODELS)),
    engine=st.sampled_from(sorted(ENGINES)),
    privacy=st.sampled_from(sorted(PRIVACY)),
)
def test_one_clients_extremes_leave_all_other_updates_as_they_are(
    row: int, x: float | None, y: float | None, model: str, engine: str, privacy: str
) -> None:
    # a model of the user's is tried on the first rows, and refuses infinite losses, unless private
    assume(privacy == "examples" or model in ("linear", "mlp"))
    client = int(np.searchsorted(DATA.offsets, row, side="right")) - 1
    given = {"model": MODELS[model], "privacy": PRIVACY[privacy]}
    calm = trained(ENGINES[engine], DATA, **given)
    wild = trained(ENGINES[engine], with_row(row, x, y, DATA), **given)
    assert_equal(others(wild.payloads, client), others(calm.payloads, client))
    same = np.delete(np.arange(6), client)
    assert torch.equal(wild.losses[same], calm.losses[same])


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_padding_of_token_ids_is_nobodys_row(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    card = replace(DATA.card, shape=(7,), vocabulary=(9,), features=())
    data = replace(DATA, card=card, x=rng.integers(0, 9, (len(DATA.y), 7)))
    known = {"model": Bagged(), "privacy": PRIVACY["examples"]}
    calm = trained(engine, data, **known)
    wild = trained(engine, with_row(0, None, 3e38, data), **known)
    assert_equal(others(wild.payloads, 0), others(calm.payloads, 0))


WORKERS = {"loop": LoopEngine(), "here": StackedEngine(workers=0), "two": StackedEngine(workers=2)}


@pytest.mark.parametrize("engine", WORKERS.values(), ids=WORKERS)
def test_a_client_changes_a_clipped_sum_by_its_norm_at_most(engine: Engine) -> None:
    # the attack: a row of 3e38 made all other updates nothing, and the whole sum jumped
    privacy = fb.ClientLevelDP(noise_multiplier=4.0, clip=1.0, noise_seed=1)
    training = fb.LocalTraining(steps=3, batch_size=None, lr=0.1)
    if getattr(engine, "workers", 0):
        pool(2).wait()
    sums = []
    for data in (DATA, with_row(0, 3e38, None, DATA)):
        experiment = EXPERIMENT.replace(
            model=fb.Linear(),
            training=training,
            strategy=fb.FedAvg(weighting="uniform"),
            privacy=privacy,
            engine=engine,
        )
        rounds = Rounds(experiment, data)
        total: dict[str, torch.Tensor] = {}
        for arrival in arrivals_of(rounds, rounds.begin(), np.arange(6)):
            for name, leaf in arrival.message.payload.items():
                total[name] = total.get(name, 0) + leaf
        sums.append(total)
    others_alone = tree.sub(
        sums[1], {name: torch.zeros_like(leaf) for name, leaf in sums[1].items()}
    )
    apart = tree.norms(tree.stack([tree.sub(sums[0], others_alone)]))
    assert float(apart) <= 1.0 + 1e-5
    assert all(bool(leaf.isfinite().all()) for leaf in sums[1].values())


@pytest.mark.parametrize("extreme", [3e38, 1e25, 1e10], ids=str)
@pytest.mark.parametrize("where", ["x", "y", "both"])
@pytest.mark.parametrize("model", MODELS)
def test_an_example_moves_a_private_step_by_its_norm_at_most(
    extreme: float, where: str, model: str
) -> None:
    privacy = fb.ExampleLevelDP(noise_multiplier=0.5, clip=0.7, noise_seed=2)
    training = fb.LocalTraining(steps=1, batch_size=None, lr=1.0)
    x, y = (extreme if where in (part, "both") else None for part in "xy")
    row = int(DATA.offsets[2]) + 2
    found = []
    for engine in (LoopEngine(), StackedEngine(workers=0)):
        given = {"model": MODELS[model], "privacy": privacy, "training": training}
        calm = trained(engine, DATA, (0, 2), **given)
        wild = trained(engine, with_row(row, x, y, DATA), (0, 2), **given)
        moved = tree.row(tree.sub(wild.payloads, calm.payloads), 1)
        # the row in its two forms is two examples of norm C, one gone and one there
        assert float(tree.norms(tree.stack([moved]))) <= 2 * 0.7 / 8 * (1 + 1e-4)
        assert bool(wild.losses.isfinite().all())
        found.append(wild)
    for name, leaf in found[0].payloads.items():
        torch.testing.assert_close(found[1].payloads[name], leaf, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found[1].losses, found[0].losses, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", WORKERS.values(), ids=WORKERS)
@pytest.mark.parametrize("privacy", [fb.ExampleLevelDP, fb.ClientLevelDP, fb.LocalGaussian])
def test_no_row_decides_whether_a_private_run_goes_on(engine: Engine, privacy: type) -> None:
    experiment = EXPERIMENT.replace(
        engine=engine,
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=privacy(noise_multiplier=1.0, noise_seed=1),
        sampling=fb.Everyone(),
    )
    if getattr(engine, "workers", 0):
        pool(2).wait()
    for x, y in ((None, 1e25), (3e38, -3e38)):
        rounds = Rounds(experiment, with_row(4, x, y, DATA))
        progress = rounds.begin()
        for _ in range(2):
            progress, row = rounds.next(progress)
        assert np.isfinite(row.metrics["loss"]) and np.isfinite(row.train_loss)


def test_a_test_row_does_not_decide_it_either() -> None:
    y_test = DATA.y_test.copy()
    y_test[0] = 3e38
    experiment = EXPERIMENT.replace(privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1))
    rounds = Rounds(experiment, replace(DATA, y_test=y_test))
    _, row = rounds.next(rounds.begin())
    assert row.metrics["loss"] == np.inf
    # and the metrics of other clients are theirs
    own = Rounds(experiment, DATA)
    _, calm = own.next(own.begin())
    assert np.array_equal(row.clients[1:], calm.clients[1:])


def test_updates_too_large_for_single_precision_count_as_nothing_and_others_are_held() -> None:
    values = torch.tensor([1e-3, 1e10, 1e25, 3e38, float("inf"), float("nan")])
    payloads = {"w": values[:, None].expand(6, 300).clone()}
    privacy = fb.ClientLevelDP(noise_multiplier=1.0, clip=0.5)
    pipeline = Pipeline(privacy.stages())
    _, servers = pipeline.init(tree.row(payloads, 0))
    sent = pipeline.encode(payloads, {}, servers, 1, np.arange(6)).payloads
    norms = tree.norms(sent)
    assert norms[:3].tolist() == pytest.approx([1e-3 * 300**0.5, 0.5, 0.5], rel=1e-5)
    assert norms[3:].tolist() == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(25, 38.4).map(lambda power: float(np.float32(10**power))),
    y=st.floats(-44, 5).map(lambda power: float(np.float32(10**power))),
    clip=st.sampled_from([1e-6, 1e-5, 1e-3, 1.0]),
)
def test_an_example_counts_for_its_clipped_gradient_at_any_scale(
    x: float, y: float, clip: float
) -> None:
    # slope times share once fell below what single precision tells apart: up to 1.97 C
    rate = 1e9  # at which weights of 0 hold the step to the last digit
    private = fb.ExampleLevelDP(noise_multiplier=0.01, clip=clip, noise_seed=1)
    training = fb.LocalTraining(steps=1, batch_size=None, lr=1.0)
    found = []
    for engine in (LoopEngine(), StackedEngine(workers=0)):
        sent = []
        for target in (y, np.inf):  # the second one counts as nothing
            data = with_row(0, x, target, DATA)
            work = TrainingContext(
                data, fb.Linear(), training, fb.FedAvg(), seed=3, privacy=private
            )
            params = tree.zeros_like(work.model.initial(data.card, 3))
            info = replace(INFO, lr=rate)
            sent.append(engine.train(work, Broadcast(info, params), np.array([0]), {}).payloads)
        width = int(work.plan(np.array([0]), info).expected[0])
        found.append(float(tree.norms(tree.sub(*sent))) * width / rate / clip)
    assert max(found) <= 1 + 1e-4
    assert found[0] == pytest.approx(found[1], abs=1e-4)
