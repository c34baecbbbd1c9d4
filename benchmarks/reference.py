"""Published and earlier figures beside ours: expected, ours, the difference.

Run from the root of the checkout: `python -m benchmarks.reference`. Expectations are never edited
to fit.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterable

import fedbench as fb
from fedbench.privacy import Ledger, accounting
from fedbench.privacy.events import gaussian, laplace

DELTA = 1e-5
# name, sampling rate, noise multiplier, steps, ε by privacy loss distributions
ACCOUNTING = [
    ("A1, Abadi et al. 2016, arXiv:1607.00133", 0.01, 4.0, 10_000, 0.9469),
    ("T1, TensorFlow Privacy's MNIST tutorial", 256 / 60_000, 1.12, 14_063, 2.3102),
    ("U1b, a tenth of the clients, 100 rounds", 0.1, 1.0, 100, 7.0466),
    ("F1, one Gaussian, exact", 1.0, 1.0, 1, 4.3772),
]
# the workbench's first experiment, IID, mean of three seeds: a prototype's accuracy, and the least
PRIVACY = {1.0: (0.86, 0.82), 4.0: (0.94, 0.91), 8.0: (0.95, 0.92), None: (0.96, 0.94)}
SEEDS = range(3)


def main() -> None:
    """Compute and print."""
    warnings.filterwarnings("ignore", message="privacy.noise_seed")
    print(f"{'':<52}{'expected':>10}{'ours':>10}{'difference':>12}")
    for name, rate, noise, steps, expected in ACCOUNTING:
        _row(name, expected, accounting.epsilon(rate, noise, steps, DELTA), 4)
    noisy = accounting.composed([(laplace(1.0, 10.0), 20)], 1e-6)
    _row("Laplace noise b = 10, 20 releases, δ = 1e-6", 1.7740, noisy, 4)
    event = gaussian(0.1, 1.0)
    resumed = Ledger.from_dict(Ledger().spend(event, 60).to_dict())
    _row("U1b, 60 rounds, saved, and 40 more", 7.0466, resumed.after(event, 40, delta=DELTA), 4)
    spent = accounting.epsilon(0.1, 1.0, 100, DELTA)
    _row(
        "U1b solved back to its noise", 1.0, accounting.noise_multiplier(0.1, 100, spent, DELTA), 4
    )
    solved = accounting.noise_multiplier(256 / 60_000, 14_063, 3.0, DELTA)
    _row("T1's noise for ε = 3", 0.9684, solved, 4)
    _row("Digits, 20 clients, Dirichlet 0.3, MLP 64: at least", 0.94, _accuracy(_mlp()), 3)
    for epsilon, (prototype, least) in PRIVACY.items():
        words = "no privacy" if epsilon is None else f"ε = {epsilon:g}"
        ours = _accuracy(_story(epsilon))
        _row(f"Digits, 100 clients, IID, {words}: at least {least}", prototype, ours, 3)


def _row(name: str, expected: float, ours: float, places: int) -> None:
    difference = f"{ours - expected:+.{places}f}"
    print(f"{name:<52}{expected:>10.{places}f}{ours:>10.{places}f}{difference:>12}")


def _accuracy(experiments: Iterable[fb.Experiment]) -> float:
    runs = [fb.run(each, progress=False) for each in experiments]
    return statistics.fmean(run.rows[-1].metrics["accuracy"] for run in runs)


def _mlp() -> Iterable[fb.Experiment]:
    for seed in SEEDS:
        yield fb.Experiment(
            data=fb.Digits(),
            partition=fb.Dirichlet(clients=20, alpha=0.3),
            model=fb.MLP(hidden=(64,)),
            training=fb.LocalTraining(epochs=1, batch_size=10, lr=0.3),
            rounds=30,
            seed=seed,
        )


def _story(epsilon: float | None) -> Iterable[fb.Experiment]:
    for seed in SEEDS:
        privacy = (
            fb.NoPrivacy()
            if epsilon is None
            else fb.ClientLevelDP(epsilon=epsilon, delta=1e-3, clip=1.0, noise_seed=seed)
        )
        yield fb.Experiment(
            data=fb.Digits(),
            partition=fb.IID(clients=100),
            model=fb.Linear(),
            training=fb.LocalTraining(steps=3, batch_size=None, lr=2.0),
            strategy=fb.FedAvg(weighting="uniform"),
            sampling=fb.Poisson(rate=0.5),
            privacy=privacy,
            rounds=30,
            seed=seed,
        )


if __name__ == "__main__":
    main()
