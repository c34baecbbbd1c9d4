"""Where local training happens: the engines differ in speed, never in result."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.aggregators import Aggregator, Mean
from fedbench.attacks import Attack, NoAttack
from fedbench.channel.privacy import ExampleLevelDP, NoPrivacy, Privacy
from fedbench.data import FederatedDataset, Plan
from fedbench.engine.dense import Layer, layers
from fedbench.models import Model
from fedbench.spec import Part
from fedbench.strategies import LocalWork, RoundInfo, Strategy
from fedbench.training import LocalTraining
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor, nn


ROWS = 1000  # test rows that are evaluated at once: a convolution's activations take memory


@dataclass(frozen=True, eq=False)
class Task:
    """What stays the same over a run: all that decides what a client sends in a round.

    It travels to worker processes whole, without what it has worked out for itself on the way.
    """

    data: FederatedDataset
    model: Model
    training: LocalTraining
    strategy: Strategy
    seed: int
    attack: Attack = field(default_factory=NoAttack)
    privacy: Privacy = field(default_factory=NoPrivacy)
    aggregator: Aggregator = field(default_factory=Mean)
    device: str = "cpu"

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def example_privacy(self) -> ExampleLevelDP | None:
        """Return what local steps must do for the privacy of examples, if anything."""
        return self.privacy if isinstance(self.privacy, ExampleLevelDP) else None

    def check(self) -> None:
        """Raise ValueError if the model has a layer that no federation can train, naming it."""
        from torch.nn.modules.batchnorm import _BatchNorm

        for name, layer in self.model.template(self.data.card).named_modules():
            if isinstance(layer, _BatchNorm):
                raise ValueError(
                    f"model: layer {name!r} is {type(layer).__name__}, which mixes the examples of "
                    "a batch and keeps statistics that no client can answer for: there is no "
                    "privacy for an example, and clients trained together would share them; "
                    "use GroupNorm"
                )

    @cached_property
    def module(self) -> nn.Module:
        """Return a module for training, to be called with parameters or to hold them."""
        return self.model.module(self.data.card, self.seed).train().to(self.device)

    @cached_property
    def layers(self) -> list[Layer] | None:
        """Return the layers of a model that can be stacked, else None."""
        return layers(self.model.template(self.data.card), self.data.card.shape)

    @cached_property
    def _table(self) -> tuple[Tensor, Tensor]:
        import torch

        x, y = torch.from_numpy(self.data.x), torch.from_numpy(self.data.y)
        return x.to(self.device), y.to(self.device)

    def plan(self, ids: NDArray[np.int64], info: RoundInfo) -> Plan:
        """Return which rows clients `ids` train on in this round."""
        private = self.example_privacy
        return self.data.plan(
            ids,
            batch_size=self.training.batch_size,
            epochs=self.training.epochs,
            steps=self.training.steps,
            seed=self.seed,
            round=info.round,
            poisson=None if private is None else lambda client: private.batches(info.round, client),
        )

    def corrupt(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `ids` attack, bool[C]."""
        return self.attack.corrupt(self.data.clients, self.seed)[ids]

    def batch(self, rows: NDArray[np.int64], corrupt: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Return x[C, ..., *shape] and y[C, ...] at rows[C, ...]; row -1 gives some row.

        The targets are what the clients train on: those of `corrupt` [C] clients are poisoned.
        """
        import torch

        taken = torch.from_numpy(rows.clip(min=0)).to(self.device)
        x, y = self._table
        targets = y[taken]
        for client in np.flatnonzero(corrupt).tolist():
            targets[client] = self.attack.poison(targets[client], self.data.card)
        return x[taken], targets

    @cached_property
    def y_test(self) -> Tensor:
        """Return the targets of the test set."""
        import torch

        return torch.from_numpy(self.data.y_test)

    def losses(self, outputs: Tensor) -> Tensor:
        """Return the loss of each test row."""
        import torch

        with torch.no_grad():
            return self.model.loss(outputs, self.y_test)

    def outputs(self, params: Tree, first: int, last: int) -> Tensor:
        """Return what the model gives for test rows `first` to `last`."""
        import torch
        from torch.func import functional_call

        self.module.eval()
        try:
            with torch.no_grad():
                x = torch.from_numpy(self.data.x_test[first:last]).to(self.device)
                here = {name: leaf.to(self.device) for name, leaf in params.items()}
                return functional_call(self.module, here, (x,)).cpu()
        finally:
            self.module.train()

    @contextmanager
    def chance(self, client: int, info: RoundInfo) -> Iterator[None]:
        """Seed torch's own generator, which layers such as dropout draw from, for one client."""
        import torch

        with torch.random.fork_rng(devices=[]):
            key = np.random.SeedSequence([self.seed, 7, info.round, client])
            torch.manual_seed(int(key.generate_state(1, np.uint64)[0]))
            yield

    def passes(self) -> tuple[LocalWork, ...]:
        """Return the local trainings of a round, the one whose payload is sent first."""
        companion = self.strategy.companion()
        return (self.strategy,) if companion is None else (self.strategy, companion)

    def silence(self, params: Tree, server: Tree, info: RoundInfo) -> dict[str, Tensor]:
        """Return a payload of zeros, as nobody's sum."""
        import torch

        client = self.strategy.init_client(params)
        payload, _ = self.strategy.finish(
            tree.zeros_like(params), params, client, server, torch.tensor(1), info
        )
        return tree.zeros_like(payload)


class Clock:
    """Adds up seconds by phase: `lap` books the time since the last one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """Book the time since the last lap, or since the clock was made, under `phase`."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now


@dataclass(frozen=True)
class Updates:
    """What some clients send: payloads[C, ...], weights[C], training loss[C], client states.

    `seconds` is where the time went, by phase.
    """

    payloads: Tree
    weights: Tensor
    losses: Tensor
    clients: Mapping[int, Tree]
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What reaches the server from clients `ids`, after attacks and the channel.

    `payload` is Σ wᵢ·payloadᵢ where the aggregator is a sum, else all payloads [C, ...]; all other
    members are one value a client, [C].
    """

    ids: NDArray[np.int64]
    payload: Tree
    weights: Tensor
    losses: Tensor
    norms: Tensor
    changed: Tensor | None
    clients: Mapping[int, Tree]
    seconds: Mapping[str, float]


def blocks(first: int, last: int) -> list[tuple[int, int]]:
    """Return the rows `first` to `last` in blocks; their bounds depend on nothing else."""
    return [(k, min(k + ROWS, last)) for k in range(first, last, ROWS)]


class Engine(Part, family=True):
    """Trains the clients of one round, and evaluates models."""

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

    def reports(
        self,
        task: Task,
        params: Tree,
        server: Tree,
        clients: Mapping[int, Tree],
        ids: NDArray[np.int64],
        info: RoundInfo,
    ) -> Iterator[Report]:
        """Yield what reaches the server from the cohort `ids`, a chunk at a time, in order."""
        for some in self.chunks(task, params, ids):
            yield self.report(task, params, server, clients, some, info)

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
        encoded = task.privacy.encode(payloads)
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
