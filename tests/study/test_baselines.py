"""The levels pooled and alone are those of runs that one would make by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.data import FederatedDataset
from fedbench.runs.rounds import Rounds

torch.set_num_threads(1)

# Whole batches: what is trained on does not depend on the order of rows or on who holds them.
WHOLE = fb.LocalTraining(lr=0.2, batch_size=None, epochs=2)
WINES = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=5, alpha=0.5),
    training=WHOLE,
    rounds=4,
    engine=fb.StackedEngine(workers=0),
)


def last(experiment: fb.Experiment, data: FederatedDataset | None = None):
    rounds = Rounds(experiment, data)
    progress, row = rounds.begin(), None
    while rounds.ended(progress, row) is None:
        progress, row = rounds.next(progress)
    assert row is not None
    return row


def test_pooled_is_one_client_that_holds_all() -> None:
    found = fb.baselines(WINES)
    assert found is not None
    one = last(WINES.replace(partition=fb.IID(clients=1)))
    assert found.metric == "accuracy"
    assert found.pooled == pytest.approx(one.metrics["accuracy"], abs=1e-6)


def test_local_is_each_client_alone() -> None:
    found = fb.baselines(WINES)
    assert found is not None
    data = WINES.federation()
    right = 0.0
    for client in range(5):
        mine = slice(data.offsets[client], data.offsets[client + 1])
        held = slice(data.test_offsets[client], data.test_offsets[client + 1])
        alone = replace(
            data,
            x=data.x[mine],
            y=data.y[mine],
            offsets=np.array([0, data.sizes[client]]),
            x_test=data.x_test[held],
            y_test=data.y_test[held],
            test_offsets=np.array([0, len(data.y_test[held])]),
            strata=data.strata[mine],
        )
        if not len(alone.y_test):
            assert np.isnan(found.clients[client])
            continue
        score = last(WINES.replace(partition=fb.IID(clients=1)), alone).metrics["accuracy"]
        assert found.clients[client] == pytest.approx(score, abs=1e-6)
        right += score * len(alone.y_test)
    assert found.local == pytest.approx(right / len(data.y_test), abs=1e-6)


def test_what_makes_a_federation_is_left_out() -> None:
    federal = WINES.replace(
        strategy=fb.FedProx(mu=1.0, weighting="uniform"),
        attack=fb.SignFlip(fraction=0.4),
        privacy=fb.ClientLevelDP(noise_multiplier=5.0),
        sampling=fb.Poisson(rate=0.3),
        target=fb.Target(value=0.1),
    )
    plain, found = fb.baselines(WINES), fb.baselines(federal)
    assert plain is not None and found is not None
    assert (found.pooled, found.local) == (plain.pooled, plain.local)
    np.testing.assert_array_equal(found.clients, plain.clients)


def test_pooled_rows_are_skewed_as_those_of_the_clients() -> None:
    noisy = WINES.replace(skews=(fb.FeatureNoise(std=2.0),))
    data = noisy.federation()
    pooled = data.pooled()
    np.testing.assert_array_equal(pooled.x, data.x)
    assert pooled.clients == pooled.tested == 1 and pooled.sizes.tolist() == [len(data.y)]
    found, plain = fb.baselines(noisy), fb.baselines(WINES)
    assert found is not None and plain is not None and found.pooled < plain.pooled


def test_a_regression_has_its_error() -> None:
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(), partition=fb.IID(clients=30), training=WHOLE, rounds=10
    )
    found = fb.baselines(experiment)
    assert found is not None and found.metric == "rmse"
    assert found.pooled < found.local  # thirty patients' worth of data against ten


def test_it_can_be_given_up() -> None:
    asked = []

    def twice() -> bool:
        asked.append(1)
        return len(asked) < 3

    assert fb.baselines(WINES, go_on=twice) is None
    assert len(asked) == 3


def test_a_frame_has_the_clients_by_name() -> None:
    found = fb.baselines(WINES)
    assert found is not None
    assert found.frame().index.tolist() == [0, 1, 2, 3, 4]
    assert repr(found).startswith("<Baselines: accuracy 0.9")


def test_a_population_is_refused() -> None:
    crowd = WINES.replace(partition=fb.Population(clients=20_000), sampling=fb.FixedCohort(size=5))
    with pytest.raises(ValueError, match=r"partition\.clients: 20,000 clients are too many"):
        fb.baselines(crowd)
