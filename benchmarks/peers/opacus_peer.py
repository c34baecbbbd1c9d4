"""Opacus: DP-SGD on examples, one client after another; `hooks` or `ghost` clipping."""

from __future__ import annotations

import warnings

import torch
from common import Clock, accuracy, build, client, load, main, shuffled
from opacus import PrivacyEngine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def run(folder: str, rounds: int, mode: str = "hooks") -> None:
    """Run `rounds` rounds on the workload in `folder`."""
    warnings.filterwarnings("ignore", category=UserWarning)  # no secure random numbers, and such
    torch.set_num_threads(1)
    clock = Clock()
    work = load(folder)
    model = build(work)
    private, optimiser, criterion = _make_private(model, work, mode)
    for cohort in work.cohorts[:rounds]:
        clock.begin()
        start = {name: value.clone() for name, value in model.state_dict().items()}
        total = {name: torch.zeros_like(value) for name, value in start.items()}
        for number in cohort:
            model.load_state_dict(start)
            for a, b in shuffled(*client(work, number), work.batch):
                optimiser.zero_grad()
                criterion(private(a), b).backward()
                optimiser.step()
            for name, value in model.state_dict().items():
                total[name] += value
        model.load_state_dict({name: value / len(cohort) for name, value in total.items()})
        clock.end()
    clock.report(accuracy(model, work), "opacus")


def _make_private(model: nn.Module, work, mode: str):
    """The module, optimiser and loss that Opacus makes; SGD has no state, so one set serves all."""
    criterion = nn.CrossEntropyLoss()
    made = PrivacyEngine().make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=work.lr),
        criterion=criterion,
        # read for its length alone: batches of a fixed size, as every peer takes them
        data_loader=DataLoader(TensorDataset(*client(work, 0)), batch_size=work.batch),
        noise_multiplier=work.noise,
        max_grad_norm=work.clip,
        poisson_sampling=False,
        clipping="flat",
        grad_sample_mode=mode,
    )
    return made[0], made[1], made[2] if mode == "ghost" else criterion


if __name__ == "__main__":
    main(run)
