"""Models of the clients' own: against torch's optimiser, and what they are worth on skewed data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench import tree
from fedbench.data import FederatedDataset
from fedbench.engine import Broadcast, Engine
from fedbench.metrics import RoundRecord
from fedbench.models import Model
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Progress
from fedbench.strategies import Strategy
from fedbench.tree import Tree
from tests.batches import stacked_batches
from tests.cohorts import broadcast_of

torch.set_num_threads(1)  # as sessions do: two threads of a small product only wait

DIGITS = fb.Experiment(
    data=fb.Digits(),
    partition=fb.Dirichlet(clients=12, alpha=0.05),
    model=fb.MLP(hidden=(16,)),
    engine=fb.StackedEngine(workers=0, chunk=5),
)
WINES = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=6, alpha=0.5),
    model=fb.MLP(hidden=(5,)),
    training=fb.LocalTraining(epochs=2, batch_size=8, lr=0.05, momentum=0.5, weight_decay=0.01),
    sampling=fb.Poisson(rate=0.7),  # within three rounds some come back and some stay away
)
ENGINES = pytest.mark.parametrize(
    "engine",
    [fb.LoopEngine(), fb.StackedEngine(workers=0, chunk=2)],
    ids=["loop", "stacked"],
)
PERSONAL = pytest.mark.parametrize(
    "strategy", [fb.Ditto(), fb.FedPer(), fb.FineTuning()], ids=lambda part: type(part).__name__
)


def begun(experiment: fb.Experiment) -> tuple[Rounds, Progress]:
    rounds = Rounds(experiment)
    return rounds, rounds.begin()


def assert_equal(a: Tree, b: Tree) -> None:
    assert set(a) == set(b)
    assert all(torch.equal(a[name], b[name]) for name in a)


def assert_close(a: Tree, b: Tree) -> None:
    assert set(a) == set(b)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-5, atol=1e-6)


def by_torch(
    experiment: fb.Experiment, start: Tree, anchor: Tree, client: int, round: int, lam: float
) -> Tree:
    """Return where torch's SGD on loss + λ/2·‖v − θ‖² leads from `start` over one round."""
    data, training = experiment.federation(), experiment.training
    module = experiment.model.build(data.card)
    module.load_state_dict(start)
    optimiser = torch.optim.SGD(
        module.parameters(),
        lr=training.lr,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )
    cohort = stacked_batches(
        data,
        np.array([client]),
        batch_size=training.batch_size,
        epochs=training.epochs,
        steps=training.steps,
        seed=experiment.seed,
        round=round,
    )
    for x, y, mask in zip(cohort.x[0], cohort.y[0], cohort.mask[0].bool(), strict=True):
        pull = sum((leaf - anchor[name]).square().sum() for name, leaf in module.named_parameters())
        loss = experiment.model.loss(module(x[mask]), y[mask]).mean() + lam / 2 * pull
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: leaf.detach() for name, leaf in module.named_parameters()}


def correct(data: FederatedDataset, model: Model, params: Tree, client: int) -> np.ndarray:
    """Return which of a client's own test rows a model gets right."""
    module = model.build(data.card)
    module.load_state_dict(params)
    own = slice(data.test_offsets[client], data.test_offsets[client + 1])
    with torch.no_grad():
        found = module(torch.from_numpy(data.x_test[own])).numpy().argmax(1)
    return found == data.y_test[own]


@pytest.mark.parametrize("lam", [0.0, 0.1, 3.0])
@pytest.mark.parametrize(
    "model", [fb.MLP(hidden=(5,)), fb.CNN(channels=(2,), hidden=4)], ids=["mlp", "cnn"]
)
@ENGINES
def test_ditto_is_globally_federated_averaging_to_the_bit(
    engine: Engine, model: Model, lam: float, train
) -> None:
    small = DIGITS.replace(
        data=fb.Digits(test_fraction=0.8), model=model, engine=engine, sampling=fb.Poisson(rate=0.5)
    )
    plain, rows = train(small, 2)
    ours, own = train(small.replace(strategy=fb.Ditto(lam=lam)), 2)
    assert_equal(ours.params, plain.params)
    assert [row.metrics for row in own] == [row.metrics for row in rows]
    assert [row.train_loss for row in own] == [row.train_loss for row in rows]


@pytest.mark.parametrize("lam", [0.0, 0.7])
@ENGINES
def test_dittos_own_model_is_sgd_with_a_pull_from_where_it_was(engine: Engine, lam: float) -> None:
    experiment = WINES.replace(engine=engine, strategy=fb.Ditto(lam=lam))
    rounds, progress = begun(experiment)
    own: dict[int, Tree] = {}
    came_back = False
    for number in (1, 2, 3):
        anchor = progress.params
        progress, row = rounds.next(progress)
        came_back |= bool(own.keys() & set(row.cohort.tolist()))
        for client in row.cohort.tolist():
            # whoever is new begins at the global model of that round
            start = own.get(client, anchor)
            own[client] = by_torch(experiment, start, anchor, client, number, lam)
    assert came_back and set(progress.clients) == set(own)
    for client, state in progress.clients.items():
        assert_close(state.strategy, own[client])


