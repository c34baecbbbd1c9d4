"""One client after another, for any module, with as little as possible beside its own work."""

# torch's fused lists of operations are documented by use alone.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.engine.context import PhaseTimer, TrainingContext
from fedbench.engine.loop import perturb
from fedbench.engine.messages import Broadcast, LocalUpdates
from fedbench.engine.returned import same_leaves
from fedbench.models import call
from fedbench.privacy import ExampleLevelDP
from fedbench.strategies import LocalWork, RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

GRADIENTS = 64 << 20  # bytes of single examples' gradients that are held at once


def train(
    context: TrainingContext,
    broadcast: Broadcast,
    ids: NDArray[np.int64],
    states: Mapping[int, Tree],
) -> LocalUpdates:
    """Return the updates of clients `ids`; see `Engine.train`.

    The parameters live in the module itself and are written in place: no module call goes through
    a dictionary, and nothing is allocated twice.
    """

    import torch

    info, clock = broadcast.info, PhaseTimer()
    params, server = (
        tree.map(lambda leaf: leaf.to(context.device), a)
        for a in (broadcast.params, broadcast.server)
    )
    silence = context.zero_payload(params, server, info)
    sent = {name: leaf.new_empty((len(ids), *leaf.shape)) for name, leaf in silence.items()}
    losses = torch.zeros(len(ids), dtype=torch.float64)
    taken = torch.zeros(len(ids), dtype=torch.int64)
    after: dict[int, Tree] = {}
    for k, client in enumerate(ids.tolist()):
        state = states.get(client) or context.strategy.init_client(params)
        state = tree.map(lambda leaf: leaf.to(context.device), state)
        plan, corrupt = context.plan(ids[k : k + 1], info), context.corrupt(ids[k : k + 1])
        batches = [rows[rows >= 0] for rows in plan.rows[0, : plan.steps[0]]]
        clock.lap("data")
        for number, strategy in enumerate(context.objectives()):
            start = strategy.start(params, state)
            descent = _Descent(context, strategy, params, server, state, info, clock)
            privacy = context.example_privacy if number == 0 else None
            with context.seeded(client, info):
                loss = descent.run(start, batches, corrupt, int(plan.expected[0]), client, privacy)
            delta = {name: leaf - start[name] for name, leaf in descent.local.items()}
            taken[k] += len(batches)
            steps = torch.tensor(len(batches), device=context.device)
            payload, state = strategy.finish(delta, params, state, server, steps, info)
            if number == 0:
                same_leaves(context.strategy, payload, sent)
                losses[k] = loss
                for name, leaf in payload.items():
                    sent[name][k] = leaf
            clock.lap("step")
        if state:
            after[client] = tree.map(lambda leaf: leaf.cpu(), state)
    return LocalUpdates(
        payloads=sent,
        losses=losses,
        steps=taken,
        states=after,
        seconds=clock.seconds,
    )


class _Descent:
    """The local steps of one client."""

    def __init__(
        self,
        context: TrainingContext,
        strategy: LocalWork,
        params: Tree,
        server: Tree,
        state: Tree,
        info: RoundInfo,
        clock: PhaseTimer,
    ) -> None:
        self.context, self.strategy, self.info, self.clock = context, strategy, info, clock
        self.params, self.server, self.state = params, server, state
        trained = {
            name: leaf for name, leaf in context.module.named_parameters() if leaf.requires_grad
        }
        self.leaves = list(trained.values())
        self.local = {name: leaf.detach() for name, leaf in trained.items()}

    def run(
        self,
        start: Tree,
        batches: list[NDArray[np.int64]],
        corrupt: NDArray[np.bool_],
        expected: int,
        client: int,
        privacy: ExampleLevelDP | None,
    ) -> float:
        """Train the module from `start`; return the mean loss on the way."""
        import torch

        training, clock, lr = self.context.training, self.clock, self.info.lr
        adjusts = type(self.strategy).adjust is not Strategy.adjust
        bits = None if privacy is None else privacy.perturbation(self.info.round, client)
        torch._foreach_copy_(list(self.local.values()), [start[name] for name in self.local])
        velocity: list[Tensor] = []
        total, seen = 0.0, 0
        for rows in batches:
            x, y = (part[0] for part in self.context.batch(rows[None], corrupt))
            clock.lap("data")
            if privacy is None or bits is None:
                loss = self.context.model.loss(self.context.module(x), y).mean()
                found = torch.autograd.grad(loss, self.leaves, materialize_grads=True)
                grads = list(found)
                total += float(loss.detach()) * len(y)
                seen += len(y)
                clock.lap("gradients")
            else:
                summed, loss, counted = self._clipped(x, y, privacy)
                total += loss
                seen += counted
                clock.lap("gradients")
                std = privacy.solved() * privacy.clip / expected
                grads = list(perturb(tree.scale(summed, 1 / expected), bits, std).values())
                clock.lap("noise")
            here = list(self.local.values())
            if training.weight_decay:
                grads = list(torch._foreach_add(grads, here, alpha=training.weight_decay))
            if adjusts:
                named = dict(zip(self.local, grads, strict=True))
                turned = self.strategy.adjust(
                    named, self.local, self.params, self.server, self.state
                )
                grads = [turned[name] for name in self.local]
            if training.momentum:
                if velocity:
                    torch._foreach_mul_(velocity, training.momentum)
                    torch._foreach_add_(velocity, grads)
                else:
                    velocity = [grad.clone() for grad in grads]
                grads = velocity
            torch._foreach_add_(here, grads, alpha=-lr)
            clock.lap("step")
        return total / max(seen, 1)

    def _clipped(
        self, x: Tensor, y: Tensor, privacy: ExampleLevelDP
    ) -> tuple[dict[str, Tensor], float, int]:
        """Return the sum of the examples' clipped gradients, that of their losses, how many count.

        An example whose loss or gradient is not finite counts as nothing.
        """
        total, counted = 0.0, 0
        summed = {name: leaf.new_zeros(leaf.shape) for name, leaf in self.local.items()}
        width = max(1, GRADIENTS // (4 * tree.size(self.local)))
        for k in range(0, len(y), width):
            grads, losses = self._each(x[k : k + width], y[k : k + width])
            shares = privacy.shares(tree.norms(grads), losses)
            counts = shares > 0
            if not bool(counts.all()):  # 0 · ∞ is no zero
                grads = tree.map(lambda leaf, counts=counts: leaf[counts], grads)
                losses, shares = losses[counts], shares[counts]
            for name, leaf in tree.scale(grads, shares).items():
                summed[name] += leaf.sum(0)
            total += float(losses.double().sum())
            counted += len(losses)
        return summed, total, counted

    def _each(self, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return each example's own gradient [B, ...] and loss [B]."""
        from torch.func import grad_and_value, vmap

        context = self.context

        def loss(params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            outputs = call(context.module, params, x.unsqueeze(0))
            return context.model.loss(outputs, y.unsqueeze(0)).mean()

        return vmap(grad_and_value(loss), in_dims=(None, 0, 0), randomness="different")(
            self.local, x, y
        )
