"""DP-SGD on all of MNIST, as in the example of Opacus: published, ours, and the difference.

Run from the root of the checkout with FEDBENCH_DATA set: `python -m benchmarks.dpsgd`. One client
holds everything; its network, batch, noise, clipping norm, rate and epochs are those of the
example, whose README gives 96.78 % at ε = 2.91, for δ = 1e-5. That ε is the classic conversion of
Rényi DP, which is computed here too; ours is tighter. Takes a good quarter of an hour.
"""

from __future__ import annotations

import math
import time
import warnings
from typing import TYPE_CHECKING

import fedbench as fb
from fedbench.data import Card
from fedbench.models import Model

if TYPE_CHECKING:
    from torch import nn

EPSILON, ACCURACY = 2.91, 0.9678
EPOCHS, BATCH = 60, 240
BATCHES = 60_000 // BATCH


class SampleConvNet(Model):
    """The example's network: two convolutions, two dense layers, 26,010 parameters."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers, for one plane of 28 by 28."""
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(1, 16, 8, stride=2, padding=3),
            nn.ReLU(),
            nn.MaxPool2d(2, 1),
            nn.Conv2d(16, 32, 4, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(2, 1),
            nn.Flatten(),
            nn.Linear(512, 32),
            nn.ReLU(),
            nn.Linear(32, card.outputs),
        )


def experiment(rounds: int = EPOCHS) -> fb.Experiment:
    """Return the example as an experiment; a round is an epoch."""
    return fb.Experiment(
        data=fb.MNIST(),
        partition=fb.IID(clients=1),
        model=SampleConvNet(),
        training=fb.LocalTraining(epochs=1, batch_size=BATCH, lr=0.15),
        privacy=fb.ExampleLevelDP(noise_multiplier=1.1, clip=1.0, delta=1e-5),
        rounds=rounds,
    )


def main() -> None:
    """Train and print."""
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    last = fb.run(experiment()).rows[-1]
    seconds = time.perf_counter() - began
    accuracy = last.metrics["accuracy"]
    print(f"{'':<12}{'published':>10}{'ours':>10}{'difference':>12}")
    classic = _classic(BATCH / 60_000, 1.1, EPOCHS * BATCHES, 1e-5)
    print(f"{'ε, classic':<12}{EPSILON:>10.2f}{classic:>10.3f}{classic - EPSILON:>+12.3f}")
    print(f"{'ε':<12}{'':>10}{last.epsilon:>10.3f}")
    gap = 100 * (accuracy - ACCURACY)
    print(f"{'accuracy':<12}{ACCURACY:>10.2%}{accuracy:>10.2%}{gap:>+12.2f} points, of ±0.7")
    each = 1e3 * seconds / (EPOCHS * BATCHES)
    print(f"{seconds:.0f} s, {each:.1f} ms a step of {BATCH} examples")


def _classic(rate: float, noise: float, steps: int, delta: float) -> float:
    """Return ε by Rényi DP and ln(1/δ) / (α - 1), as the moments accountant has it."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.rdp import RdpAccountant

    orders = [1 + k / 10 for k in range(1, 100)] + list(range(12, 64))
    accountant = RdpAccountant(orders)
    accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
    losses = zip(orders, accountant._rdp, strict=True)
    return min(loss + math.log(1 / delta) / (order - 1) for order, loss in losses)


if __name__ == "__main__":
    main()
