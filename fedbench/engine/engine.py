"""Where local training happens: the engines differ in speed, never in result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.channel.stage import Leg
from fedbench.config.spec import Part
from fedbench.engine.task import Clock, Task
from fedbench.privacy import ExampleLevelDP, Privacy
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

JOBS = 16  # reports of a round at most, where they are sums
RELEASING = (
    "report",
    "work",
    "reports",
    "chunks",
    "jobs",
)  # what decides what is sent, and how often
ROWS = 1000  # test rows that are evaluated at once: a convolution's activations take memory


@dataclass(frozen=True)
class Updates:
    """Output of some clients: payloads[C, ...], weights[C], training loss[C], client states.

    `seconds` is the time spent, by phase.
    """

    payloads: Tree
    weights: Tensor
    losses: Tensor
    clients: Mapping[int, Tree]
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What the server receives from clients `ids`, after attacks and the channel.

    `payload` is Σ wᵢ·payloadᵢ where the aggregator is a sum, else all payloads [C, ...]; all other
    members are one value per client, [C].
    """

    ids: NDArray[np.int64]
    payload: Tree
    weights: Tensor
    losses: Tensor
    norms: Tensor
    changed: Tensor | None
    clients: Mapping[int, Tree]
    seconds: Mapping[str, float]

    def merged(self, other: Report) -> Report:
        """Return both as one; their payloads must be sums, and this one's memory is used."""
        import torch

        for name, leaf in self.payload.items():
            leaf.add_(other.payload[name])
        changed = None
        if self.changed is not None and other.changed is not None:
            changed = torch.cat([self.changed, other.changed])
        phases = dict.fromkeys([*self.seconds, *other.seconds])
        return Report(
            ids=np.concatenate([self.ids, other.ids]),
            payload=self.payload,
            weights=torch.cat([self.weights, other.weights]),
            losses=torch.cat([self.losses, other.losses]),
            norms=torch.cat([self.norms, other.norms]),
            changed=changed,
            clients={**self.clients, **other.clients},
            seconds={
                phase: self.seconds.get(phase, 0.0) + other.seconds.get(phase, 0.0)
                for phase in phases
            },
        )


def unproven(engine: Engine, privacy: Privacy) -> str | None:
    """Return why an engine cannot be trusted to keep `privacy`, or None.

    A declaration counts for the methods of its own class and of the classes above it.
    """
    needed = (*RELEASING, "train") if isinstance(privacy, ExampleLevelDP) else RELEASING
    for cls in type(engine).__mro__:
        declared = vars(cls).get("keeps_privacy")
        if declared or cls is Engine:
            return None
        own = [name for name in needed if name in vars(cls)]
        if own or declared is not None:
            what = (
                f"{own[0]}() of {cls.__name__} may" if own else f"{cls.__name__} says that it may"
            )
            return (
                f"{what} send what {privacy.kind()} does not cover; choose StackedEngine, or set "
                f"keeps_privacy = True in {cls.__name__} if it keeps what Engine.keeps_privacy says"
            )
    return None


def blocks(first: int, last: int) -> list[tuple[int, int]]:
    """Return the rows `first` to `last` in blocks; their bounds depend on nothing else."""
    return [(k, min(k + ROWS, last)) for k in range(first, last, ROWS)]