def test_a_large_pull_keeps_the_own_model_near_the_global_one() -> None:
    experiment = WINES.replace(
        sampling=fb.Everyone(),
        training=fb.LocalTraining(epochs=5, batch_size=8, lr=0.1),
    )
    apart = {}
    for lam in (0.0, 1.0, 10.0):
        rounds, start = begun(experiment.replace(strategy=fb.Ditto(lam=lam)))
        progress, _ = rounds.next(start)
        away = [tree.sub(progress.clients[k].strategy, start.params) for k in range(6)]
        apart[lam] = tree.norms(tree.stack(away))
    assert (apart[1.0] < apart[0.0]).all()
    # η·λ = 1 forgets all steps but the last
    assert (apart[10.0] < 0.3 * apart[0.0]).all()
    assert (apart[10.0] > 0).all()


def head(params: Tree, layers: int) -> set[str]:
    """Return the names of the last dense layers, each a weight and a bias."""
    return set(list(params)[-2 * layers :])


@pytest.mark.parametrize("layers", [1, 2])
@ENGINES
def test_the_head_of_fedper_stays_at_home(engine: Engine, layers: int) -> None:
    model = fb.MLP(hidden=(7, 6))
    strategy = fb.FedPer(layers=layers)
    rounds, start = begun(WINES.replace(model=model, strategy=strategy, engine=engine))
    kept = head(start.params, layers)
    body = set(start.params) - kept
    scalars = 13 * 7 + 7 + (7 * 6 + 6 if layers == 1 else 0)
    assert set(strategy.broadcast(start.params, {})) == body
    updates = engine.train(rounds.context, broadcast_of(rounds, start), np.arange(6), {})
    assert set(updates.payloads) == body
    progress = start
    for _ in range(3):
        progress, row = rounds.next(progress)
        assert row.bytes_up == row.bytes_down == 4 * scalars * len(row.cohort)
    for name, leaf in progress.params.items():
        assert torch.equal(leaf, start.params[name]) == (name in kept)
    states = [state.strategy for state in progress.clients.values()]
    assert len(states) > 3
    for k, state in enumerate(states):
        assert set(state) == kept
        for name in kept:
            assert not torch.equal(state[name], start.params[name])
            assert not any(torch.equal(state[name], other[name]) for other in states[:k])


@ENGINES
def test_a_client_of_fedper_trains_the_global_body_under_its_own_head(engine: Engine) -> None:
    experiment = WINES.replace(strategy=fb.FedPer(), engine=engine)
    rounds, progress = begun(experiment)
    heads: dict[int, Tree] = {}
    came_back = False
    for number in (1, 2, 3):
        before, total, summed = progress.params, 0, tree.zeros_like(progress.params)
        progress, row = rounds.next(progress)
        came_back |= bool(heads.keys() & set(row.cohort.tolist()))
        for client in row.cohort.tolist():
            start = {**before, **heads.get(client, {})}
            found = by_torch(experiment, start, before, client, number, 0.0)
            heads[client] = {name: found[name] for name in head(found, 1)}
            samples = int(rounds.data.sizes[client])
            total += samples
            summed = tree.add(summed, tree.scale(tree.sub(found, start), samples))
        for name in set(before) - head(before, 1):
            expected = before[name] + summed[name] / max(total, 1)
            torch.testing.assert_close(progress.params[name], expected, rtol=1e-5, atol=1e-6)
    assert came_back
    for client, state in progress.clients.items():
        assert_close(state.strategy, heads[client])
        own = experiment.strategy.personal(progress.params, state.strategy)
        assert own is not None
        assert_equal(own, {**progress.params, **state.strategy})


def test_with_one_client_fedper_is_federated_averaging(train) -> None:
    alone = WINES.replace(partition=fb.IID(clients=1), sampling=fb.Everyone())
    plain, rows = train(alone, 3)
    progress, own = train(alone.replace(strategy=fb.FedPer()), 3)
    assert_close({**progress.params, **progress.clients[0].strategy}, plain.params)
    assert own[-1].personal == rows[-1].metrics["accuracy"]


def test_a_model_without_a_body_is_refused(train) -> None:
    words = (
        "strategy.layers: 1 personal layers leave nothing to share in a model of 1 layers; "
        "keep fewer, or choose a deeper model"
    )
    with pytest.raises(ValueError) as caught:
        train(WINES.replace(model=fb.Linear(), strategy=fb.FedPer()), 1)
    assert str(caught.value) == words
    with pytest.raises(
        ValueError, match="layers: 3 personal layers leave nothing to share in a model of 2"
    ):
        train(WINES.replace(strategy=fb.FedPer(layers=3)), 1)


