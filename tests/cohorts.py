"""Parts of a round by hand, for tests that look into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedbench.engine import Arrival, Broadcast, Engine, TrainingContext
from fedbench.engine.client_round import job_round
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Progress
from fedbench.tree import Tree


def weights_of(context: TrainingContext, ids: NDArray[np.int64] | None = None) -> Tensor:
    """Return the weights of clients `ids` in the mean, of all by default."""
    everybody = np.arange(context.data.clients)
    samples = context.data.sizes_of(everybody if ids is None else ids)
    return context.strategy.weights(torch.from_numpy(samples))


def broadcast_of(rounds: Rounds, progress: Progress, number: int = 1) -> Broadcast:
    """Return what the clients of round `number` are sent."""
    return rounds.dispatch(replace(progress, round=number - 1))


def arrivals_of(
    rounds: Rounds, progress: Progress, ids: NDArray[np.int64], number: int = 1
) -> Iterator[Arrival]:
    """Yield what comes back from clients `ids` in round `number`, which nobody has seen before."""
    broadcast = broadcast_of(rounds, progress, number)
    return rounds.experiment.engine.arrivals(rounds.context, broadcast, ids, {})


def sum_of(engine: Engine, context: TrainingContext, broadcast: Broadcast, clients: int) -> Tree:
    """Return what all clients send together, where the aggregator is a sum."""
    return job_round(engine, context, broadcast, [np.arange(clients)], {}).message.payload
