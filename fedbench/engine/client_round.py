"""What a chunk of clients does in a round: training, attacks, and the channel's client side."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.channel import Encoded
from fedbench.config.kinds import is_user_class
from fedbench.engine.context import PhaseTimer, TrainingContext
from fedbench.engine.messages import (
    Arrival,
    Broadcast,
    ClientState,
    ClientStates,
    LocalUpdates,
    Message,
    Telemetry,
)
from fedbench.engine.returned import Unwritten
from fedbench.randomness import Stream, generator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from fedbench.engine.engine import Engine


def client_round(
    engine: Engine,
    context: TrainingContext,
    broadcast: Broadcast,
    ids: NDArray[np.int64],
    states: ClientStates,
) -> Arrival:
    """Return what comes back from clients `ids`, which train as one chunk.

    `states` are those of the clients that have been trained before.
    """
    import torch

    known = {k: states[k].strategy for k in ids.tolist() if k in states}
    if is_user_class(type(context.strategy)):
        # copies: a hook that writes into them all the same must not reach the run's own
        params, server = (tree.map(torch.clone, a) for a in (broadcast.params, broadcast.server))
        broadcast = replace(broadcast, params=params, server=server)
    given = Unwritten(
        f"strategy: a hook of {context.strategy.kind()}",
        {"the global model": broadcast.params, "the server's state": broadcast.server}
        | {f"the state of client {k}": state for k, state in known.items()},
    )
    updates = engine.train(context, broadcast, ids, known)
    given.check()
    timer = PhaseTimer()
    payloads = _forged(context, broadcast, ids, updates)
    encoded = _encoded(context, broadcast, ids, states, payloads)
    norms = encoded.norms if encoded.norms is not None else tree.norms(payloads)
    timer.lap("clipping")
    weights = context.strategy.weights(torch.from_numpy(context.data.sizes_of(ids)))
    if context.privacy.plain_sum:  # whatever a strategy weighs by, that is what is proved
        weights = torch.ones(len(ids))
    payload, size = encoded.payloads, context.pipeline.bytes_on_wire(encoded.payloads)
    if context.aggregator.is_sum:
        payload = context.aggregator.combine(payload, weights.to(context.device), total=1.0)
    timer.lap("aggregation")
    return Arrival(
        Message(ids, tree.map(torch.Tensor.cpu, payload), weights, size),
        Telemetry(
            updates.losses.cpu(),
            updates.steps.cpu(),
            norms.cpu(),
            None if encoded.clipped is None else encoded.clipped.cpu(),
            {**updates.seconds, **timer.seconds},
        ),
        _states(ids, updates, encoded.clients),
    )


def job_round(
    engine: Engine,
    context: TrainingContext,
    broadcast: Broadcast,
    job: list[NDArray[np.int64]],
    states: ClientStates,
) -> Arrival:
    """Return what comes back from all chunks of a job, as one."""
    chunks = (client_round(engine, context, broadcast, ids, states) for ids in job)
    return reduce(Arrival.merged, chunks)


def _forged(
    context: TrainingContext, broadcast: Broadcast, ids: NDArray[np.int64], updates: LocalUpdates
) -> Tree:
    """Return the payloads, with those of corrupt clients as the attack has them."""
    import torch

    corrupt = context.corrupt(ids)
    if not corrupt.any():
        return updates.payloads
    payloads = tree.map(torch.clone, updates.payloads)
    for k in np.flatnonzero(corrupt).tolist():
        rng = generator(context.seed, Stream.FORGERY, broadcast.info.round, int(ids[k]))
        own = {name: leaf[k : k + 1] for name, leaf in payloads.items()}
        for name, leaf in context.attack.forge(own, rng).items():
            payloads[name][k] = leaf[0]
    return payloads


def _encoded(
    context: TrainingContext,
    broadcast: Broadcast,
    ids: NDArray[np.int64],
    states: ClientStates,
    payloads: Tree,
) -> Encoded:
    """Return the payloads after the channel's stages, where they were trained."""

    def here(a: Tree) -> Tree:
        return tree.map(lambda leaf: leaf.to(context.device), a)

    before: Tree = {}
    if fresh := broadcast.fresh:
        own = [states[k].channel if k in states else fresh for k in ids.tolist()]
        before = here(tree.stack(own))
    servers = tuple(here(server) for server in broadcast.channel)
    return context.pipeline.encode(payloads, before, servers, broadcast.info.round, ids)


def _states(ids: NDArray[np.int64], updates: LocalUpdates, channel: Tree) -> dict[int, ClientState]:
    """Return the clients' new states, where they have any."""
    if not channel:
        return {client: ClientState(state) for client, state in updates.states.items()}
    return {
        # copies: a view of one client's row would keep those of its whole chunk
        client: ClientState(
            updates.states.get(client, {}),
            {name: leaf[k].cpu().clone() for name, leaf in channel.items()},
        )
        for k, client in enumerate(ids.tolist())
    }
