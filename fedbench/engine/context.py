"""What every engine is given: all that stays the same over a run, and what follows from it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.aggregators import Aggregator, Mean
from fedbench.attacks import Attack, NoAttack
from fedbench.channel import Pipeline
from fedbench.data import FederatedDataset, Plan
from fedbench.engine.dense import Layer, layers
from fedbench.engine.trial import (
    check_module,
    eval_mode,
    has_separable_loss,
    train_mode,
    try_module,
)
from fedbench.models import Model, borrowed, call
from fedbench.privacy import ExampleLevelDP, NoPrivacy, Privacy
from fedbench.randomness import Stream, seeds
from fedbench.strategies import LocalWork, RoundInfo, Strategy
from fedbench.training import LocalTraining
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class TrainingContext:
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
    pipeline: Pipeline = field(default_factory=Pipeline)
    aggregator: Aggregator = field(default_factory=Mean)
    device: str = "cpu"

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def example_privacy(self) -> ExampleLevelDP | None:
        """Return what local steps must do for the privacy of examples, if anything."""
        return self.privacy.of_examples

    def check(self) -> None:
        """Raise ValueError if the model has a layer that no federation can train, naming it."""
        check_module(self)

    @cached_property
    def module(self) -> nn.Module:
        """Return a module for training, to be called with parameters or to hold them."""
        return train_mode(self.model.module(self.data.card, self.seed)).to(self.device)

    @cached_property
    def layers(self) -> list[Layer] | None:
        """Return the layers of a model that can be stacked, else None."""
        found = layers(self.model.template(self.data.card), self.data.card.shape)
        return found if found is None or has_separable_loss(self) else None

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
        """Return x[C, ..., *shape] and y[C, ...] at rows[C, ...]; row -1 gives zeros.

        Zeros are valid everywhere, as numbers, ids, classes and targets, and are nobody's data. The
        targets are what the clients train on: those of `corrupt` [C] clients are poisoned.
        """
        import torch

        taken = torch.from_numpy(rows.clip(min=0).ravel()).to(self.device)
        # index_select copies whole rows, where indexing would go number by number
        examples, targets = (
            part.index_select(0, taken).view(*rows.shape, *part.shape[1:]) for part in self._table
        )
        if (rows < 0).any():
            padding = torch.from_numpy(np.flatnonzero(rows < 0)).to(self.device)
            for part in (examples, targets):
                part.flatten(0, rows.ndim - 1).index_fill_(0, padding, 0)
        for client in np.flatnonzero(corrupt).tolist():
            targets[client] = self.attack.poison(targets[client], self.data.card)
        return examples, targets

    @cached_property
    def y_test(self) -> Tensor:
        """Return the targets of the test set."""
        import torch

        return torch.from_numpy(self.data.y_test)

    def losses(self, outputs: Tensor) -> Tensor:
        """Return the loss of each test row."""
        import torch

        with torch.no_grad():
            return self.model.loss(outputs.clone(), self.y_test.clone())  # it may write into them

    def outputs(self, params: Tree, first: int, last: int) -> Tensor:
        """Return what the model gives for test rows `first` to `last`."""
        import torch

        with eval_mode(self.module), torch.no_grad():
            x = torch.tensor(self.data.x_test[first:last], device=self.device)  # a copy: see losses
            here = {name: leaf.to(self.device) for name, leaf in params.items()}
            return call(self.module, here, x).cpu()

    @cached_property
    def uses_rng(self) -> bool:
        """Return whether the module draws random numbers while it trains, as dropout does.

        See `try_module`, which also raises ValueError for a module that cannot be trained.
        """
        return try_module(self)

    @contextmanager
    def seeded(self, client: int, info: RoundInfo) -> Generator[None]:
        """Seed torch's own generator, which layers such as dropout draw from, for one client."""
        if not self.uses_rng:
            yield
            return
        key = seeds(self.seed, Stream.LAYERS, info.round, client)
        with borrowed(int(key.generate_state(1, np.uint64)[0])):
            yield

    def objectives(self) -> tuple[LocalWork, ...]:
        """Return the local trainings of a round, the one whose payload is sent first."""
        companion = self.strategy.companion()
        return (self.strategy,) if companion is None else (self.strategy, companion)

    def zero_payload(self, params: Tree, server: Tree, info: RoundInfo) -> dict[str, Tensor]:
        """Return a payload of zeros: the aggregate of an empty cohort."""
        import torch

        client = self.strategy.init_client(params)
        payload, _ = self.strategy.finish(
            tree.zeros_like(params), params, client, server, torch.tensor(1), info
        )
        return tree.zeros_like(payload)


class PhaseTimer:
    """Adds up seconds by phase: `lap` books the time since the last one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """Book the time since the last lap, or since the clock was made, under `phase`."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now