class Engine(Part, family=True):
    """Trains the clients of one round, and evaluates models.

    `keeps_privacy` declares that `train` clips each example's gradient and adds the noise that
    `ExampleLevelDP` asks for in every local step, and that each client of a cohort is reported
    once, by what `privacy.encode` returns of its update. A class that overrides a method on which
    the privacy of an experiment depends has to declare it anew, else the experiment is refused.
    """

    keeps_privacy: ClassVar[bool] = False

    @property
    def processes(self) -> int:
        """Return how many processes may train at once."""
        return 1

    def cautions(self) -> list[str]:
        """Return what is allowed but should be known before a run."""
        return []

    @abstractmethod
    def train(
        self,
        task: Task,
        params: Tree,
        server: Tree,
        clients: Mapping[int, Tree],
        ids: NDArray[np.int64],
        info: RoundInfo,
    ) -> Updates:
        """Return the updates of clients `ids`, in that order, starting from `params`."""

    def chunks(self, task: Task, params: Tree, ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return `ids` in groups that are trained and added up one after another.

        Which client is in which group decides the last bits of a sum: it must not depend on the
        machine or its load.
        """
        return [ids[k : k + 1] for k in range(len(ids))]

    def jobs(
        self, task: Task, params: Tree, ids: NDArray[np.int64]
    ) -> list[list[NDArray[np.int64]]]:
        """Return the chunks of a cohort in groups, each of which makes one report.

        Where reports are sums a group may be long: its sum costs as much to hand over as a chunk's.
        """
        chunks = self.chunks(task, params, ids)
        if not task.aggregator.is_sum or len(chunks) <= JOBS:
            return [[some] for some in chunks]
        cuts = np.linspace(0, len(chunks), JOBS + 1).round().astype(int)
        return [chunks[first:last] for first, last in pairwise(cuts.tolist())]

    def reports(
        self,
        task: Task,
        params: Tree,
        server: Tree,
        clients: Mapping[int, Tree],
        ids: NDArray[np.int64],
        info: RoundInfo,
    ) -> Iterator[Report]:
        """Yield what reaches the server from the cohort `ids`, a job at a time, in order."""
        for job in self.jobs(task, params, ids):
            yield self.work(task, params, server, clients, job, info)

    def work(
        self,
        task: Task,
        params: Tree,
        server: Tree,
        clients: Mapping[int, Tree],
        job: list[NDArray[np.int64]],
        info: RoundInfo,
    ) -> Report:
        """Return what reaches the server from all chunks of a job, as one report."""
        reports = (self.report(task, params, server, clients, some, info) for some in job)
        return reduce(Report.merged, reports)

    def evaluate(self, task: Task, params: Tree, first: int, last: int) -> Tensor:
        """Return what the model gives for test rows `first` to `last`, in blocks of rows."""
        import torch

        return torch.cat([task.outputs(params, *rows) for rows in blocks(first, last)])

    def report(
        self,
        task: Task,
        params: Tree,
        server: Tree,
        clients: Mapping[int, Tree],
        ids: NDArray[np.int64],
        info: RoundInfo,
    ) -> Report:
        """Return what reaches the server from the chunk `ids`; see `train`."""
        import torch

        updates = self.train(task, params, server, clients, ids, info)
        clock = Clock()
        payloads = updates.payloads
        corrupt = task.corrupt(ids)
        if corrupt.any():
            payloads = tree.map(torch.clone, payloads)
            for k in np.flatnonzero(corrupt).tolist():
                rng = np.random.default_rng([task.seed, 6, info.round, int(ids[k])])
                own = {name: leaf[k : k + 1] for name, leaf in payloads.items()}
                for name, leaf in task.attack.forge(own, rng).items():
                    payloads[name][k] = leaf[0]
        encoded = task.privacy.encode(payloads, Leg(info.round, ids, info.bounds))
        norms = encoded.norms if encoded.norms is not None else tree.norms(payloads)
        clock.lap("clipping")
        payload, weights = encoded.payloads, updates.weights
        if task.aggregator.is_sum:
            # Whatever a strategy weighs by, sensitivity is proved for a plain sum.
            shares = torch.ones_like(weights) if encoded.norms is not None else weights
            payload = task.aggregator.combine(payload, shares.to(task.device), total=1.0)
        clock.lap("aggregation")
        return Report(
            ids=ids,
            payload=tree.map(torch.Tensor.cpu, payload),
            weights=weights,
            losses=updates.losses.cpu(),
            norms=norms.cpu(),
            changed=None if encoded.changed is None else encoded.changed.cpu(),
            clients=updates.clients,
            seconds={**updates.seconds, **clock.seconds},
        )
