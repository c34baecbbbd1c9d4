"""Reports that are added up as they come: the same aggregate, and no more memory than it takes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, strategies as st

import fedbench as fb
from fedbench import tree
from fedbench.aggregators import Aggregator
from fedbench.engine import Report
from fedbench.runs.gathered import Gathered
from fedbench.runs.rounds import Rounds
from fedbench.tree import Tree

torch.set_num_threads(1)  # as sessions do: two threads of a small product only wait

IDS = np.array([2, 3, 7, 11, 12, 30, 31, 58, 90])
SILENCE = {"w": torch.zeros(3, 4), "b": torch.zeros(5)}
RULES = [fb.CoordinateMedian(), fb.TrimmedMean(trim=0.2), fb.GeometricMedian(), fb.Krum()]


def cohort(seed: int = 0) -> Report:
    """Return what nine clients send, payload by payload."""
    rng, count = np.random.default_rng(seed), len(IDS)
    drawn = {name: rng.normal(size=(count, *leaf.shape)) for name, leaf in SILENCE.items()}
    return Report(
        ids=IDS,
        payload={name: torch.from_numpy(leaf).float() for name, leaf in drawn.items()},
        weights=torch.from_numpy(rng.integers(1, 100, count)).float(),
        losses=torch.from_numpy(rng.random(count)),
        norms=torch.from_numpy(rng.random(count)),
        changed=torch.from_numpy(rng.random(count) < 0.5),
        clients={int(k): {"own": torch.tensor([float(k)])} for k in IDS},
        seconds={"gradients": 1.0},
    )


def part(whole: Report, places: list[int], *, is_sum: bool) -> Report:
    """Return the report of a chunk of the cohort, summed if the rule is a sum."""
    payload = {name: leaf[places] for name, leaf in whole.payload.items()}
    if is_sum:
        payload = fb.Mean().combine(payload, whole.weights[places], total=1.0)
    ids = whole.ids[places]
    return replace(
        whole,
        ids=ids,
        payload=payload,
        weights=whole.weights[places],
        losses=whole.losses[places],
        norms=whole.norms[places],
        changed=None if whole.changed is None else whole.changed[places],
        clients={int(k): whole.clients[int(k)] for k in ids},
    )


def gather(whole: Report, chunks: list[list[int]], *, is_sum: bool) -> Gathered:
    """Return a cohort's reports, each overwritten once it has been taken in."""
    gathered = Gathered(whole.ids, is_sum)
    for places in chunks:
        report = part(whole, places, is_sum=is_sum)
        gathered.add(report)
        for leaf in (*report.payload.values(), report.weights, report.losses, report.norms):
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
    gathered = gather(whole, chunks, is_sum=True)
    found = gathered.aggregate(fb.Mean(), float(gathered.weights.sum()))
    at_once = fb.Mean().combine(whole.payload, whole.weights)
    for name, leaf in whole.payload.items():
        torch.testing.assert_close(found[name], at_once[name], rtol=1e-5, atol=1e-6)
        mean = np.average(leaf.double().numpy(), axis=0, weights=whole.weights.numpy())
        np.testing.assert_allclose(found[name].numpy(), mean, rtol=1e-5, atol=1e-6)


def test_a_sum_is_divided_by_what_is_asked() -> None:
    whole = cohort()
    gathered = gather(whole, [[0, 1, 2, 3], [4, 5, 6, 7, 8]], is_sum=True)
    found = gathered.aggregate(fb.Mean(), 8.0)["b"].numpy()
    weights = whole.weights.double().numpy()
    np.testing.assert_allclose(found, weights @ whole.payload["b"].double().numpy() / 8, rtol=1e-5)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@given(chunks=chunkings())
def test_other_rules_get_all_payloads_in_the_order_of_the_ids(
    rule: Aggregator, chunks: list[list[int]]
) -> None:
    whole = cohort()
    found = gather(whole, chunks, is_sum=False).aggregate(rule, 1.0)
    expected = rule.combine(whole.payload, whole.weights)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@given(chunks=chunkings(), is_sum=st.booleans())
