"""Random streams by name: what is drawn for one purpose never shifts what is drawn for another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers of an experiment are drawn for; all follow from its seed.

    Members are part of every seeded history: they may be added, and never renumbered. Simulated
    data have seeds of their own (`world_seed`, `split_seed`), and privacy noise has a source of its
    own, which no seed decides.
    """

    TEST_ROWS = 1  # which rows of a source are held out
    PARTITION = 2  # how rows are split among clients
    BATCHES = 3
    COHORTS = 4
    CORRUPT = 5  # which clients attack
    FORGERY = 6  # what they send
    LAYERS = 7  # dropout and other layers that draw
    POPULATION = 8  # rows of a client of a large population
    SKEW_CLIENTS = 9  # how far each client differs
    SKEW_ROWS = 10  # which of its rows
    FEATURES = 11  # which features measures of heterogeneity look at
    AVAILABILITY = 12
    TIME_ZONES = 13
    DROPOUT = 14  # which devices do not answer
    DEVICES = 15  # how fast they are
    ORDER = 16  # in which order clients take their turn


def seeds(seed: int, stream: Stream, *key: int) -> np.random.SeedSequence:
    """Return the seeds of a stream, and of a round, a client or whatever else `key` names."""
    return np.random.SeedSequence([seed, int(stream), *key])


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """Return the random numbers of a stream, and of a round, a client or what else `key` names."""
    return np.random.default_rng(seeds(seed, stream, *key))
