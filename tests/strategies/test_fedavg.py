"""Federated averaging by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.engine import Broadcast, TrainingContext
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_a_round_is_the_weighted_mean_of_the_local_models(weighting: str) -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.Dirichlet(clients=5),
        strategy=fb.FedAvg(weighting=weighting),
    )
    rounds = Rounds(experiment)
    begun = rounds.begin()
    after, _ = rounds.next(begun)
    context = TrainingContext(
        rounds.data, experiment.model, experiment.training, experiment.strategy, 0
    )
    info = RoundInfo(1, 0.1, 5, 5.0)
    updates = fb.LoopEngine().train(context, Broadcast(info, begun.params), np.arange(5), {})
    sizes = rounds.data.sizes if weighting == "samples" else np.ones(5)
    for name, leaf in begun.params.items():
        local = [leaf + delta for delta in updates.payloads[name]]
        mean = np.average([each.numpy() for each in local], axis=0, weights=sizes)
        np.testing.assert_allclose(after.params[name].numpy(), mean, atol=1e-6)


def test_it_has_no_state() -> None:
    assert fb.FedAvg().init({"w": torch.ones(2)}) == {}
    assert fb.FedAvg().init_client({"w": torch.ones(2)}) == {}
