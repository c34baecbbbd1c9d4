"""Many clients at once: dense models as batched matrix products, written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench import tree
from fedbench.engine.engine import Engine, Task, Updates
from fedbench.engine.loop import LoopEngine
from fedbench.strategies import RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

CACHE = 8 << 20  # bytes of stacked weights that stay near the processor; measured at 200k weights


class StackedEngine(Engine):
    """Train chunks of clients at once; models with other than dense layers go to `LoopEngine`."""

    chunk: Annotated[
        int | None,
        Field(
            ge=1,
            title="Chunk",
            description="clients trained at once; none fits their weights into the cache",
            json_schema_extra={"slider": [1, 128, 1], "none": "by the cache"},
        ),
    ] = None

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

        activations = task.model.dense()
        if activations is None or len(ids) == 0:
            return LoopEngine().train(task, params, server, clients, ids, info)
        chunk = self.chunk or int(np.clip(CACHE / (4 * tree.size(params)), 4, 128))
        # Clients of like size share a chunk, so that little of it is padding.
        order = np.argsort(task.data.sizes[ids], kind="stable")
        states: dict[int, Tree] = {}
        sent: list[Tree] = []
        losses: list[Tensor] = []
        for start in range(0, len(ids), chunk):
            some = ids[order[start : start + chunk]]
            held = [clients.get(i) or task.strategy.init_client(params) for i in some.tolist()]
            payload, state, loss = _train(
                task, activations, params, server, tree.stack(held) if held[0] else {}, some, info
            )
            sent.append(payload)
            losses.append(loss)
            if state:
                states |= {i: tree.row(state, k) for k, i in enumerate(some.tolist())}
        back = torch.from_numpy(np.argsort(order))
        return Updates(
            payloads=tree.map(lambda leaf: leaf[back], tree.concatenate(sent)),
            weights=task.strategy.weights(torch.from_numpy(task.data.sizes[ids])),
            losses=torch.cat(losses)[back],
            clients=states,
        )


def _train(
    task: Task,
    activations: tuple[str, ...],
    params: Tree,
    server: Tree,
    state: Tree,
    ids: NDArray[np.int64],
    info: RoundInfo,
) -> tuple[Tree, Tree, Tensor]:
    import torch

    training, strategy = task.training, task.strategy
    batches = task.cohort(ids, info)
    count = len(ids)
    local = {name: leaf.expand(count, *leaf.shape).clone() for name, leaf in params.items()}
    velocity = tree.zeros_like(local) if training.momentum else None
    total = torch.zeros(count, dtype=torch.float64)
    adjusts = type(strategy).adjust is not Strategy.adjust
    valid = batches.mask.sum(2)  # samples in each client's batch, [C, S]
    for step in range(batches.mask.shape[1]):
        share = batches.mask[:, step] / valid[:, step, None].clamp(min=1)
        grads, loss = _gradients(
            task, activations, local, batches.x[:, step], batches.y[:, step], share
        )
        total += loss.double() * valid[:, step]
        if training.weight_decay:
            grads = tree.add(grads, tree.scale(local, training.weight_decay))
        if adjusts:
            grads = strategy.adjust(grads, local, params, server, state)
        if velocity is not None:
            velocity = tree.add(tree.scale(velocity, training.momentum), grads)
            grads = velocity
        # A client whose batches are used up stands still while the others of its chunk go on.
        active = (valid[:, step] > 0).to(torch.float32) * info.lr
        for name, leaf in local.items():
            leaf -= grads[name] * active.view(-1, *[1] * (leaf.dim() - 1))
    delta = tree.sub(local, params)
    payload, state = strategy.finish(delta, state, server, (valid > 0).sum(1), info)
    return payload, state, total / valid.sum(1)


def _gradients(
    task: Task,
    activations: tuple[str, ...],
    params: Tree,
    x: Tensor,
    y: Tensor,
    share: Tensor,
) -> tuple[dict[str, Tensor], Tensor]:
    """Return gradients of each client's mean loss [C, ...] and that loss [C].

    x[C, B, ...], y[C, B]; `share` [C, B] is 1 / batch size for a sample and 0 for padding.
    """
    import torch

    names = list(params)
    layers = list(zip(names[::2], names[1::2], strict=True))
    inputs = [x.flatten(2)]
    for depth, (weight, bias) in enumerate(layers):
        z = torch.baddbmm(params[bias].unsqueeze(1), inputs[-1], params[weight].transpose(1, 2))
        if depth < len(activations):
            inputs.append(z.relu_() if activations[depth] == "relu" else z.tanh_())
    outputs = z.requires_grad_()  # pyright: ignore[reportPossiblyUnboundVariable]
    losses = task.model.loss(outputs.flatten(0, 1), y.flatten()).view(y.shape)
    loss = (losses * share).sum(1)
    (slope,) = torch.autograd.grad(loss.sum(), outputs)
    grads: dict[str, Tensor] = {}
    for depth in reversed(range(len(layers))):
        weight, bias = layers[depth]
        hidden = inputs[depth]
        grads[weight] = torch.bmm(slope.transpose(1, 2), hidden)
        grads[bias] = slope.sum(1)
        if depth:
            slope = torch.bmm(slope, params[weight])
            if activations[depth - 1] == "relu":
                slope = slope * (hidden > 0)
            else:
                slope = slope * (1 - hidden.square())
    return {name: grads[name] for name in names}, loss.detach()
