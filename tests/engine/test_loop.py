"""The slow engine against torch's own optimiser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.engine import Broadcast, TrainingContext
from fedbench.strategies import RoundInfo
from tests.batches import stacked_batches
from tests.cohorts import weights_of

TRAININGS = [
    fb.LocalTraining(epochs=2, batch_size=5, lr=0.1),
    fb.LocalTraining(steps=7, batch_size=9, lr=0.1, momentum=0.9),
    fb.LocalTraining(epochs=2, batch_size=8, lr=0.1, weight_decay=0.05, momentum=0.3),
    fb.LocalTraining(steps=3, batch_size=None, lr=0.3, weight_decay=0.2),
]


@pytest.mark.parametrize("table", [fb.Wine(), fb.DiabetesProgression()], ids=["Wine", "Diabetes"])
@pytest.mark.parametrize("training", TRAININGS, ids=range(len(TRAININGS)))
def test_local_training_is_torchs_sgd(
    table: fb.Wine | fb.DiabetesProgression, training: fb.LocalTraining
) -> None:
    data = fb.Experiment(data=table, partition=fb.Dirichlet(clients=5, alpha=0.3)).federation()
    model = fb.MLP(hidden=(6,))
    params = model.initial(data.card, 1)
    info = RoundInfo(2, training.lr, 5, 5.0)
    context = TrainingContext(data, model, training, fb.FedAvg(), seed=1)
    updates = fb.LoopEngine().train(context, Broadcast(info, params), np.arange(5), {})
    for client in range(5):
        module = model.build(data.card)
        module.load_state_dict(params)
        optimiser = torch.optim.SGD(
            module.parameters(),
            lr=training.lr,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
        )
        cohort = stacked_batches(
            data,
            np.array([client]),
            batch_size=training.batch_size,
            epochs=training.epochs,
            steps=training.steps,
            seed=1,
            round=2,
        )
        losses, counts = [], []
        for x, y, mask in zip(cohort.x[0], cohort.y[0], cohort.mask[0].bool(), strict=True):
            loss = model.loss(module(x[mask]), y[mask]).mean()
            losses.append(float(loss.detach()))
            counts.append(int(mask.sum()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for name, leaf in module.named_parameters():
            delta = leaf.detach() - params[name]
            torch.testing.assert_close(updates.payloads[name][client], delta, rtol=1e-5, atol=1e-6)
        assert float(updates.losses[client]) == pytest.approx(np.average(losses, weights=counts))
    assert weights_of(context).tolist() == data.sizes.tolist()
