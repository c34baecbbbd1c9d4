"""Federated gradient averaging by hand."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch.func import functional_call

import fedbench as fb
from fedbench.runs.rounds import Rounds

FULL = fb.LocalTraining(steps=1, batch_size=None, lr=0.4, lr_decay=0.5)


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("engine", [fb.LoopEngine(), fb.StackedEngine()], ids=["loop", "stacked"])
def test_each_round_steps_against_the_mean_gradient(weighting: str, engine) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.Dirichlet(clients=5),
        model=fb.MLP(hidden=(6,)),
        training=FULL,
        strategy=fb.FedSGD(weighting=weighting),
        engine=engine,
    )
    rounds = Rounds(experiment)
    progress, data = rounds.begin(), rounds.data
    module = experiment.model.build(data.card)
    for number in (1, 2, 3):
        gradients = []
        for client in range(5):
            rows = slice(data.offsets[client], data.offsets[client + 1])
            leaves = {k: v.clone().requires_grad_() for k, v in progress.params.items()}
            outputs = functional_call(module, leaves, (torch.from_numpy(data.x[rows]),))
            loss = experiment.model.loss(outputs, torch.from_numpy(data.y[rows])).mean()
            gradients.append(torch.autograd.grad(loss, list(leaves.values())))
        weights = torch.from_numpy(data.sizes).float() if weighting == "samples" else torch.ones(5)
        weights = weights / weights.sum()
        rate = 0.4 * 0.5 ** (number - 1)
        before = progress.params
        progress, _ = rounds.next(progress)
        for position, name in enumerate(before):
            mean = sum(w * each[position] for w, each in zip(weights, gradients, strict=True))
            torch.testing.assert_close(
                progress.params[name], before[name] - rate * mean, rtol=1e-5, atol=1e-6
            )


def test_it_equals_fedavg_with_one_full_batch(train) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(), partition=fb.Dirichlet(clients=5), training=FULL, strategy=fb.FedSGD()
    )
    sgd, _ = train(experiment, 4)
    avg, _ = train(experiment.replace(strategy=fb.FedAvg()), 4)
    for name, leaf in avg.params.items():
        torch.testing.assert_close(sgd.params[name], leaf, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "training",
    [
        fb.LocalTraining(),
        fb.LocalTraining(steps=2, batch_size=None),
        fb.LocalTraining(steps=1, batch_size=10),
        fb.LocalTraining(steps=1, batch_size=None, momentum=0.5),
    ],
)
def test_more_than_one_gradient_is_refused(training: fb.LocalTraining) -> None:
    with pytest.raises(ValidationError, match=r"LocalTraining\(steps=1, batch_size=None\)"):
        fb.Experiment(strategy=fb.FedSGD(), training=training)
