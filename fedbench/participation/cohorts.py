"""Who is asked in which round: decided by the seed, so that it can be known ahead."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fedbench.config.kinds import is_user_class
from fedbench.config.usercode import attributed
from fedbench.data.returned import check_ids, check_vector
from fedbench.participation import Devices
from fedbench.participation.sampling import Everyone, Sampling
from fedbench.randomness import Stream, generator

LEAST = 64  # rounds that are looked at together: a slider that moves finds most of it known


def cohort(
    sampling: Sampling,
    devices: Devices | None,
    clients: int,
    seed: int,
    number: int,
    secret: bool = False,
) -> NDArray[np.int64]:
    """Return the sorted ids of those asked in round `number` (from 1).

    The same ones however often it is asked, unless they are to be `secret`: then chance comes from
    the operating system.
    """
    with attributed(f"sampling: {type(sampling).__name__}"):
        ids = _asked(sampling, devices, clients, seed, number, secret)
    if is_user_class(type(sampling)):
        check_ids(f"sampling: {type(sampling).__name__}.draw()", ids, clients)
    return ids


def _asked(
    sampling: Sampling, devices: Devices | None, clients: int, seed: int, number: int, secret: bool
) -> NDArray[np.int64]:
    turn = (number - 1) % sampling.turns(clients)
    first = number - turn
    rng = np.random.default_rng() if secret else generator(seed, Stream.COHORTS, first)
    if devices is None:
        return sampling.draw(clients, rng, turn)
    reached = devices.availability.there(clients, seed, number)
    if is_user_class(type(devices.availability)):
        name = f"devices.availability: {type(devices.availability).__name__}.there()"
        check_vector(name, "the answer", reached, clients, "b")
    there = np.flatnonzero(reached)
    return sampling.among(there, clients, rng, devices.over_selection, turn)


def most_drawn(
    sampling: Sampling, devices: Devices | None, clients: int, seed: int, rounds: int
) -> int:
    """Return how often the client that is asked most often is asked in the first `rounds`."""
    if isinstance(sampling, Everyone) and devices is None:
        return rounds
    ahead = 1 << (max(rounds, LEAST) - 1).bit_length()
    # frozen specs have a hash, which type checkers do not see
    return int(_most(sampling, devices, clients, seed, ahead)[rounds])


@lru_cache(maxsize=32)
def _most(
    sampling: Sampling, devices: Devices | None, clients: int, seed: int, rounds: int
) -> NDArray[np.int64]:
    """Return the most that a client was asked after no, one, ... `rounds` rounds."""
    counts = np.zeros(clients, dtype=np.int32)
    found = np.zeros(rounds + 1, dtype=np.int64)
    for number in range(1, rounds + 1):
        ids = cohort(sampling, devices, clients, seed, number)
        counts[ids] += 1
        found[number] = max(found[number - 1], counts[ids].max(initial=0))
    return found
