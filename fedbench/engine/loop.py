"""One client after another: slow, obvious, and what every faster engine must agree with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.engine.engine import Engine, Task, Updates
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree


class LoopEngine(Engine):
    """Train one client after another with autograd; works for any model."""

    def train(
        self,
        task: Task,
        params: Tree,
        server: Tree,
        clients: Mapping[int, Tree],
        ids: NDArray[np.int64],
        info: RoundInfo,
    ) -> Updates:
        """Return the updates of clients `ids`; see `Engine.train`."""
        import torch
        from torch.func import functional_call

        strategy, training = task.strategy, task.training
        module = task.model.template(task.data.card)
        sent: list[Tree] = []
        losses: list[float] = []
        states: dict[int, Tree] = {}
        for client in ids.tolist():
            batches = task.cohort(np.array([client]), info)
            state = clients.get(client) or strategy.init_client(params)
            local = dict(params)
            velocity: Tree = tree.zeros_like(params)
            seen = total = 0.0
            steps = batches.mask.shape[1]
            for step in range(steps):
                count = int(batches.mask[0, step].sum())
                x, y = batches.x[0, step, :count], batches.y[0, step, :count]
                leaves = {name: leaf.detach().requires_grad_() for name, leaf in local.items()}
                loss = task.model.loss(functional_call(module, leaves, (x,)), y).mean()
                grads = dict(
                    zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)
                )
                if training.weight_decay:
                    grads = tree.add(grads, tree.scale(local, training.weight_decay))
                direction = strategy.adjust(grads, local, params, server, state)
                velocity = tree.add(tree.scale(velocity, training.momentum), direction)
                local = tree.sub(local, tree.scale(velocity, info.lr))
                total += float(loss.detach()) * count
                seen += count
            delta = tree.sub(local, params)
            payload, state = strategy.finish(delta, state, server, torch.tensor(steps), info)
            sent.append(payload)
            losses.append(total / seen)
            if state:
                states[client] = state
        samples = torch.from_numpy(task.data.sizes[ids])
        empty = {name: leaf.new_zeros((0, *leaf.shape)) for name, leaf in params.items()}
        return Updates(
            payloads=tree.stack(sent) if sent else empty,
            weights=strategy.weights(samples),
            losses=torch.tensor(losses, dtype=torch.float64),
            clients=states,
        )
