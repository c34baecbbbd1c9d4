"""The stages of a privacy by hand, for tests of what they do to updates and sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fedbench import tree
from fedbench.channel import Encoded, Pipeline, ServerStates, Stage
from fedbench.privacy import Privacy
from fedbench.privacy.clip import NORMS
from fedbench.tree import Tree


@dataclass
class Channel:
    """A pipeline and its server states, which `decode` moves on; its clients keep nothing."""

    pipeline: Pipeline
    servers: ServerStates
    names: tuple[str, ...]

    @classmethod
    def of(cls, stages: Privacy | tuple[Stage, ...], payloads: Tree) -> Channel:
        """Return the channel of a privacy whose noise is known, for payloads [C, ...]."""
        pipeline = Pipeline(stages.stages() if isinstance(stages, Privacy) else stages)
        template = tree.map(lambda leaf: leaf.new_zeros(leaf.shape[1:]), payloads)
        return cls(pipeline, pipeline.init(template)[1], tuple(payloads))

    def encode(
        self, payloads: Tree, round: int = 1, ids: NDArray[np.int64] | None = None
    ) -> Encoded:
        """Return what clients `ids`, or the first ones, send."""
        count = len(next(iter(payloads.values())))
        senders = np.arange(count) if ids is None else ids
        return self.pipeline.encode(payloads, {}, self.servers, round, senders)

    def decode(self, aggregate: Tree, divisor: float = 1.0, round: int = 1) -> Tree:
        """Return what the strategy gets of an aggregate."""
        found, self.servers = self.pipeline.decode(
            aggregate, self.servers, round, divisor, self.names
        )
        return found

    @property
    def norms(self) -> tuple[float, ...]:
        """Return the present norms of the first stage, which clips."""
        return tuple(self.servers[0][NORMS].tolist())

    @norms.setter
    def norms(self, norms: tuple[float, ...]) -> None:
        moved = {NORMS: torch.tensor(norms, dtype=torch.float64)}
        self.servers = (moved, *self.servers[1:])


def encoded(
    privacy: Privacy, payloads: Tree, round: int = 1, ids: NDArray[np.int64] | None = None
) -> Encoded:
    """Return what clients `ids`, or the first ones, send in a round."""
    return Channel.of(privacy, payloads).encode(payloads, round, ids)
