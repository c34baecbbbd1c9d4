"""Arrivals that are added up as they come: the same aggregate, and no more memory than it takes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, strategies as st

import fedbench as fb
from fedbench import tree
from fedbench.aggregators import Aggregator
from fedbench.engine import Arrival, ClientState, Message, Telemetry
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Accumulator, Totals
from fedbench.tree import Tree
from tests.cohorts import arrivals_of, broadcast_of, weights_of

pytestmark = pytest.mark.process

torch.set_num_threads(1)  # as sessions do: two threads of a small product only wait

IDS = np.array([2, 3, 7, 11, 12, 30, 31, 58, 90])
SILENCE = {"w": torch.zeros(3, 4), "b": torch.zeros(5)}
RULES = [fb.CoordinateMedian(), fb.TrimmedMean(trim=0.2), fb.GeometricMedian(), fb.Krum()]


def cohort(seed: int = 0) -> Arrival:
    """Return what nine clients send, payload by payload."""
    rng, count = np.random.default_rng(seed), len(IDS)
    drawn = {name: rng.normal(size=(count, *leaf.shape)) for name, leaf in SILENCE.items()}
    return Arrival(
        Message(
            ids=IDS,
            payload={name: torch.from_numpy(leaf).float() for name, leaf in drawn.items()},
            weights=torch.from_numpy(rng.integers(1, 100, count)).float(),
            bytes=17 * count,
        ),
        Telemetry(
            losses=torch.from_numpy(rng.random(count)),
            steps=torch.arange(count),
            norms=torch.from_numpy(rng.random(count)),
            clipped=torch.from_numpy(rng.random(count) < 0.5),
            seconds={"gradients": 1.0},
        ),
        {int(k): ClientState({"own": torch.tensor([float(k)])}) for k in IDS},
    )


def part(whole: Arrival, places: list[int], *, is_sum: bool) -> Arrival:
    """Return what comes back from a chunk of the cohort, summed if the rule is a sum."""
    message, telemetry = whole.message, whole.telemetry
    payload = {name: leaf[places] for name, leaf in message.payload.items()}
    if is_sum:
        payload = fb.Mean().combine(payload, message.weights[places], total=1.0)
    ids = message.ids[places]
    return Arrival(
        Message(ids, payload, message.weights[places], 17 * len(places)),
        Telemetry(
            telemetry.losses[places],
            telemetry.steps[places],
            telemetry.norms[places],
            None if telemetry.clipped is None else telemetry.clipped[places],
            telemetry.seconds,
        ),
        {int(k): whole.states[int(k)] for k in ids},
    )


def gather(whole: Arrival, chunks: list[list[int]], *, is_sum: bool) -> Accumulator:
    """Return a cohort's arrivals added up, each overwritten once it has been taken in."""
    gathered = Accumulator(whole.message.ids, is_sum)
    for places in chunks:
        arrival = part(whole, places, is_sum=is_sum)
        gathered.add(arrival)
        message, telemetry = arrival.message, arrival.telemetry
        for leaf in (
            *message.payload.values(),
            message.weights,
            telemetry.losses,
            telemetry.norms,
        ):
            leaf.fill_(torch.nan)
    return gathered


@st.composite
def chunkings(draw: st.DrawFn) -> list[list[int]]:
    """Give the nine clients in any order, cut into chunks anywhere."""
    order = draw(st.permutations(range(len(IDS))))
    cuts = sorted(draw(st.sets(st.integers(1, len(IDS) - 1))))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(IDS)], strict=True)]


@given(chunks=chunkings(), seed=st.integers(0, 100))
def test_sums_of_chunks_are_the_weighted_mean(chunks: list[list[int]], seed: int) -> None:
    whole = cohort(seed)
    sent, weights = whole.message.payload, whole.message.weights
    gathered = gather(whole, chunks, is_sum=True)
    found = gathered.aggregate(fb.Mean(), float(gathered.weights.sum()))
    at_once = fb.Mean().combine(sent, weights)
    for name, leaf in sent.items():
        torch.testing.assert_close(found[name], at_once[name], rtol=1e-5, atol=1e-6)
        mean = np.average(leaf.double().numpy(), axis=0, weights=weights.numpy())
        np.testing.assert_allclose(found[name].numpy(), mean, rtol=1e-5, atol=1e-6)


def test_a_sum_is_divided_by_what_is_asked() -> None:
    whole = cohort()
    gathered = gather(whole, [[0, 1, 2, 3], [4, 5, 6, 7, 8]], is_sum=True)
    found = gathered.aggregate(fb.Mean(), 8.0)["b"].numpy()
    weights, sent = whole.message.weights.double().numpy(), whole.message.payload["b"]
    np.testing.assert_allclose(found, weights @ sent.double().numpy() / 8, rtol=1e-5)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@given(chunks=chunkings())
