"""Where local training happens: engines differ in speed, never in result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.config.declared import Claim
from fedbench.config.spec import Part
from fedbench.engine.client_round import job_round
from fedbench.engine.context import TrainingContext
from fedbench.engine.messages import Arrival, Broadcast, ClientStates, LocalUpdates
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

JOBS = 16  # arrivals of a round at most, where they are sums
RELEASING = ("train", "arrivals", "chunks", "jobs")  # what decides what is sent, and how often
ROWS = 1000  # test rows that are evaluated at once: a convolution's activations take memory


def blocks(first: int, last: int) -> list[tuple[int, int]]:
    """Return the rows `first` to `last` in blocks; their bounds depend on nothing else."""
    return [(k, min(k + ROWS, last)) for k in range(first, last, ROWS)]


class Engine(Part, family=True):
    """Trains the clients of one round, and evaluates models.

    An engine says how clients are trained (`train`), which of them together (`chunks`), and where
    (`arrivals`). What happens to their updates afterwards is `client_round`, the same for all
    engines. An engine keeps nothing from round to round: the states of clients are given to it, and
    the new ones returned.

    `keeps_privacy` declares that what `train` returns for a client depends on the broadcast, the
    data and the state of that client alone, not on who else trains; that it clips each example's
    gradient and adds the noise that `ExampleLevelDP` asks for in every local step; and that each
    client of a cohort arrives once, by `client_round`. A class that overrides a method on which
    the privacy of an experiment depends has to declare it anew, else any privacy is refused.

    Example:
        class Logged(LoopEngine):
            '''The reference engine, which says whom it trains.'''

            keeps_privacy: ClassVar[bool] = True

            def train(self, context, broadcast, ids, states):
                log.info("round %d: clients %s", broadcast.info.round, ids)
                return super().train(context, broadcast, ids, states)
    """

    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        RELEASING, "send what {privacy} does not cover", "choose StackedEngine"
    )

    @property
    def processes(self) -> int:
        """Return how many processes may train at once."""
        return 1

    @abstractmethod
    def train(
        self,
        context: TrainingContext,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: Mapping[int, Tree],
    ) -> LocalUpdates:
        """Return what clients `ids` make of a broadcast, in that order.

        `states` are the strategy's states of those clients that have one.
        """

    def chunks(
        self, context: TrainingContext, params: Tree, ids: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """Return `ids` in groups that are trained and added up one after another.

        Which client is in which group decides the last bits of a sum: it must not depend on the
        machine or its load.
        """
        return [ids[k : k + 1] for k in range(len(ids))]

    def jobs(
        self, context: TrainingContext, params: Tree, ids: NDArray[np.int64]
    ) -> list[list[NDArray[np.int64]]]:
        """Return the chunks of a cohort in groups, each of which makes one arrival.

        Where payloads are sums a group may be long: to hand over its sum costs no more than a
        chunk's.
        """
        chunks = self.chunks(context, params, ids)
        if not context.aggregator.is_sum or len(chunks) <= JOBS:
            return [[some] for some in chunks]
        cuts = np.linspace(0, len(chunks), JOBS + 1).round().astype(int)
        return [chunks[first:last] for first, last in pairwise(cuts.tolist())]

    def arrivals(
        self,
        context: TrainingContext,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: ClientStates,
    ) -> Iterator[Arrival]:
        """Yield what comes back from the cohort `ids`, a job at a time, in order."""
        for job in self.jobs(context, broadcast.params, ids):
            yield job_round(self, context, broadcast, job, states)

    def evaluate(self, context: TrainingContext, params: Tree, first: int, last: int) -> Tensor:
        """Return what the model gives for test rows `first` to `last`, in blocks of rows."""
        import torch

        return torch.cat([context.outputs(params, *rows) for rows in blocks(first, last)])
