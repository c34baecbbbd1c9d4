"""What every test may use: a small experiment, rounds by hand, a fixed hypothesis profile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings

import fedbench as fb
from fedbench.metrics import RoundRecord
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Progress
from tests.processes import started as started

# The same examples on every machine; data sets are read within the first example, so no deadline.
settings.register_profile("fedbench", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("fedbench")

Trained = tuple[Progress, list[RoundRecord]]


@pytest.fixture
def small() -> fb.Experiment:
    """142 wines with 6 clients, softmax regression: a round costs milliseconds."""
    return fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=6, alpha=1.0), rounds=4)


@pytest.fixture
def private(small: fb.Experiment) -> fb.Experiment:
    """The small experiment under client-level privacy that replays."""
    return small.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Poisson(rate=0.5),
        privacy=fb.ClientLevelDP(noise_multiplier=1.0, delta=1e-2, noise_seed=1),
    )


@pytest.fixture
def train() -> Callable[[fb.Experiment, int], Trained]:
    """Return a function that runs some rounds without a session."""

    def rounds_by_hand(experiment: fb.Experiment, count: int) -> Trained:
        rounds = Rounds(experiment)
        progress = rounds.begin()
        rows = []
        for _ in range(count):
            progress, row = rounds.next(progress)
            rows.append(row)
        return progress, rows

    return rounds_by_hand
