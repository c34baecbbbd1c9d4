"""A chunk of clients at once, for models whose layers can be stacked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.data import Plan
from fedbench.engine.context import PhaseTimer, TrainingContext
from fedbench.engine.dense import Layer, Trained
from fedbench.engine.losses import is_standard, loss_and_slope
from fedbench.engine.messages import Broadcast, LocalUpdates
from fedbench.privacy import ExampleLevelDP
from fedbench.privacy.noise import normal
from fedbench.strategies import LocalWork, RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

    from fedbench.engine.dense import Squares

    Trace = tuple[Trained, Tensor, Tensor]  # a layer, its input and the slope at its output

ALIGNED = 16  # numbers of single precision in a line of a processor's cache
EXTREME = 1e25  # norm from which on what it is multiplied by may be no normal number
LARGE = 1e5  # norm below which no square leaves single precision, and no product of two
FETCH = 32 << 20  # bytes of examples that are fetched together: few calls, bounded memory


def train(
    context: TrainingContext,
    layers: list[Layer],
    broadcast: Broadcast,
    ids: NDArray[np.int64],
    states: Mapping[int, Tree],
) -> LocalUpdates:
    """Return the updates of clients `ids`, whose model has these layers; see `Engine.train`."""
    import torch

    info, clock = broadcast.info, PhaseTimer()
    params, server = (
        tree.map(lambda leaf: leaf.to(context.device), a)
        for a in (broadcast.params, broadcast.server)
    )
    held = [
        tree.map(
            lambda leaf: leaf.to(context.device),
            states.get(client) or context.strategy.init_client(params),
        )
        for client in ids.tolist()
    ]
    state = tree.stack(held) if held[0] else {}
    plan = context.plan(ids, info)
    clock.lap("data")
    descent = _Descent(context, layers, params, server, plan, info, clock)
    sent, losses = {}, torch.zeros(0)
    objectives = context.objectives()
    for number, strategy in enumerate(objectives):
        start = strategy.start(params, state)
        local = _stacked(start, params, len(ids))
        privacy = context.example_privacy if number == 0 else None
        loss = descent.run(strategy, local, state, privacy)
        delta = {}
        for name, leaf in local.items():
            delta[name] = leaf.sub_(start[name])
        steps = torch.from_numpy(plan.steps).to(context.device)
        payload, state = strategy.finish(delta, params, state, server, steps, info)
        if number == 0:
            sent, losses = payload, loss
        clock.lap("step")
    after = {}
    if state:
        kept = tree.map(torch.Tensor.cpu, state)
        # copies: a view of one client's row would keep those of its whole chunk
        after = {
            client: tree.map(torch.clone, tree.row(kept, k))
            for k, client in enumerate(ids.tolist())
        }
    return LocalUpdates(
        payloads=sent,
        losses=losses,
        steps=torch.from_numpy(plan.steps) * len(objectives),
        states=after,
        seconds=clock.seconds,
    )


def _stacked(start: Tree, params: Tree, clients: int) -> dict[str, Tensor]:
    """Return copies [C, ...] of where training starts, which may be one place for all clients."""
    import torch

    return {
        name: (
            leaf.expand(clients, *leaf.shape) if leaf.dim() == params[name].dim() else leaf
        ).clone(memory_format=torch.contiguous_format)
        for name, leaf in start.items()
    }


class _Private:
    """What makes a step private: examples' gradients are clipped, and their sum is disturbed."""

    def __init__(
        self, privacy: ExampleLevelDP, plan: Plan, info: RoundInfo, local: Mapping[str, Tensor]
    ) -> None:
        import torch

        self.privacy, self.std = privacy, privacy.solved() * privacy.clip
        self.steps, self.expected = plan.steps.tolist(), plan.expected.tolist()
        self.sources = [privacy.perturbation(info.round, k) for k in plan.ids.tolist()]
        device = next(iter(local.values())).device
        sizes = [leaf[0].numel() for leaf in local.values()]
        # One row per client, which is drawn in one go; matrix products want its start aligned.
        self.drawn = torch.empty(len(plan.ids), -(-sum(sizes) // ALIGNED) * ALIGNED)
        self.rows = list(self.drawn[:, : sum(sizes)].numpy())
        self.flat = self.drawn.to(device)  # on a processor the same memory
        parts = self.flat[:, : sum(sizes)].split(sizes, dim=1)
        self.grads = {
            name: part.view(leaf.shape)
            for (name, leaf), part in zip(local.items(), parts, strict=True)
        }
        self.clip = np.float32(privacy.clip)
        self.asks = type(privacy).shares is not ExampleLevelDP.shares
        self.widths = plan.expected.astype(np.float32)[:, None]

    def clipped(
        self, traces: list[Trace], losses: Tensor, padding: Tensor | None
    ) -> tuple[list[Trace], Tensor | None]:
        """Return slopes that give Σ clipped gradients / expected batch, and who counts, bool[C, B].

        No example's gradient is ever formed; this is known as ghost clipping (Li et al. 2022,
        arXiv:2110.05679). An example that is not finite somewhere on the way counts as nothing;
        None means that all count. The slopes of `traces` may be written over.
        """
        import torch

        found = [losses.cpu().numpy()]

        def quick(a: Tensor) -> NDArray[np.float32]:
            norm = torch.linalg.vector_norm(a, dim=2).cpu().numpy()
            found.append(norm)
            return norm * norm

        # One number per example is so little that torch's overhead counts, and numpy's is less.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            norms = _norms(traces, quick)
            shares = np.minimum(np.float32(1) / norms * self.clip, np.float32(1))
            sizes, counts = np.abs(found), None
            if self.asks or not sizes.max() <= LARGE:
                # Squares may have left single precision, or a number is not finite: in double then.
                unsure = ~(sizes.max(0) <= LARGE)
                if self.asks:
                    unsure[:] = True if padding is None else ~padding.cpu().numpy()
                there = torch.from_numpy(unsure).to(losses.device)
                some = [(layer, given[there], slope[there]) for layer, given, slope in traces]
                some = [(layer, given[None], slope[None]) for layer, given, slope in some]
                (exact,) = _norms(some, lambda a: a.double().square().sum(2).cpu().numpy())
                held = self.privacy.shares(torch.from_numpy(exact), losses[there].cpu())
                shares[unsure] = held.numpy()
                shares[~(shares > 0)] = 0
                counts = torch.from_numpy(shares > 0).to(losses.device)
                traces = [(layer, given.clone(), slope.clone()) for layer, given, slope in traces]
                for _, given, slope in traces:  # 0 · ∞ is no zero
                    given[~counts], slope[~counts] = 0, 0
                extreme = ~(sizes.max(0) <= EXTREME) & (shares > 0)
                if extreme.any():
                    self._add_apart(traces, extreme, shares)
            factors = torch.from_numpy(shares / self.widths).to(losses.device).unsqueeze(2)
        for _, _, slope in traces:
            slope.mul_(factors)
        return traces, counts

    def _add_apart(
        self, traces: list[Trace], extreme: NDArray[np.bool_], shares: NDArray[np.float32]
    ) -> None:
        """Add the gradients of `extreme` examples [C, B] to the noise, and take them from `traces`.

        A slope that is multiplied by its share may be too small for single precision to tell apart,
        and yet count for much beside such numbers. Their clients' sums alone may show it.
        """
        import torch

        clients = np.nonzero(extreme)[0]
        factors = torch.from_numpy(shares[extreme].astype(np.float64) / self.widths[clients, 0])
        for layer, given, slope in traces:
            there, rows = (torch.from_numpy(a).to(slope.device) for a in (extreme, clients))
            some = given[there].double() if given.is_floating_point() else given[there]
            own = slope[there].double() * factors.to(slope.device).unsqueeze(1)
            for name, grad in layer.gradients(some.unsqueeze(1), own.unsqueeze(1)).items():
                self.grads[name].index_add_(0, rows, grad.to(slope.dtype))
            given[there], slope[there] = 0, 0

    def noise(self, step: int) -> dict[str, Tensor]:
        """Return noise / expected batch [C, ...], zeros for clients whose batches are used up.

        The gradients are to be added to it: signal and noise must meet before they meet weights,
        which would round each of them, and differently. The memory is that of the next step's.
        """
        for k, (row, bits) in enumerate(zip(self.rows, self.sources, strict=True)):
            if step < self.steps[k]:
                normal(bits, row, self.std / self.expected[k])
            else:
                row.fill(0)
        if self.flat is not self.drawn:
            self.flat.copy_(self.drawn)
        return self.grads


def _norms(traces: list[Trace], of: Squares) -> NDArray[Any]:
    """Return the norm of each example's own gradient, [C, B]."""
    import torch

    squares = [layer.squares(given, slope, of) for layer, given, slope in traces]
    return torch.from_numpy(sum(squares[1:], squares[0])).sqrt_().numpy()


class _Descent:
    """The local steps of a chunk of clients."""

    def __init__(
        self,
        context: TrainingContext,
        layers: list[Layer],
        params: Tree,
        server: Tree,
        plan: Plan,
        info: RoundInfo,
        clock: PhaseTimer,
    ) -> None:
        import torch

        self.context, self.layers, self.plan, self.info, self.clock = (
            context,
            layers,
            plan,
            info,
            clock,
        )
        self.params, self.server = params, server
        self.corrupt = context.corrupt(plan.ids)
        examples = plan.rows[:, :1].size * context.data.card.inputs
        self.together = max(1, FETCH // max(1, 4 * examples))
        # Nobody asks for the slope below the first layer that has parameters.
        self.first = next((k for k, layer in enumerate(layers) if isinstance(layer, Trained)), 0)
        mask = torch.from_numpy(plan.rows >= 0)
        # A step is as wide as its largest batch: batches drawn at random vary much.
        valid = mask.sum(2)
        widths = valid.amax(0).clamp_(min=1)
        self.widths = widths.tolist()
        self.full = (valid == widths).all(0).tolist()  # steps without any padding
        self.mask = mask.to(context.device)
        self.padding = (~self.mask).unbind(1)
        self.valid = valid.to(context.device)  # samples in each client's batch, [C, S]
        steps = torch.from_numpy(plan.steps).to(context.device)
        self.active = torch.arange(plan.rows.shape[1], device=context.device) < steps[:, None]

    def run(
        self,
        strategy: LocalWork,
        local: dict[str, Tensor],
        state: Tree,
        privacy: ExampleLevelDP | None,
    ) -> Tensor:
        """Train `local` in place; return mean losses, float64[C]."""
        import torch

        adjusts = type(strategy).adjust is not Strategy.adjust
        # Autograd's records slow every operation, and only code of the user's may need them.
        with torch.inference_mode(is_standard(self.context.model) and not adjusts):
            losses = self._run(strategy, local, state, privacy, adjusts)
        return losses.clone()  # outside, and so an ordinary tensor

    def _run(
        self,
        strategy: LocalWork,
        local: dict[str, Tensor],
        state: Tree,
        privacy: ExampleLevelDP | None,
        adjusts: bool,
    ) -> Tensor:
        import torch

        training, info, clock = self.context.training, self.info, self.clock
        velocity = tree.zeros_like(local) if training.momentum else None
        plain = not (adjusts or training.momentum or training.weight_decay)
        # What an example's loss counts for; all of it where each gradient is clipped by itself.
        shares = None
        if privacy is None:
            shares = (self.mask.to(torch.float32) / self.valid.clamp(min=1).unsqueeze(2)).unbind(1)
        sums: list[Tensor] = []
        seen = self.valid.sum(1)
        private = None if privacy is None else _Private(privacy, self.plan, info, local)
        for step, width in enumerate(self.widths):
            grads: Tree = {}
            if private is not None:
                clock.lap("data")
                # Before all else: later it would push what the gradients need out of the cache.
                grads = private.noise(step)
                clock.lap("noise")
            x, y = self._examples(step, width)
            clock.lap("data")
            share = None if shares is None else shares[step][:, :width]
            padding = None if self.full[step] else self.padding[step][:, :width]
            traces, losses = self._slopes(local, x, y, share, padding)
            if private is not None:
                traces, counts = private.clipped(traces, losses, padding)
                if counts is not None:
                    losses = losses.where(counts, 0.0)
                    seen -= (~counts if padding is None else ~(counts | padding)).sum(1)
                sums.append(losses.sum(1, dtype=torch.float64))
            elif share is not None:
                sums.append((losses * share).sum(1).double() * self.valid[:, step])
            clock.lap("gradients")
            if plain and private is None:
                # Padding and clients whose batches are used up have slopes of zero.
                for layer, given, slope in traces:
                    layer.descend(local, given, slope, info.lr)
                clock.lap("gradients")
                continue
            if private is None:
                found = {}
                for layer, given, slope in traces:
                    found |= layer.gradients(given, slope)
                grads = {name: found[name] for name in local}
            else:
                for layer, given, slope in traces:
                    layer.descend(grads, given, slope, -1.0)
            clock.lap("gradients")
            if plain:
                for name, leaf in local.items():
                    leaf.sub_(grads[name], alpha=info.lr)
                clock.lap("step")
                continue
            if training.weight_decay:
                grads = tree.add(grads, tree.scale(local, training.weight_decay))
            if adjusts:
                grads = strategy.adjust(grads, local, self.params, self.server, state)
            if velocity is not None:
                velocity = tree.add(tree.scale(velocity, training.momentum), grads)
                grads = velocity
            # A client whose batches are used up stands still while the others go on.
            active = self.active[:, step].to(torch.float32) * info.lr
            for name, leaf in local.items():
                leaf.sub_(grads[name] * active.view(-1, *[1] * (leaf.dim() - 1)))
            clock.lap("step")
        return torch.stack(sums, 1).sum(1) / seen.clamp(min=1)

    def _examples(self, step: int, width: int) -> tuple[Tensor, Tensor]:
        """Return x[C, B, ...] and y[C, B] of a step; some steps are fetched together."""
        import torch

        ahead = step % self.together
        if ahead == 0:
            rows = self.plan.rows[:, step : step + self.together]
            with torch.inference_mode(False):  # tensors of the context stay, for whatever use
                self.fetched = [each.unbind(1) for each in self.context.batch(rows, self.corrupt)]
        x, y = (each[ahead] for each in self.fetched)
        return x[:, :width], y[:, :width]

    def _slopes(
        self,
        local: Tree,
        x: Tensor,
        y: Tensor,
        share: Tensor | None,
        padding: Tensor | None,
    ) -> tuple[list[Trace], Tensor]:
        """Return each trained layer with its input and the slope at its output, and losses [C, B].

        `share` [C, B] is what an example's loss counts for, none means all of it. That of
        `padding`, bool[C, B], is 0; none means that there is no padding.
        """
        given = [x]
        for layer in self.layers:
            given.append(layer.forward(local, given[-1]))
        outputs = given[-1]
        flat = outputs.flatten(0, 1), y.flatten()
        losses, each = loss_and_slope(self.context.model, *flat)
        losses, slope = losses.view(y.shape), each.view_as(outputs)
        # A slope in memory of its own: one of the user's loss may not be written to.
        slope = slope.clone() if share is None else slope * share.unsqueeze(2)
        if padding is not None:
            # not by multiplication: a loss of a user's own need not be finite for zeros
            losses = losses.masked_fill(padding, 0.0)
            slope.masked_fill_(padding.unsqueeze(2), 0.0)
        traces = []
        for depth in reversed(range(self.first, len(self.layers))):
            layer = self.layers[depth]
            if isinstance(layer, Trained):
                traces.append((layer, given[depth], slope))
            if depth > self.first:
                slope = layer.backward(local, given[depth], given[depth + 1], slope)
        return traces, losses