@ENGINES
def test_a_fine_tuned_model_is_the_global_one_and_the_clients_own_update(engine: Engine) -> None:
    experiment = WINES.replace(strategy=fb.FineTuning(), engine=engine)
    rounds, progress = begun(experiment)
    last: dict[int, tuple[Tree, int]] = {}
    came_back = False
    for number in (1, 2, 3):
        anchor = progress.params
        progress, row = rounds.next(progress)
        came_back |= bool(last.keys() & set(row.cohort.tolist()))
        last |= dict.fromkeys(row.cohort.tolist(), (anchor, number))
    assert came_back and {number for _, number in last.values()} > {3}
    for client, (anchor, number) in last.items():
        info = rounds._info(number)
        updates = engine.train(rounds.context, Broadcast(info, anchor), np.array([client]), {})
        delta = tree.row(updates.payloads, 0)
        assert_close(progress.clients[client].strategy, tree.add(anchor, delta))
        tuned = by_torch(experiment, anchor, anchor, client, number, 0.0)
        assert_close(progress.clients[client].strategy, tuned)


def test_fine_tuning_is_globally_federated_averaging(train) -> None:
    plain, _ = train(WINES, 3)
    ours, _ = train(WINES.replace(strategy=fb.FineTuning()), 3)
    assert_equal(ours.params, plain.params)


@PERSONAL
def test_own_models_beat_the_global_one_where_clients_differ_much(
    strategy: Strategy, train
) -> None:
    _, rows = train(DIGITS.replace(strategy=strategy), 8)
    assert rows[-1].personal > rows[-1].metrics["accuracy"] + 0.3
    assert rows[-1].personal > 0.85


def test_without_own_models_there_is_no_personal_score(train) -> None:
    _, rows = train(DIGITS, 1)
    assert np.isnan(rows[-1].personal)


@PERSONAL
def test_each_client_is_judged_by_its_own_model_and_newcomers_by_the_global_one(
    strategy: Strategy, train
) -> None:
    experiment = DIGITS.replace(strategy=strategy, sampling=fb.FixedCohort(size=3))
    progress, rows = train(experiment, 2)
    row: RoundRecord = rows[-1]
    data = experiment.federation()
    assert 3 <= len(progress.clients) < 12
    assert set(progress.clients) == {*rows[0].cohort.tolist(), *row.cohort.tolist()}
    right = []
    for client in range(12):
        state = progress.clients.get(client)
        own = progress.params
        if state is not None:
            own = strategy.personal(progress.params, state.strategy)
        right.append(correct(data, experiment.model, own, client))
        score = right[-1].mean() if len(right[-1]) else np.nan
        assert row.clients[client] == pytest.approx(score, abs=1e-6, nan_ok=True)
    assert row.personal == pytest.approx(np.concatenate(right).mean())
    everybody = [correct(data, experiment.model, progress.params, k) for k in range(12)]
    assert row.metrics["accuracy"] == pytest.approx(np.concatenate(everybody).mean())
    assert row.personal > row.metrics["accuracy"]


@PERSONAL
def test_own_models_of_a_regression_are_scored_in_the_targets_unit(strategy, train) -> None:
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(),
        partition=fb.Dirichlet(clients=4, alpha=0.3),
        model=fb.MLP(hidden=(6,)),
        training=fb.LocalTraining(epochs=2, lr=0.02),
        strategy=strategy,
    )
    progress, rows = train(experiment, 2)
    data, errors = experiment.federation(), []
    for client in range(4):
        own = strategy.personal(progress.params, progress.clients[client].strategy)
        module = experiment.model.build(data.card)
        module.load_state_dict(own)
        held = slice(data.test_offsets[client], data.test_offsets[client + 1])
        with torch.no_grad():
            found = module(torch.from_numpy(data.x_test[held]))[:, 0].double().numpy()
        errors.append((found - data.y_test[held]) * data.card.target_std)
        score = np.sqrt(np.mean(errors[-1] ** 2))
        assert rows[-1].clients[client] == pytest.approx(score, rel=1e-5)
    assert rows[-1].personal == pytest.approx(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    assert rows[-1].personal != pytest.approx(rows[-1].metrics["rmse"])


@PERSONAL
def test_the_state_of_a_client_lives_on_while_it_stays_away(strategy: Strategy) -> None:
    rounds, progress = begun(WINES.replace(strategy=strategy))
    stayed = set()
    for _ in range(4):
        before = progress
        progress, row = rounds.next(progress)
        away = set(before.clients) - set(row.cohort.tolist())
        assert all(progress.clients[client] is before.clients[client] for client in away)
        stayed |= away
    assert stayed
