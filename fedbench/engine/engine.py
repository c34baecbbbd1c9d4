"""Where local training happens: the engines differ in speed, never in result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.data import Cohort, FederatedDataset
from fedbench.models import Model
from fedbench.spec import Part
from fedbench.strategies import RoundInfo, Strategy
from fedbench.training import LocalTraining
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Task:
    """What stays the same over a run: data, model, local training, strategy and seed."""

    data: FederatedDataset
    model: Model
    training: LocalTraining
    strategy: Strategy
    seed: int

    def cohort(self, ids: NDArray[np.int64], info: RoundInfo) -> Cohort:
        """Return the batches of clients `ids` in this round."""
        return self.data.cohort(
            ids,
            batch_size=self.training.batch_size,
            epochs=self.training.epochs,
            steps=self.training.steps,
            seed=self.seed,
            round=info.round,
        )


@dataclass(frozen=True)
class Updates:
    """What a cohort returns: payloads[C, ...], weights[C], training loss[C], client states."""

    payloads: Tree
    weights: Tensor
    losses: Tensor
    clients: Mapping[int, Tree]


class Engine(Part, family=True):
    """Trains the clients of one round."""

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
