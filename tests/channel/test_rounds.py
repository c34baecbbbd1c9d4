"""Stages with memory in real rounds: by hand, by every engine, and over a pause on disk."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench import tree
from fedbench.channel import Encoded, Pipeline, Sending
from fedbench.engine import (
    Broadcast,
    ClientState,
    Engine,
    LoopEngine,
    Message,
    StackedEngine,
    TrainingContext,
    memory,
    pool,
)
from fedbench.privacy.clip import NORMS
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Progress
from fedbench.tree import Tree
from tests.channel.toys import Predicted, Scaled, Signed, Sparse
from tests.channels import encoded
from tests.cohorts import arrivals_of, weights_of

torch.set_num_threads(1)  # as sessions do: two threads of a small product only wait

SHARE = 0.25
EXPERIMENT = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=6, alpha=0.5),
    model=fb.MLP(hidden=(5,)),
    training=fb.LocalTraining(epochs=2, batch_size=8, lr=0.05),
    sampling=fb.Poisson(rate=0.6),  # within some rounds clients come back and others stay away
    channel=(Predicted(), Sparse(share=SHARE)),
    rounds=6,
    seed=1,
)
ENGINES = {
    "loop": LoopEngine(),
    "here": StackedEngine(workers=0, chunk=2),
    "two workers": StackedEngine(workers=2, chunk=2),
}


def trained(
    experiment: fb.Experiment, rounds: int = 4
) -> tuple[list[Progress], list[fb.RoundRecord]]:
    """Return the state before each round and after the last, and the rows."""
    own = Rounds(experiment)
    if workers := getattr(experiment.engine, "workers", 0):
        assert pool.pool(workers).wait(60)
        pool.pool(workers).share(experiment.engine, own.context).result(60)
    progress, rows = [own.begin()], []
    for _ in range(rounds):
        after, row = own.next(progress[-1])
        progress.append(after)
        rows.append(row)
    return progress, rows


def largest(whole: np.ndarray) -> np.ndarray:
    """Return the array with its largest entries, and zeros in place of the others."""
    flat, count = whole.ravel(), max(1, round(SHARE * whole.size))
    sent = np.zeros_like(flat)
    places = np.argsort(-np.abs(flat), kind="stable")[:count]
    sent[places] = flat[places]
    return sent.reshape(whole.shape)


def test_feedback_and_prediction_by_hand() -> None:
    (start, *after), rows = trained(EXPERIMENT.replace(engine=LoopEngine()), 5)
    rounds = Rounds(EXPERIMENT)
    data = rounds.data
    residuals: dict[int, dict[str, np.ndarray]] = {}
    predicted = {name: np.zeros(leaf.shape, np.float32) for name, leaf in start.params.items()}
    came_back = stayed_away = False
    for number, (before, row) in enumerate(zip([start, *after], rows, strict=False), start=1):
        ids = row.cohort
        updates = LoopEngine().train(
            rounds.context, Broadcast(rounds._info(number), before.params), ids, {}
        )
        came_back |= bool(residuals.keys() & set(ids.tolist()))
        stayed_away |= bool(residuals.keys() - set(ids.tolist()))
        shares = data.sizes_of(ids) / data.sizes_of(ids).sum()
        numbers = 0
        for name, leaf in updates.payloads.items():
            mean = np.zeros_like(predicted[name])
            for k, client in enumerate(ids.tolist()):
                own = residuals.setdefault(client, {})
                whole = leaf[k].numpy() - predicted[name] + own.get(name, 0)
                sent = largest(whole)
                own[name] = whole - sent
                mean += (shares[k] * sent).astype(np.float32)
                numbers += np.count_nonzero(sent)
            predicted[name] = mean + predicted[name]
            moved = after[number - 1].params[name] - before.params[name]
            np.testing.assert_allclose(moved.numpy(), predicted[name], rtol=1e-4, atol=1e-6)
            kept = after[number - 1].channel[0][name].numpy()
            np.testing.assert_allclose(kept, predicted[name], rtol=1e-4, atol=1e-6)
        assert row.bytes_up == 8 * numbers
    assert came_back and stayed_away
    last = after[-1].clients
    assert set(last) == set(residuals)
    for client, own in residuals.items():
        assert last[client].strategy == {}
        for name, leaf in own.items():
            np.testing.assert_allclose(
                last[client].channel[f"1/{name}"].numpy(), leaf, rtol=1e-4, atol=1e-6
            )


def equal(a: Tree, b: Tree) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def assert_identical(one: Progress, other: Progress) -> None:
    assert set(one.clients) == set(other.clients) and len(one.channel) == len(other.channel)
    assert equal(one.params, other.params) and equal(one.server, other.server)
    assert all(equal(a, b) for a, b in zip(one.channel, other.channel, strict=True))
    for client, state in one.clients.items():
        assert equal(state.strategy, other.clients[client].strategy)
        assert equal(state.channel, other.clients[client].channel)


@pytest.mark.parametrize("strategy", [fb.FedAvg(), fb.Scaffold()], ids=["plain", "with states"])
def test_every_engine_carries_the_same_states(strategy: fb.FedAvg | fb.Scaffold) -> None:
    experiment = EXPERIMENT.replace(strategy=strategy)
    found = {name: trained(experiment.replace(engine=own)) for name, own in ENGINES.items()}
    (*_, here), rows = found["here"]
    (*_, workers), others = found["two workers"]
    assert_identical(here, workers)
    assert [row.bytes_up for row in rows] == [row.bytes_up for row in others]
    (*_, loop), slow = found["loop"]
    assert [row.bytes_up for row in rows] == [row.bytes_up for row in slow]
    assert set(loop.clients) == set(here.clients)
    pairs = [(loop.params, here.params), *zip(loop.channel, here.channel, strict=True)]
    for client, state in loop.clients.items():
        other = here.clients[client]
        assert bool(state.strategy) == isinstance(strategy, fb.Scaffold)
        assert state.channel and all(name.startswith("1/") for name in state.channel)
        pairs += [(state.strategy, other.strategy), (state.channel, other.channel)]
    for a, b in pairs:
        assert list(a) == list(b)
        for name, leaf in a.items():
            torch.testing.assert_close(b[name], leaf, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_nothing_of_a_clients_state_is_in_what_leaves_it(engine: Engine) -> None:
    experiment = EXPERIMENT.replace(engine=engine, aggregator=fb.CoordinateMedian())
    rounds = Rounds(experiment)
    assert {each.name for each in fields(Message)} == {"ids", "payload", "weights", "bytes"}
    before = rounds.begin()
    ids, seen = np.arange(6), {}
    for arrival in arrivals_of(rounds, before, ids):
        message = arrival.message
        assert list(message.payload) == list(before.params)
        counted = rounds.context.pipeline.bytes_on_wire(message.payload)
        assert message.bytes == counted > 0
        for k, client in enumerate(message.ids.tolist()):
            sent, kept = tree.row(message.payload, k), arrival.states[client].channel
            for name, leaf in sent.items():
                # an entry is either sent or kept
                assert not ((leaf != 0) & (kept[f"1/{name}"] != 0)).any()
                assert int((leaf != 0).sum()) <= max(1, round(SHARE * leaf.numel()))
        seen |= arrival.states
    assert sorted(seen) == ids.tolist()
    assert any(bool(leaf.any()) for state in seen.values() for leaf in state.channel.values())


@pytest.mark.parametrize("chunk", [1, 2, 6])
def test_bytes_up_are_those_of_what_was_encoded(chunk: int) -> None:
    engine = StackedEngine(workers=0, chunk=chunk)
    for channel in ((), (fb.Clip(clipping=fb.AdaptiveClipping()),), (Signed(), Sparse())):
        experiment = EXPERIMENT.replace(
            engine=engine, channel=channel, aggregator=fb.Mean(), sampling=fb.Everyone()
        )
        rounds = Rounds(experiment)
        start = rounds.begin()
        _, row = rounds.next(start)
        sent = fb.LoopEngine().train(
            rounds.context, Broadcast(rounds._info(1), start.params), np.arange(6), {}
        )
        fresh, servers = rounds.context.pipeline.init(tree.row(sent.payloads, 0))
        clients = {name: leaf.expand(6, *leaf.shape) for name, leaf in fresh.items()}
        found = rounds.context.pipeline.encode(sent.payloads, clients, servers, 1, np.arange(6))
        assert row.bytes_up == rounds.context.pipeline.bytes_on_wire(found.payloads)


def test_a_clip_alone_bounds_what_a_client_can_do() -> None:
    attacked = EXPERIMENT.replace(
        attack=fb.GaussianUpdate(fraction=0.2, std=1e3),
        sampling=fb.Everyone(),
        strategy=fb.FedAvg(weighting="uniform"),
        channel=(),
    )
    clip = fb.Clip(norm=0.5)
    moved = {}
    for name, channel in (("open", ()), ("held", (clip,))):
        (start, after), (row,) = trained(attacked.replace(channel=channel), 1)
        moved[name] = float(tree.norms(tree.stack([tree.sub(after.params, start.params)])))
        assert row.clip == 0.5 if channel else np.isnan(row.clip)
        assert (row.clipped >= 1 / 6) if channel else np.isnan(row.clipped)
    assert moved["open"] > 1e3 / 6
    assert moved["held"] <= 0.5 * (1 + 1e-6)


def test_a_norm_adapts_without_privacy_to_the_share_that_was_asked() -> None:
    clipping = fb.AdaptiveClipping(quantile=0.5, rate=0.5)
    experiment = EXPERIMENT.replace(
        channel=(fb.Clip(norm=30.0, clipping=clipping),),
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Everyone(),
    )
    progress, rows = trained(experiment, 4)
    norms = [float(each.channel[0][NORMS]) for each in progress]
    assert norms[0] == 30.0 == rows[0].clip
    for now, then, row in zip(norms, norms[1:], rows, strict=False):
        assert then == pytest.approx(now * np.exp(-0.5 * ((1 - row.clipped) - 0.5)))
    assert [row.clip for row in rows] == norms[:-1]


def test_a_round_that_nobody_came_to_is_decoded_all_the_same() -> None:
    alone = EXPERIMENT.replace(sampling=fb.Poisson(rate=1e-9), channel=(Signed(), Predicted()))
    (start, after), (row,) = trained(alone, 1)
    assert len(row.cohort) == 0 and row.bytes_up == 0
    assert equal(start.params, after.params)


def test_after_local_noise_anything_may_follow() -> None:
    privacy = fb.LocalGaussian(noise_multiplier=0.5, clip=0.5, noise_seed=3)
    experiment = EXPERIMENT.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=privacy,
        channel=(Scaled(factor=3.0), Sparse(share=SHARE)),
    )
    (*_, here), rows = trained(experiment.replace(engine=ENGINES["here"]), 2)
    (*_, workers), _ = trained(experiment.replace(engine=ENGINES["two workers"]), 2)
    assert_identical(here, workers)
    plain = trained(experiment.replace(channel=(), engine=ENGINES["here"]), 2)[1]
    assert [row.epsilon for row in rows] == [row.epsilon for row in plain]
    rounds = Rounds(experiment.replace(aggregator=fb.CoordinateMedian(), engine=ENGINES["here"]))
    start = rounds.begin()
    (arrival, *_) = arrivals_of(rounds, start, np.arange(6))
    ids, states = arrival.message.ids, arrival.states
    updates = rounds.experiment.engine.train(
        rounds.context, Broadcast(rounds._info(1), start.params), ids, {}
    )
    noised = encoded(privacy, updates.payloads, 1, ids).payloads
    for name, leaf in noised.items():
        whole = [
            arrival.message.payload[name][k] + states[int(c)].channel[f"2/{name}"]
            for k, c in enumerate(ids)
        ]
        torch.testing.assert_close(torch.stack(whole), 3 * leaf)


def test_a_clip_may_follow_the_norm_that_noise_goes_by(private: fb.Experiment) -> None:
    """The noise stays that of the first norm, and the update is held to the second."""
    privacy = private.privacy.replace(clip=1.0, noise_multiplier=0.01)
    found = {}
    for name, channel in (("first", ()), ("both", (fb.Clip(norm=0.1),))):
        rounds = Rounds(private.replace(privacy=privacy, channel=channel))
        zero = tree.zeros_like(rounds.begin().params)
        _, servers = rounds.context.pipeline.init(zero)
        found[name], _ = rounds.context.pipeline.decode(zero, servers, 1, 1.0, zero)
        _, (row,) = trained(private.replace(privacy=privacy, channel=channel), 1)
        assert row.clip == (0.1 if channel else 1.0)
    assert equal(found["first"], found["both"])


def test_six_rounds_are_two_saved_and_four_more(tmp_path: Path) -> None:
    whole = fb.Session(EXPERIMENT)
    whole.start()
    assert whole.wait() == "done", whole.failure
    first = fb.Session(EXPERIMENT.replace(rounds=2))
    first.start()
    assert first.wait() == "done", first.failure
    fb.save(first, tmp_path / "run")
    begun = fb.resume(tmp_path / "run", allow_imports=True)
    at_two, again = first.checkpoint(), begun.checkpoint()
    assert at_two is not None and again is not None
    assert_identical(at_two.progress, again.progress)
    assert any(state.channel for state in again.progress.clients.values())
    assert any(bool(leaf.any()) for leaf in again.progress.channel[0].values())
    rest = fb.resume(tmp_path / "run", allow_imports=True, rounds=6)
    rest.start()
    assert rest.wait() == "done", rest.failure
    one, other = whole.checkpoint(), rest.checkpoint()
    assert one is not None and other is not None
    assert_identical(one.progress, other.progress)
    for row, twin in zip(whole.history.rows, rest.history.rows, strict=True):
        assert (row.metrics, row.bytes_up) == (twin.metrics, twin.bytes_up)
    loaded = fb.load(tmp_path / "run", allow_imports=True)
    assert loaded.experiment.channel == EXPERIMENT.channel
    assert [row.bytes_up for row in loaded.rows] == [row.bytes_up for row in whole.history.rows[:2]]


def test_what_a_channel_keeps_is_counted_before_a_run() -> None:
    def shares(*channel: fb.Stage) -> list[int]:
        context = TrainingContext(
            EXPERIMENT.federation(),
            EXPERIMENT.model,
            EXPERIMENT.training,
            EXPERIMENT.strategy,
            seed=0,
            pipeline=Pipeline(channel),
        )
        return list(memory.estimate(context, LoopEngine(), 3, 40).values())

    weights = 4 * tree.size(Rounds(EXPERIMENT).begin().params)
    assert shares(fb.Clip()) == shares()
    assert shares(Sparse())[3] == 40 * weights and shares()[3] == 0
    assert shares(Sparse())[1] == shares()[1] + weights


@pytest.mark.parametrize("edited", ["damping", "damping_factor"], ids=["class", "helper"])
def test_an_edited_stage_travels_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    import importlib

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sources = {
        "damping_factor": "FACTOR = {}\ndef factor():\n    return FACTOR\n",
        "damping": (
            "import damping_factor\nimport fedbench as fb\nfrom fedbench import tree\n"
            "class Damped(fb.Stage):\n"
            "    def encode(self, payloads, sending):\n"
            "        return fb.Encoded(tree.scale(payloads, {} * damping_factor.factor()))\n"
        ),
    }
    found = []
    for number in (0.5, 0.25):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source.format(number if name == edited else 1.0))
        for name in sources:
            module = importlib.reload(importlib.import_module(name))
        experiment = EXPERIMENT.replace(channel=(module.Damped(),))
        (start, here), _ = trained(experiment.replace(engine=ENGINES["here"]), 1)
        (*_, workers), _ = trained(experiment.replace(engine=ENGINES["two workers"]), 1)
        assert_identical(here, workers)
        assert here.clients == {} and not equal(here.params, start.params)
        found.append(here.params)
    assert not equal(*found)


def test_states_of_the_two_kinds_are_told_apart() -> None:
    state = ClientState({"w": torch.ones(1)})
    assert state.channel == {} and state.strategy["w"].tolist() == [1.0]
    assert Encoded({}).clients == {} == Sending(1, np.arange(1)).clients
    assert weights_of(Rounds(EXPERIMENT).context).shape == (6,)
