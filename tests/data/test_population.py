"""Clients that choose their rows when they take part."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import FederatedDataset
from fedbench.data.population import Choice
from fedbench.runs.rounds import Rounds

BOUNDS = np.array([0, 50, 50, 130, 150])  # the second class has no rows


def test_the_mix_of_classes_follows_alpha() -> None:
    for alpha, most in ((0.05, 0.9), (1000.0, 0.45)):
        choice = Choice(seed=1, samples=20, alpha=alpha, bounds=BOUNDS)
        shares = []
        for client in range(300):
            counts = np.histogram(choice.rows(client), BOUNDS[[0, 2, 3, 4]])[0]
            shares.append(counts.max() / 20)
        assert np.mean(shares) > most if alpha < 1 else np.mean(shares) < most


def test_every_row_is_as_likely_as_others_of_its_class() -> None:
    choice = Choice(seed=2, samples=10, alpha=5.0, bounds=BOUNDS)
    drawn = np.bincount(np.concatenate([choice.rows(k) for k in range(4000)]), minlength=150)
    for first, last in ((0, 50), (50, 130), (130, 150)):
        mean = drawn[first:last].mean()
        assert np.abs(drawn[first:last] - mean).max() < 5 * np.sqrt(mean)


def test_a_class_that_is_used_up_is_filled_from_others() -> None:
    choice = Choice(seed=3, samples=140, alpha=0.05, bounds=BOUNDS)
    for client in range(20):
        rows = choice.rows(client)
        assert len(rows) == len(np.unique(rows)) == 140
        assert rows.min() >= 0 and rows.max() < 150


def test_more_samples_than_there_are_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"partition\.clients"):
        fb.Experiment(data=fb.Wine(), partition=fb.Population(samples=10_000))


def test_a_million_clients_are_built_in_few_bytes() -> None:
    fb.Digits().load()
    tracemalloc.start()
    data = FederatedDataset.build(fb.Digits(), fb.Population(clients=1_000_000), 1)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert data.clients == 1_000_000
    beyond = held - data.x.nbytes - data.y.nbytes - data.x_test.nbytes
    assert beyond < 16e6 and peak < 64e6


def test_a_million_clients_train() -> None:
    experiment = fb.Experiment(
        partition=fb.Population(clients=1_000_000, alpha=0.5),
        sampling=fb.FixedCohort(size=30),
        strategy=fb.Scaffold(),
        training=fb.LocalTraining(lr=0.2),
    )
    rounds = Rounds(experiment)
    progress = rounds.begin()
    seen: set[int] = set()
    for _ in range(25):
        progress, row = rounds.next(progress)
        seen |= set(row.cohort.tolist())
    assert row.metrics["accuracy"] > 0.6
    assert set(progress.clients) == seen  # nobody else has a state
    assert max(seen) > 500_000
    assert row.clients.shape == (1000,)


def test_history_and_releases_of_a_population() -> None:
    experiment = fb.Experiment(
        partition=fb.Population(clients=200_000, samples=12),
        sampling=fb.FixedCohort(size=5),
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1),
        strategy=fb.FedAvg(weighting="uniform"),
        rounds=2,
    )
    assert experiment.releases(1) == [[(10 / 12, 2)]]
    with pytest.warns(UserWarning, match="predictable"):
        history = fb.run(experiment)
    assert history.clients().shape == (1000, 2)
    assert history.frame()["cohort"].tolist() == [5, 5]
