"""What holds for every availability."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.participation import Availability, Trace

ROUNDS = 400


def test_who_is_there_is_pure_in_seed_and_round(availability: Availability) -> None:
    for round in (1, 2, 50):
        first = availability.there(40, 7, round)
        assert first.shape == (40,)
        assert first.dtype == np.bool_
        # asked again, in another order and beside others, the answer is the same
        availability.there(12, 3, round + 1)
        np.testing.assert_array_equal(availability.there(40, 7, round), first)


def test_rounds_and_seeds_differ_unless_all_is_known(availability: Availability) -> None:
    known = availability.expected == 1
    by_round = [availability.there(200, 1, round).tobytes() for round in range(1, 9)]
    by_seed = [availability.there(200, seed, 1).tobytes() for seed in range(8)]
    assert (len(set(by_seed)) == 1) == known
    assert (len(set(by_round)) == 1) == (known and not isinstance(availability, Trace))


def test_the_expected_share_is_the_share(availability: Availability) -> None:
    if isinstance(availability, Trace):
        pytest.skip("nobody knows the share of a recording before")
    seen = np.mean([availability.there(100, 5, round) for round in range(1, ROUNDS + 1)])
    assert seen == pytest.approx(availability.expected, abs=0.02)


def test_nobody_takes_part_who_is_not_there(availability: Availability) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.IID(clients=8),
        devices=fb.Devices(availability=availability),
        rounds=6,
        engine=fb.StackedEngine(workers=0),
    )
    for row in fb.run(experiment, progress=False).rows:
        there = availability.there(8, experiment.seed, row.round)
        assert set(row.cohort) == set(np.flatnonzero(there))
