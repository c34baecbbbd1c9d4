"""How much memory a run will need, told before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from fedbench import tree
from fedbench.engine.context import TrainingContext
from fedbench.engine.engine import Engine

if TYPE_CHECKING:
    from fedbench.tree import Tree

LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")

# Scalars of a model that is tried out: sums of tensors without values would first import a
# second's worth of torch.
TRIED = 1 << 20

# What each share of the estimate is, and what makes it smaller.
REMEDIES = {
    "the model and the server": "choose a smaller model",
    "the clients that train at once": (
        "choose a smaller model, smaller batches or fewer steps, or set engine.chunk = 1"
    ),
    "the payloads, all of which the aggregator needs": "take a smaller cohort, or choose Mean",
    "what clients keep between rounds": (
        "choose a strategy and a channel that keep less, or take fewer clients, rounds or a "
        "smaller cohort"
    ),
}


def estimate(
    context: TrainingContext, engine: Engine, cohort: int, participants: int
) -> dict[str, int]:
    """Return bytes by share, as in `REMEDIES`; nothing large is allocated to find out.

    `cohort` is the expected number of clients in a round, `participants` in the whole run. The data
    are there already and do not count.
    """
    import torch

    from fedbench.strategies import RoundInfo

    module = context.model.template(context.data.card)
    named = module.named_parameters()
    params = {name: leaf.detach() for name, leaf in named if leaf.requires_grad}
    if tree.size(params) <= TRIED:
        params = {name: torch.zeros(leaf.shape) for name, leaf in params.items()}
    server, client = context.strategy.init(params), context.strategy.init_client(params)
    payload = context.zero_payload(
        params, server, RoundInfo(1, 0.1, context.data.clients, float(cohort))
    )
    kept = _bytes(client)
    for stage in context.pipeline.stages:
        kept += _bytes(stage.init(payload)[0])
    weights = _bytes(params)
    ids = np.arange(min(max(cohort, 1), context.data.clients))
    together = max(map(len, engine.chunks(context, params, ids)), default=1)
    training, card = context.training, context.data.card
    widths, steps = context.data.lengths(
        ids, batch_size=training.batch_size, epochs=training.epochs, steps=training.steps
    )
    # Numbers of rows for all steps of a round, and the examples of one step with what they become.
    rows = 3 * 8 * int((widths * steps).max(initial=0))
    batch = 3 * 4 * int(widths.max(initial=0)) * card.inputs
    # A client's own weights, its update and what a step works on.
    chunk = together * (2 * weights + kept + _bytes(payload) + rows + batch)
    shares = [
        # Two models, the aggregate and the next model.
        4 * weights + 2 * _bytes(server),
        chunk * max(1, engine.processes),
        0 if context.aggregator.is_sum else 2 * cohort * _bytes(payload),
        participants * kept,
    ]
    return dict(zip(REMEDIES, shares, strict=True))


def available() -> int:
    """Return the bytes that this process may still take: what is free, or its container's rest."""
    free = psutil.virtual_memory().available
    try:
        return min(free, int(LIMIT.read_text()) - int(USED.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def refuse(context: TrainingContext, engine: Engine, cohort: int, participants: int) -> None:
    """Raise ValueError if the run would need more memory than there is, saying what for."""
    shares = estimate(context, engine, cohort, participants)
    needed, free = sum(shares.values()), available()
    if needed <= free:
        return
    most = max(shares, key=lambda share: shares[share])
    raise ValueError(
        f"model: this run would need about {_gigabytes(needed)} of memory and {_gigabytes(free)} "
        f"are free; {_gigabytes(shares[most])} would go to {most}: {REMEDIES[most]}"
    )


def _bytes(a: Tree) -> int:
    return 4 * tree.size(a)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB"
