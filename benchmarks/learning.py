"""How well the field's algorithms learn here, on real data, beside what was published.

Run from the root of the checkout: `python -m benchmarks.learning`, with FEDBENCH_DATA set.
Expectations are never edited to fit.

Heart disease by FLamby's recipe (du Terrail et al. 2022, arXiv:2210.04620), except that the split
is drawn 20 times instead of once: logistic regression, batches of 4, 15 rounds of 100 steps, each
hospital scaled by its own rows; the score is the mean accuracy of the four hospitals.
MNIST by McMahan et al. 2017 (arXiv:1602.05629): 2NN, one epoch of batches of 10, a tenth of 100
clients a round; how many rounds until 97 % of the test images are right.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

import fedbench as fb
from fedbench.data import FederatedDataset

SPLITS = 20
RATES = (0.05, 0.1, 0.2)
GOAL = 0.97


def main() -> None:
    """Compute and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--only", choices=["heart", "mnist"])
    only = parser.parse_args().only
    torch.set_num_threads(1)
    if only != "mnist":
        _heart()
    if only != "heart":
        _mnist()


def _heart() -> None:
    ways: dict[str, tuple[str, Callable[[int], float]]] = {
        "pooled, Adam 0.001": ("0.69 ± 0.02", _pooled),
        "FedAvg, lr 0.001": ("within 0.03", lambda seed: _federated(seed, fb.FedAvg(), 0.001)),
        "FedAdam, 0.01 and 0.01": (
            "within 0.03",
            lambda seed: _federated(seed, fb.FedAdam(server_lr=0.01), 0.01),
        ),
    }
    print(f"Heart disease, four hospitals, mean of {SPLITS} splits")
    print(f"{'':<28}{'expected':>14}{'ours':>8}{'std':>8}")
    for name, (expected, way) in ways.items():
        found = [way(seed) for seed in range(SPLITS)]
        spread = statistics.stdev(found)
        print(f"{name:<28}{expected:>14}{statistics.fmean(found):>8.3f}{spread:>8.3f}")


def _hospitals(seed: int, strategy: fb.FedAvg | fb.FedAdam, lr: float) -> fb.Experiment:
    return fb.Experiment(
        data=fb.HeartDisease(scaling="local", test_fraction=0.34, split_seed=seed),
        partition=fb.Natural(),
        training=fb.LocalTraining(epochs=None, steps=100, batch_size=4, lr=lr),
        strategy=strategy,
        rounds=15,
        seed=seed,
        engine=fb.StackedEngine(workers=0),
    )


def _federated(seed: int, strategy: fb.FedAvg | fb.FedAdam, lr: float) -> float:
    history = fb.run(_hospitals(seed, strategy, lr), progress=False)
    return float(history.frame()["clients_mean"].iloc[-1])


def _pooled(seed: int) -> float:
    """Train on all hospitals' rows with Adam, which no client of a federation here does."""
    data = _hospitals(seed, fb.FedAvg(), 0.001).federation()
    torch.manual_seed(seed)
    model = torch.nn.Linear(data.x.shape[1], 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.001)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y).float()
    order = np.random.default_rng(seed)
    for _ in range(15):
        for batch in order.integers(len(y), size=(100 * data.clients, 4)):
            optimiser.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(
                model(x[batch])[:, 0], y[batch]
            ).backward()
            optimiser.step()
    return _by_hospital(model, data)


def _by_hospital(model: torch.nn.Module, data: FederatedDataset) -> float:
    with torch.no_grad():
        right = (model(torch.from_numpy(data.x_test))[:, 0] > 0).numpy() == data.y_test
    ends = data.test_offsets
    return statistics.fmean(right[a:b].mean() for a, b in pairwise(ends))


def _mnist() -> None:
    print(f"\nMNIST, 2NN, rounds to {GOAL:.0%}")
    print(f"{'':<28}{'at most':>14}{'ours':>8}{'lr':>8}")
    for name, partition, most in (
        ("IID", fb.IID(clients=100), 87),
        ("two shards a client", fb.Shards(clients=100, shards=2), 664),
    ):
        found = {lr: _rounds(partition, lr, most + 20) for lr in RATES}
        lr = min(found, key=lambda rate: found[rate] or np.inf)
        print(f"{name:<28}{most:>14}{found[lr] or 'not':>8}{lr:>8}")


def _rounds(partition: fb.IID | fb.Shards, lr: float, most: int) -> int | None:
    history = fb.run(
        fb.Experiment(
            data=fb.MNIST(),
            partition=partition,
            model=fb.MLP(hidden=(200, 200)),
            training=fb.LocalTraining(epochs=1, batch_size=10, lr=lr),
            sampling=fb.FixedCohort(size=10),
            rounds=most,
            target=fb.Target(metric="accuracy", value=GOAL),
        ),
        progress=False,
    )
    last = history.rows[-1]
    return last.round if last.metrics["accuracy"] >= GOAL else None


if __name__ == "__main__":
    main()