def test_the_order_of_the_clients_is_restored(chunks: list[list[int]], is_sum: bool) -> None:
    whole = cohort()
    gathered = gather(whole, chunks, is_sum=is_sum)
    assert gathered.weights.tolist() == whole.weights.tolist()
    assert gathered.losses.tolist() == whole.losses.tolist()
    assert gathered.norms.tolist() == whole.norms.tolist()
    assert gathered.losses.dtype == gathered.norms.dtype == torch.float64
    assert gathered.changed is not None and whole.changed is not None
    assert gathered.changed.tolist() == whole.changed.tolist()
    assert {k: state["own"].item() for k, state in gathered.clients.items()} == {
        int(k): k for k in IDS
    }
    assert gathered.seconds == {"gradients": len(chunks)}


def test_where_nothing_is_clipped_nothing_is_told_about_it() -> None:
    plain = replace(cohort(), changed=None)
    assert gather(plain, [list(range(9))], is_sum=True).changed is None


@pytest.mark.parametrize("rule", [fb.Mean(), *RULES], ids=lambda rule: type(rule).__name__)
def test_nobody_sends_zeros(rule: Aggregator) -> None:
    gathered = Gathered(np.array([], dtype=np.int64), rule.is_sum)
    assert gathered.aggregate(rule, 0.0) is None
    assert len(gathered.weights) == len(gathered.losses) == len(gathered.norms) == 0
    assert gathered.changed is None and gathered.clients == {}
    assert gathered.split({"sampling": 1.0, "aggregation": 2.0}) == {
        "sampling": 1.0,
        "aggregation": 2.0,
    }


def test_training_is_parted_by_what_the_clients_did() -> None:
    gathered = Gathered(IDS, is_sum=True)
    whole = cohort()
    for places, seconds in (
        ([0, 1, 2, 3], {"data": 1.0, "gradients": 6.0}),
        ([4, 5, 6, 7, 8], {"gradients": 10.0, "aggregation": 3.0}),
    ):
        gathered.add(replace(part(whole, places, is_sum=True), seconds=seconds))
    # two processes: twenty seconds of work within ten of the round
    parted = gathered.split({"sampling": 0.5, "training": 10.0, "aggregation": 2.0})
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
    updates = engine.train(rounds.task, start.params, {}, {}, row.cohort, rounds._info(1))
    combined = rule.combine(updates.payloads, updates.weights)
    for name, leaf in combined.items():
        torch.testing.assert_close(after.params[name], start.params[name] + leaf)
    assert row.train_loss == pytest.approx(float(updates.losses.mean()))
    assert row.update_norm == pytest.approx(float(tree.norms(updates.payloads).median()))


LARGE = 1_700_000  # parameters: 6.8 MB
MEGABYTE = 1e6


def stream(count: int, *, is_sum: bool) -> Iterator[Report]:
    """Yield the reports of `count` clients with a large model, each made when it is asked for."""
    for client in range(count):
        leaf = torch.full((LARGE,), float(client))
        yield Report(
            ids=np.array([client]),
            payload={"w": leaf if is_sum else leaf.unsqueeze(0)},
            weights=torch.ones(1),
            losses=torch.zeros(1, dtype=torch.float64),
            norms=torch.zeros(1, dtype=torch.float64),
            changed=None,
            clients={},
            seconds={},
        )


def growth(work: Callable[[Callable[[], None]], object]) -> float:
    """Return by how many megabytes the process grew at most, as seen whenever `look` is called."""
    warm = Gathered(np.arange(3), is_sum=True)
    for report in stream(3, is_sum=True):  # torch loads what it needs at first use
        warm.add(report)
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
    gathered = Gathered(np.arange(clients), is_sum=True)

    def work(look: Callable[[], None]) -> None:
        for report in stream(clients, is_sum=True):
            gathered.add(report)
            look()

    grown = growth(work)
    assert grown < 30, grown
    mean: Tree = gathered.aggregate(fb.Mean(), clients)
    assert mean["w"].unique().tolist() == [pytest.approx((clients - 1) / 2)]


def a_median_holds_the_payloads_of_all_clients() -> None:
    gathered = Gathered(np.arange(41), is_sum=False)

    def work(look: Callable[[], None]) -> None:
        for report in stream(41, is_sum=False):
            gathered.add(report)
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
    everyone, info = np.arange(60), rounds._info(1)
    found: list[Report] = []

    def work(look: Callable[[], None]) -> None:
        gathered = Gathered(everyone, is_sum=True)
        arguments = progress.params, progress.server, {}, everyone, info
        for report in rounds.experiment.engine.reports(rounds.task, *arguments):
            gathered.add(report)
            found[:] = [report]
            look()

    assert growth(work) < 120
    assert found[0].payload["1.weight"].dim() == 2  # one sum of the chunk, not its payloads


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
