"""Cyclic weight transfer against a chain by hand, and what it cannot go with."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import fedbench as fb
from fedbench import tree
from fedbench.config.problems import problems
from fedbench.engine import Broadcast
from fedbench.randomness import Stream
from fedbench.runs.rounds import Rounds
from fedbench.tree import Tree

SMALL = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=5, alpha=0.5),
    training=fb.LocalTraining(steps=3, batch_size=8),
    schedule=fb.Cyclic(),
    rounds=2,
)
SHUFFLED = SMALL.replace(schedule=fb.Cyclic(shuffled=True))


def chain(experiment: fb.Experiment, params: Tree, order: list[int], number: int) -> Tree:
    """Return the model that each of some clients has trained after the one before it."""
    rounds = Rounds(experiment)
    for client in order:
        sent = Broadcast(rounds._info(number), params)
        updates = fb.LoopEngine().train(rounds.context, sent, np.array([client]), {})
        params = tree.add(params, tree.row(updates.payloads, 0))
    return params


def assert_close(a: Tree, b: Tree) -> None:
    for name, leaf in a.items():
        torch.testing.assert_close(leaf, b[name], rtol=1e-4, atol=1e-6)


def test_each_client_trains_the_model_of_the_one_before() -> None:
    rounds = Rounds(SMALL)
    begun = rounds.begin()
    after, row = rounds.next(begun)
    first = chain(SMALL, begun.params, [0, 1, 2, 3, 4], 1)
    assert_close(after.params, first)
    assert row.cohort.tolist() == [0, 1, 2, 3, 4]
    last, _ = rounds.next(after)
    assert_close(last.params, chain(SMALL, first, [0, 1, 2, 3, 4], 2))


def test_a_shuffled_order_is_new_in_each_round_and_the_same_in_each_replay() -> None:
    rounds = Rounds(SHUFFLED)
    begun = rounds.begin()
    after, _ = rounds.next(begun)
    found = []

    for order in permutations(range(5)):
        chained = chain(SHUFFLED, begun.params, list(order), 1)
        if all(torch.allclose(chained[k], leaf, atol=1e-5) for k, leaf in after.params.items()):
            found.append(order)
    assert len(found) == 1
    assert fb.run(SHUFFLED, progress=False) == fb.run(SHUFFLED, progress=False)
    orders = {
        tuple(rounds.generator(Stream.ORDER, number).permutation(5)) for number in range(1, 9)
    }
    assert len(orders) > 4


def test_one_client_makes_no_difference() -> None:
    alone = SMALL.replace(partition=fb.IID(clients=1))
    cyclic, together = (
        fb.run(alone.replace(schedule=each), progress=False)
        for each in (fb.Cyclic(), fb.Synchronous())
    )
    assert [row.metrics for row in cyclic.rows] == [row.metrics for row in together.rows]


def test_a_round_takes_the_time_of_all_its_clients_and_sends_as_many_bytes() -> None:
    devices = fb.Devices(dropout=0.3)
    rows = {
        each.kind(): fb.run(SMALL.replace(devices=devices, schedule=each), progress=False).rows[0]
        for each in (fb.Cyclic(), fb.Synchronous())
    }
    cyclic, together = rows["Cyclic"], rows["Synchronous"]
    assert cyclic.cohort.tolist() == together.cohort.tolist()
    assert (cyclic.bytes_up, cyclic.bytes_down) == (together.bytes_up, together.bytes_down)
    rounds = Rounds(SMALL.replace(devices=devices))
    answers = rounds.select(rounds.begin()).answers
    assert cyclic.simulated_seconds == answers.seconds > together.simulated_seconds
    assert 0 < len(cyclic.cohort) < 5 == cyclic.asked


def test_a_round_without_clients_leaves_the_model_as_it_was() -> None:
    rounds = Rounds(SMALL.replace(sampling=fb.Poisson(rate=1e-6)))
    begun = rounds.begin()
    after, row = rounds.next(begun)
    assert all(torch.equal(leaf, begun.params[name]) for name, leaf in after.params.items())
    assert len(row.cohort) == row.bytes_up == 0
    assert np.isnan(row.train_loss) and np.isnan(row.update_norm)


@pytest.mark.parametrize(
    "privacy",
    [
        fb.ExampleLevelDP(noise_multiplier=2.0, delta=1e-4, noise_seed=1),
        fb.LocalGaussian(noise_multiplier=2.0, delta=1e-3, noise_seed=1),
        fb.LocalLaplace(noise_multiplier=2.0, delta=1e-3, noise_seed=1),
    ],
    ids=lambda privacy: privacy.kind(),
)
def test_privacy_that_needs_no_server_costs_what_it_costs_together(privacy: Any) -> None:
    private = SMALL.replace(strategy=fb.FedAvg(weighting="uniform"), privacy=privacy)
    cyclic, together = (
        fb.run(private.replace(schedule=each), progress=False)
        for each in (fb.Cyclic(), fb.Synchronous())
    )
    assert [row.epsilon for row in cyclic.rows] == [row.epsilon for row in together.rows]
    assert cyclic.rows[-1].metrics != together.rows[-1].metrics


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"aggregator": fb.CoordinateMedian()}, "aggregator.kind", "there are no updates to comp"),
        (
            {
                "privacy": fb.ClientLevelDP(noise_multiplier=1.0),
                "strategy": fb.FedAvg(weighting="uniform"),
            },
            "privacy.kind",
            "no server adds noise to a sum; choose ExampleLevelDP, LocalGaussian or LocalLaplace",
        ),
        ({"devices": fb.Devices(deadline=3.0)}, "devices.deadline", "waits for each client in t"),
    ],
)
def test_what_needs_several_updates_at_once_is_refused(
    changes: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        SMALL.replace(**changes)
    (found,) = problems(caught.value)
    assert found.path == path
    assert message in found.message