def test_other_rules_get_all_payloads_in_the_order_of_the_ids(
    rule: Aggregator, chunks: list[list[int]]
) -> None:
    whole = cohort()
    found = gather(whole, chunks, is_sum=False).aggregate(rule, 1.0)
    expected = rule.combine(whole.message.payload, whole.message.weights)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@given(chunks=chunkings(), is_sum=st.booleans())
def test_the_order_of_the_clients_is_restored(chunks: list[list[int]], is_sum: bool) -> None:
    whole = cohort()
    gathered = gather(whole, chunks, is_sum=is_sum)
    telemetry = whole.telemetry
    assert gathered.weights.tolist() == whole.message.weights.tolist()
    assert gathered.losses.tolist() == telemetry.losses.tolist()
    assert gathered.norms.tolist() == telemetry.norms.tolist()
    assert gathered.losses.dtype == gathered.norms.dtype == torch.float64
    assert gathered.clipped is not None and telemetry.clipped is not None
    assert gathered.clipped.tolist() == telemetry.clipped.tolist()
    assert {k: state.strategy["own"].item() for k, state in gathered.states.items()} == {
        int(k): k for k in IDS
    }
    assert gathered.bytes == whole.message.bytes == 17 * 9
    assert gathered.seconds == {"gradients": len(chunks)}


def test_where_nothing_is_clipped_nothing_is_told_about_it() -> None:
    whole = cohort()
    plain = replace(whole, telemetry=replace(whole.telemetry, clipped=None))
    assert gather(plain, [list(range(9))], is_sum=True).clipped is None


@given(chunks=chunkings())
def test_two_arrivals_of_one_job_are_one(chunks: list[list[int]]) -> None:
    whole = cohort()
    apart = gather(whole, chunks, is_sum=True)
    parts = [part(whole, places, is_sum=True) for places in chunks]
    merged = Accumulator(IDS, True)
    merged.add(reduce(Arrival.merged, parts))
    assert merged.weights.tolist() == apart.weights.tolist()
    assert merged.losses.tolist() == apart.losses.tolist()
    assert merged.norms.tolist() == apart.norms.tolist()
    assert merged.clipped is not None and apart.clipped is not None
    assert merged.clipped.tolist() == apart.clipped.tolist()
    assert merged.states == apart.states and merged.bytes == apart.bytes
    assert merged.seconds == apart.seconds
    one, other = merged.aggregate(fb.Mean(), 3.0), apart.aggregate(fb.Mean(), 3.0)
    assert one is not None and other is not None
    assert all(torch.equal(one[name], other[name]) for name in SILENCE)


@pytest.mark.parametrize("rule", [fb.Mean(), *RULES], ids=lambda rule: type(rule).__name__)
def test_nobody_sends_zeros(rule: Aggregator) -> None:
    gathered = Accumulator(np.array([], dtype=np.int64), rule.is_sum)
    assert gathered.aggregate(rule, 0.0) is None
    assert len(gathered.weights) == len(gathered.losses) == len(gathered.norms) == 0
    assert gathered.clipped is None and gathered.states == {} and gathered.bytes == 0
    assert Totals.of([gathered]).split({"sampling": 1.0, "aggregation": 2.0}) == {
        "sampling": 1.0,
        "aggregation": 2.0,
    }


def test_training_is_parted_by_what_the_clients_did() -> None:
    gathered = Accumulator(IDS, is_sum=True)
    whole = cohort()
    for places, seconds in (
        ([0, 1, 2, 3], {"data": 1.0, "gradients": 6.0}),
        ([4, 5, 6, 7, 8], {"gradients": 10.0, "aggregation": 3.0}),
    ):
        arrival = part(whole, places, is_sum=True)
        gathered.add(replace(arrival, telemetry=replace(arrival.telemetry, seconds=seconds)))
    # two processes: twenty seconds of work within ten of the round
    parted = Totals.of([gathered]).split({"sampling": 0.5, "training": 10.0, "aggregation": 2.0})
    assert parted == pytest.approx(
        {"sampling": 0.5, "data": 0.5, "gradients": 8.0, "aggregation": 2.0 + 1.5}
    )
    assert sum(parted.values()) == pytest.approx(12.5)


