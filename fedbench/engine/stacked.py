"""Many clients at once where the model is dense, one after another where it is not."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench import tree
from fedbench.config.setup import Setup
from fedbench.engine import batched, lean
from fedbench.engine.client_round import job_round
from fedbench.engine.context import TrainingContext
from fedbench.engine.engine import ROWS, Engine
from fedbench.engine.messages import Arrival, Broadcast, ClientStates, LocalUpdates
from fedbench.engine.pool import Pool, pool
from fedbench.engine.processes import PoolClosed, cores
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

CACHE = 10 << 20  # bytes of stacked weights that stay near the processor; measured at 200k weights
DEVICE = 1 << 30  # the same on a GPU, which has more to do at once
LARGE = 1 << 20  # bytes of a cohort's weights from which on several processes are worth while
MOST = 128  # clients of a chunk
WORTH = 0.02  # seconds of training in a round from which on workers save more than they cost
CLEAR = 0.25  # seconds that say so although a first round takes longer than those to come

# Rounds of a run in this process and the least that one took: what workers would save.
_spent: weakref.WeakKeyDictionary[TrainingContext, tuple[int, float]] = weakref.WeakKeyDictionary()


class StackedEngine(Engine):
    """Train chunks of clients at once as batched matrix products; other models one by one.

    A module is stacked if it is a plain sequence of dense layers, layer norms, an embedding bag and
    activations.
    """

    display: ClassVar[str] = "Fast engine"

    keeps_privacy: ClassVar[bool] = True

    chunk: Annotated[
        int | None,
        Field(
            ge=1,
            title="Clients per chunk",
            description=(
                "clients trained at once, which affects only speed: none chooses a number "
                "whose weights fit the cache"
            ),
            json_schema_extra={"slider": [1, 128, 1], "none": "automatic"},
        ),
    ] = None

    workers: Annotated[
        int | None,
        Field(
            ge=0,
            le=256,
            title="Workers",
            description=(
                "processes that train in parallel, which affects only speed: none uses all "
                "cores where it pays off"
            ),
            json_schema_extra={"slider": [0, 16, 1], "none": "automatic"},
        ),
    ] = None
    device: Annotated[
        Literal["cpu", "cuda"],
        Field(
            title="Device",
            description="where clients train, which affects speed: a GPU needs no worker processes",
        ),
    ] = "cpu"

    @property
    def processes(self) -> int:
        """Return the number of workers, or of cores where that is left open."""
        return 1 if self.device != "cpu" else self.workers if self.workers is not None else cores()

    def warn(self, setup: Setup) -> Iterator[str]:
        """Warn of more workers than cores."""
        if self.workers is not None and self.workers > cores():
            yield (
                f"engine.workers = {self.workers}: this machine has {cores()} cores, and more "
                "processes than that take turns"
            )

    def arrivals(
        self,
        context: TrainingContext,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: ClientStates,
    ) -> Iterator[Arrival]:
        """Yield what comes back from the cohort `ids`, a job at a time, in order.

        Workers that are still starting, or whose data are still being written, are not waited for:
        this process begins, and they take over between two jobs. Who trains a client does not
        change a bit of it.
        """
        left = deque(self.jobs(context, broadcast.params, ids))
        spent, workers = 0.0, None
        while left and (workers := self._workers(context, spent)) is None:
            arrival = job_round(self, context, broadcast, left.popleft(), states)
            spent += sum(arrival.telemetry.seconds.values())
            yield arrival
        if workers is None:
            rounds, least = _spent.get(context, (0, math.inf))
            _spent[context] = rounds + 1, min(least, spent)
            return
        _spent[context] = 2, math.inf  # this run has its workers from now on
        try:
            yield from workers.arrivals(self, context, broadcast, list(left), states)
        except PoolClosed:  # before the first of them
            for job in left:
                yield job_round(self, context, broadcast, job, states)

    def evaluate(self, context: TrainingContext, params: Tree, first: int, last: int) -> Tensor:
        """Return what the model gives for test rows `first` to `last`; see `Engine.evaluate`."""
        workers = self._workers(context, 0.0) if last - first > ROWS else None
        if workers is not None:
            with contextlib.suppress(PoolClosed):
                return workers.evaluate(self, context, params, first, last)
        return super().evaluate(context, params, first, last)

    def _workers(self, context: TrainingContext, spent: float) -> Pool | None:
        """Return the workers if they are wanted, up and in possession of the data; else see to it.

        `spent` is the time that this round took so far.
        """
        if self.workers == 0 or self.device != "cpu":
            return None
        size = self.workers or cores()
        if self.workers is None:
            rounds, least = _spent.get(context, (0, 0.0))
            if size < 2 or (spent < CLEAR and (rounds < 2 or least < WORTH)):
                return None
        workers = pool(size)
        with contextlib.suppress(PoolClosed):
            packing = workers.share(self, context)
            if not (workers.ready and packing.done()):
                return None
            if self.workers is None and packing.exception() is not None:
                return None  # what does not travel is trained here; who asks for workers is told
            return workers
        return None

    def chunks(
        self, context: TrainingContext, params: Tree, ids: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """Return groups whose weights fit into the cache, clients of like size together."""
        # so that little of a chunk is padding
        order = ids[np.argsort(context.data.sizes_of(ids), kind="stable")]
        if self.chunk is not None:
            return [order[k : k + self.chunk] for k in range(0, len(order), self.chunk)]
        weights = 4 * tree.size(params) * len(ids)
        if self.device != "cpu":
            return np.array_split(order, -(-weights // DEVICE)) if len(ids) else []
        count = max(-(-weights // CACHE), -(-len(ids) // MOST))
        if weights > LARGE or context.layers is None:
            count = max(8 if context.layers is None else 4, count + count % 2)
        return np.array_split(order, min(count, len(ids))) if len(ids) else []

    def train(
        self,
        context: TrainingContext,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: Mapping[int, Tree],
    ) -> LocalUpdates:
        """Return the updates of clients `ids`; see `Engine.train`."""
        if context.layers is None or len(ids) == 0:
            return lean.train(context, broadcast, ids, states)
        return batched.train(context, context.layers, broadcast, ids, states)
