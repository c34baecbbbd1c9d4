"""What goes between server and clients in a round, apart from what must never reach the server.

A `Broadcast` goes to the clients. What comes back from a chunk of them is an `Arrival` of three
parts: the `Message`, which alone the server's side may use; `Telemetry`, for the person at the
simulation; and the clients' own states, which stay with the clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.channel import ServerStates
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Broadcast:
    """What the clients of a cohort start a round from.

    `params` is the global model, `server` the strategy's server state, `channel` the server state
    of each stage of the pipeline, and `fresh` the channel's state of a client that has none yet.
    """

    info: RoundInfo
    params: Tree
    server: Tree = field(default_factory=dict)
    channel: ServerStates = ()
    fresh: Tree = field(default_factory=dict)


@dataclass(frozen=True)
class ClientState:
    """What a client keeps from round to round: for the strategy, and for the channel's stages."""

    strategy: Tree
    channel: Tree = field(default_factory=dict)


ClientStates = Mapping[int, ClientState]


@dataclass(frozen=True)
class LocalUpdates:
    """What clients made of a broadcast, in the order of their ids, before attacks and the channel.

    `payloads` are [C, ...], `losses` the mean losses of local training, float64[C], and `steps` the
    optimiser steps of all its objectives, int64[C]. `states` are the strategy's new states of those
    clients that have one; `seconds` is the time, by phase.
    """

    payloads: Tree
    losses: Tensor
    steps: Tensor
    states: Mapping[int, Tree]
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """What leaves clients `ids`, encoded by the channel: all that a server may use.

    `payload` is Σ wᵢ·payloadᵢ where the aggregator is a sum, else all payloads [C, ...]. `weights`
    are the clients' weights in the mean, float32[C], `bytes` what they sent together.
    """

    ids: NDArray[np.int64]
    payload: Tree
    weights: Tensor
    bytes: int


@dataclass(frozen=True)
class Telemetry:
    """What the simulation knows of clients and their server would not.

    `losses` are those of training, float64[C], `steps` the optimiser steps of training, int64[C],
    and `norms` those of the updates before the channel, [C]. `clipped` marks who was clipped,
    bool[C], or is None where no stage clips. `seconds` is the time spent, by phase.
    """

    losses: Tensor
    steps: Tensor
    norms: Tensor
    clipped: Tensor | None
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Arrival:
    """All that comes back from some clients."""

    message: Message
    telemetry: Telemetry
    states: ClientStates

    def merged(self, other: Arrival) -> Arrival:
        """Return both as one; their payloads must be sums, and this one's memory is used."""
        import torch

        a, b = self.message, other.message
        for name, leaf in a.payload.items():
            leaf.add_(b.payload[name])
        one, two = self.telemetry, other.telemetry
        clipped = None
        if one.clipped is not None and two.clipped is not None:
            clipped = torch.cat([one.clipped, two.clipped])
        phases = dict.fromkeys([*one.seconds, *two.seconds])
        return Arrival(
            Message(
                np.concatenate([a.ids, b.ids]),
                a.payload,
                torch.cat([a.weights, b.weights]),
                a.bytes + b.bytes,
            ),
            Telemetry(
                torch.cat([one.losses, two.losses]),
                torch.cat([one.steps, two.steps]),
                torch.cat([one.norms, two.norms]),
                clipped,
                {each: one.seconds.get(each, 0.0) + two.seconds.get(each, 0.0) for each in phases},
            ),
            {**self.states, **other.states},
        )


def stacked_states(states: list[ClientState]) -> dict[str, Tensor]:
    """Return the states of some clients as one tree [C, ...]; see `states_of`."""
    if not states:
        return {}
    return tree.pack(
        strategy=tree.stack([state.strategy for state in states]),
        channel=tree.stack([state.channel for state in states]),
    )


def states_of(ids: NDArray[np.int64], stacked: Tree) -> dict[int, ClientState]:
    """Return the states of clients `ids`, whose memory is their own, from `stacked_states`."""
    if not stacked:
        return {}
    strategy, channel = tree.unpack(stacked, "strategy"), tree.unpack(stacked, "channel")

    def row(a: Tree, k: int) -> dict[str, Tensor]:
        return {name: leaf[k].clone() for name, leaf in a.items()}

    return {
        client: ClientState(row(strategy, k), row(channel, k))
        for k, client in enumerate(ids.tolist())
    }


def packed_broadcast(broadcast: Broadcast) -> dict[str, Tensor]:
    """Return all tensors of a broadcast as one tree; see `unpacked_broadcast`."""
    channel = {f"channel{place}": state for place, state in enumerate(broadcast.channel)}
    return tree.pack(
        params=broadcast.params, server=broadcast.server, fresh=broadcast.fresh, **channel
    )


def unpacked_broadcast(info: RoundInfo, packed: Tree, stages: int) -> Broadcast:
    """Return a broadcast to a pipeline of so many stages from `packed_broadcast`."""
    return Broadcast(
        info,
        tree.unpack(packed, "params"),
        tree.unpack(packed, "server"),
        tuple(tree.unpack(packed, f"channel{place}") for place in range(stages)),
        tree.unpack(packed, "fresh"),
    )
