"""Privacy against utility of two federations: six budgets, five seeds, with the time it takes.

Run from the root of the checkout: `python -m benchmarks.frontier`. Heart disease is left out where
its files are not at hand and cannot be fetched.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import fedbench as fb
from fedbench.data.files import DataFileError
from fedbench.engine.processes import cores
from fedbench.scenarios import digits

BUDGETS, SEEDS = (0.5, 1, 2, 4, 8, math.inf), range(5)


def hospitals() -> fb.Experiment:
    """Return four hospitals that learn about heart disease under example-level privacy."""
    return fb.Experiment(
        data=fb.HeartDisease(),
        partition=fb.Natural(),
        training=fb.LocalTraining(epochs=1, batch_size=16, lr=0.05),
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ExampleLevelDP(epsilon=4, delta=1e-3, clip=1.0),
        rounds=5,
    )


def main() -> None:
    """Sweep, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    out = parser.parse_args().out
    for name, experiment in {"digits": digits(), "heart": hospitals()}.items():
        try:
            experiment.federation()
        except DataFileError as error:
            print(f"{name}: {error}")
            continue
        began = time.perf_counter()
        sweep = fb.sweep(experiment, {"privacy.epsilon": BUDGETS, "seed": SEEDS})
        sweep.wait()
        took = time.perf_counter() - began
        frontier = sweep.frontier()
        print(f"{name}: {len(sweep.points)} runs and levels in {took:.1f} s on {cores()} cores")
        print(frontier.frame().dropna(axis="columns", how="all").round(3).to_string(index=False))
        print(", ".join(f"{level} {value:.3f}" for level, value in frontier.levels.items()))
        # the same data are public; with levels and other splits nothing would be private together
        for unit, epsilon in frontier.total_epsilon().items():
            print(f"{unit}-level ε of publishing all of it: {epsilon:.3g}\n")
        frontier.figure().write_image(out / f"frontier-{name}.png", scale=2)


if __name__ == "__main__":
    main()
