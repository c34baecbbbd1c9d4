"""The same rounds on a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

import fedbench as fb
from fedbench.config.spec import Spec
from fedbench.runs.rounds import Rounds

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

EXPERIMENT = fb.Experiment(
    partition=fb.Dirichlet(clients=12, alpha=0.2),
    model=fb.MLP(hidden=(16,)),
    training=fb.LocalTraining(epochs=2, lr=0.1),
    sampling=fb.Poisson(rate=0.7),
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strategy": fb.Scaffold()},
        {"strategy": fb.Ditto()},
        {"strategy": fb.FedNova()},
        {"model": fb.CNN(channels=(4,), hidden=8)},
        {"aggregator": fb.CoordinateMedian()},
        {"attack": fb.GaussianUpdate(fraction=0.3)},
        {"privacy": fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=4)},
        {
            "privacy": fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=4),
            "strategy": fb.FedAvg(weighting="uniform"),
        },
    ],
    ids=lambda changes: ",".join(type(part).__name__ for part in changes.values()) or "FedAvg",
)
def test_three_rounds_equal_those_of_the_processor(changes: dict[str, Spec]) -> None:
    models = []
    for device in ("cpu", "cuda"):
        engine = fb.StackedEngine(device=device, workers=0)
        rounds = Rounds(EXPERIMENT.replace(engine=engine, **changes))
        progress = rounds.begin()
        for _ in range(3):
            progress, _ = rounds.next(progress)
        models.append(progress.params)
    for name, leaf in models[0].items():
        torch.testing.assert_close(models[1][name], leaf, rtol=1e-4, atol=1e-4)
