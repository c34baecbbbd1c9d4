"""Federated averaging as anyone would write it first: one client after another, one thread."""

from __future__ import annotations

import time

import torch
from common import Clock, accuracy, build, client, load, main, shuffled
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy


def run(folder: str, rounds: int) -> None:
    """Run `rounds` rounds on the workload in `folder`."""
    torch.set_num_threads(1)
    clock = Clock()
    work = load(folder)
    model = build(work)
    train = _train if work.clip is None else _train_privately
    for cohort in work.cohorts[:rounds]:
        clock.begin()
        start = {name: value.clone() for name, value in model.state_dict().items()}
        total = {name: torch.zeros_like(value) for name, value in start.items()}
        for number in cohort:
            model.load_state_dict(start)
            train(model, *client(work, number), work)
            for name, value in model.state_dict().items():
                total[name] += value
        # every client holds as many rows, so the weighted mean is the mean
        model.load_state_dict({name: value / len(cohort) for name, value in total.items()})
        clock.end()
    began = time.perf_counter()
    correct = accuracy(model, work)
    clock.report(correct, evaluation=[time.perf_counter() - began])


def _train(model: nn.Module, x: Tensor, y: Tensor, work) -> None:
    optimiser = torch.optim.SGD(model.parameters(), lr=work.lr)
    for a, b in shuffled(x, y, work.batch):
        optimiser.zero_grad()
        cross_entropy(model(a), b).backward()
        optimiser.step()


def _train_privately(model: nn.Module, x: Tensor, y: Tensor, work) -> None:
    """DP-SGD by the gradient of every sample: clip each, add noise to their sum, divide, step."""
    optimiser = torch.optim.SGD(model.parameters(), lr=work.lr)

    def loss(params: dict[str, Tensor], a: Tensor, b: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, params, (a[None],)), b[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))
    for a, b in shuffled(x, y, work.batch):
        params = {name: leaf.detach() for name, leaf in model.named_parameters()}
        grads = each(params, a, b)
        squares = [leaf.flatten(1).square().sum(1) for leaf in grads.values()]
        factor = (work.clip / torch.stack(squares).sum(0).sqrt().clamp(min=1e-12)).clamp(max=1)
        for name, leaf in model.named_parameters():
            clipped = torch.tensordot(factor, grads[name], dims=1)
            noise = torch.randn_like(leaf) * work.noise * work.clip
            leaf.grad = (clipped + noise) / len(a)
        optimiser.step()


if __name__ == "__main__":
    main(run)
