"""One client after another: slow, obvious, and what every faster engine must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.engine.context import TrainingContext
from fedbench.engine.engine import Engine
from fedbench.engine.messages import Broadcast, LocalUpdates
from fedbench.engine.returned import same_leaves
from fedbench.models import call
from fedbench.privacy.noise import normal
from fedbench.strategies import LocalWork
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class LoopEngine(Engine):
    """Train one client after another with autograd: slower, for any model, and the reference."""

    display: ClassVar[str] = "Reference engine"
    keeps_privacy: ClassVar[bool] = True

    def train(
        self,
        context: TrainingContext,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: Mapping[int, Tree],
    ) -> LocalUpdates:
        """Return the updates of clients `ids`; see `Engine.train`."""
        import torch

        params, server, info = broadcast.params, broadcast.server, broadcast.info
        sent: list[Tree] = []
        losses: list[float] = []
        taken: list[int] = []
        after: dict[int, Tree] = {}
        for client in ids.tolist():
            state = states.get(client) or context.strategy.init_client(params)
            taken.append(0)
            for number, strategy in enumerate(context.objectives()):
                local, loss, steps = _descend(
                    context, strategy, broadcast, state, client, private=number == 0
                )
                taken[-1] += steps
                delta = tree.sub(local, strategy.start(params, state))
                payload, state = strategy.finish(
                    delta, params, state, server, torch.tensor(steps), info
                )
                if number == 0:
                    same_leaves(context.strategy, payload, sent[0] if sent else payload)
                    sent.append(payload)
                    losses.append(loss)
            if state:
                after[client] = state
        zero = context.zero_payload(params, server, info)
        nothing = tree.map(lambda leaf: leaf.unsqueeze(0)[:0], zero)
        return LocalUpdates(
            payloads=tree.stack(sent) if sent else nothing,
            losses=torch.tensor(losses, dtype=torch.float64),
            steps=torch.tensor(taken, dtype=torch.int64),
            states=after,
        )


def _descend(
    context: TrainingContext,
    strategy: LocalWork,
    broadcast: Broadcast,
    state: Tree,
    client: int,
    *,
    private: bool,
) -> tuple[Tree, float, int]:
    """Return the local model, the mean loss on the way and the number of steps."""
    with context.seeded(client, broadcast.info):
        return _steps(context, strategy, broadcast, state, client, private)


def _steps(
    context: TrainingContext,
    strategy: LocalWork,
    broadcast: Broadcast,
    state: Tree,
    client: int,
    private: bool,
) -> tuple[Tree, float, int]:
    import torch

    params, server, info = broadcast.params, broadcast.server, broadcast.info
    ids = np.array([client])
    plan, training = context.plan(ids, info), context.training
    privacy = context.example_privacy if private else None
    bits = None if privacy is None else privacy.perturbation(info.round, client)
    local = dict(strategy.start(params, state))
    velocity: Tree = tree.zeros_like(local)
    seen = total = 0.0
    for rows in plan.rows[0, : plan.steps[0]]:
        x, y = context.batch(rows[None, rows >= 0], context.corrupt(ids))
        if privacy is None or bits is None:
            grads, loss = _gradient(context, local, x[0], y[0])
            total += loss * len(y[0])
            seen += len(y[0])
        else:
            grads = tree.zeros_like(local)
            for k in range(len(y[0])):
                own, loss = _gradient(context, local, x[0, k : k + 1], y[0, k : k + 1])
                share = privacy.shares(tree.norms(tree.stack([own])), torch.tensor([loss]))
                if share > 0:  # else it counts as nothing: 0 · ∞ would not
                    grads = tree.add(grads, tree.scale(own, float(share)))
                    total += loss
                    seen += 1
            width = int(plan.expected[0])
            std = privacy.solved() * privacy.clip / width
            grads = perturb(tree.scale(grads, 1 / width), bits, std)
        if training.weight_decay:
            grads = tree.add(grads, tree.scale(local, training.weight_decay))
        direction = strategy.adjust(grads, local, params, server, state)
        velocity = tree.add(tree.scale(velocity, training.momentum), direction)
        local = tree.sub(local, tree.scale(velocity, info.lr))
    return local, total / max(seen, 1), int(plan.steps[0])


def _gradient(
    context: TrainingContext, params: Tree, x: Tensor, y: Tensor
) -> tuple[dict[str, Tensor], float]:
    """Return the gradient of the mean loss, and that loss."""
    import torch

    leaves = {name: leaf.detach().requires_grad_() for name, leaf in params.items()}
    loss = context.model.loss(call(context.module, leaves, x), y).mean()
    grads = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, grads, strict=True)), float(loss.detach())


def perturb(grads: Tree, bits: np.random.BitGenerator, std: float) -> dict[str, Tensor]:
    """Return `grads` with Gaussian noise, drawn for all leaves in their order."""
    import torch

    drawn = np.empty(tree.size(grads), dtype=np.float32)
    normal(bits, drawn, std)
    parts = torch.from_numpy(drawn).split([leaf.numel() for leaf in grads.values()])
    return {
        name: leaf + part.view(leaf.shape).to(leaf)
        for (name, leaf), part in zip(grads.items(), parts, strict=True)
    }