@pytest.mark.parametrize("rule", [fb.Mean(), *RULES], ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize(
    "engine",
    [fb.LoopEngine(), fb.StackedEngine(workers=0, chunk=4)],
    ids=["loop", "stacked"],
)
def test_a_round_is_the_rule_on_the_payloads_of_all_clients(rule, engine) -> None:
    rounds = Rounds(
        fb.Experiment(
            data=fb.Wine(),
            partition=fb.Dirichlet(clients=9, alpha=0.3),
            aggregator=rule,
            engine=engine,
        )
    )
    start = rounds.begin()
    after, row = rounds.next(start)
    updates = engine.train(rounds.context, broadcast_of(rounds, start), row.cohort, {})
    combined = rule.combine(updates.payloads, weights_of(rounds.context, row.cohort))
    for name, leaf in combined.items():
        torch.testing.assert_close(after.params[name], start.params[name] + leaf)
    assert row.train_loss == pytest.approx(float(updates.losses.mean()))
    assert row.update_norm == pytest.approx(float(tree.norms(updates.payloads).median()))


LARGE = 1_700_000  # parameters: 6.8 MB
MEGABYTE = 1e6


def stream(count: int, *, is_sum: bool) -> Iterator[Arrival]:
    """Yield what comes from `count` clients with a large model, each made when it is asked for."""
    for client in range(count):
        leaf = torch.full((LARGE,), float(client))
        nothing = torch.zeros(1, dtype=torch.float64)
        sent = {"w": leaf if is_sum else leaf.unsqueeze(0)}
        yield Arrival(
            Message(np.array([client]), sent, torch.ones(1), 4 * LARGE),
            Telemetry(nothing, nothing.long(), nothing, None, {}),
            {},
        )


def growth(work: Callable[[Callable[[], None]], object]) -> float:
    """Return by how many megabytes the process grew at most, as seen whenever `look` is called."""
    warm = Accumulator(np.arange(3), is_sum=True)
    for arrival in stream(3, is_sum=True):  # torch loads what it needs at first use
        warm.add(arrival)
    del warm
    gc.collect()
    process = psutil.Process()

    def held() -> int:
        memory = process.memory_info()
        return memory.rss - memory.shared  # not the libraries' pages, which come and go

    before = held()
    seen = [0]
    work(lambda: seen.append(held() - before))
    return max(seen) / MEGABYTE


def a_sum_takes_the_memory_of_one_payload(clients: int = 200) -> None:
    gathered = Accumulator(np.arange(clients), is_sum=True)

    def work(look: Callable[[], None]) -> None:
        for arrival in stream(clients, is_sum=True):
            gathered.add(arrival)
            look()

    grown = growth(work)
    assert grown < 30, grown
    mean: Tree = gathered.aggregate(fb.Mean(), clients)
    assert mean["w"].unique().tolist() == [pytest.approx((clients - 1) / 2)]


def a_median_holds_the_payloads_of_all_clients() -> None:
    gathered = Accumulator(np.arange(41), is_sum=False)

    def work(look: Callable[[], None]) -> None:
        for arrival in stream(41, is_sum=False):
            gathered.add(arrival)
            look()

    assert 0.9 * 41 * 6.8 < growth(work) < 41 * 6.8 + 60
    assert gathered.aggregate(fb.CoordinateMedian(), 1)["w"].unique().tolist() == [20]


def a_round_of_a_large_model_does_not_hold_its_cohort() -> None:
    rounds = Rounds(
        fb.Experiment(
            data=fb.Wine(),
            partition=fb.IID(clients=60),
            model=fb.MLP(hidden=(1000, 1000)),
            engine=fb.StackedEngine(workers=0),
        )
    )
    progress = rounds.begin()
    size = 4 * tree.size(progress.params) / MEGABYTE
    assert 60 * size > 240
    everyone = np.arange(60)
    found: list[Arrival] = []

    def work(look: Callable[[], None]) -> None:
        gathered = Accumulator(everyone, is_sum=True)
        for arrival in arrivals_of(rounds, progress, everyone):
            gathered.add(arrival)
            found[:] = [arrival]
            look()

    assert growth(work) < 120
    assert found[0].message.payload["1.weight"].dim() == 2  # one sum of the chunk, not its payloads


@pytest.mark.parametrize(
    "claim",
    [
        a_sum_takes_the_memory_of_one_payload,
        a_median_holds_the_payloads_of_all_clients,
        a_round_of_a_large_model_does_not_hold_its_cohort,
    ],
    ids=lambda claim: claim.__name__.replace("_", " "),
)
def test_memory_in_a_process_of_its_own(claim: Callable[[], None]) -> None:
    # beside other tests' threads nobody could say whose memory it is
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import {claim.__name__} as claim; claim()"],
        cwd=Path(__file__).parents[2],
        # glibc would keep some large blocks that were freed, by where chance put the heap; so set
        # it gives each back at once, and what is seen is what is held
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
