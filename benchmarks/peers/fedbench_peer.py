"""fedbench itself, in its own environment, through the parts that anyone may write.

`cold` counts the workers' start into the first round; `warm` has them ready before the clock runs.
A number of workers may follow: the engine decides by itself where none is given.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from common import Clock, load, main
from numpy.typing import NDArray

import fedbench as fb
from fedbench.data import Card, ClassSplit, Dataset, GivenSplit
from fedbench.engine import StackedEngine
from fedbench.engine.pool import close_workers, pool
from fedbench.engine.processes import cores
from fedbench.participation.sampling import FixedCohort
from fedbench.runs.rounds import Rounds

SHAPE = (1, 28, 28)
DELTA = 1e-5
CARD = Card(
    name="benchmark",
    source="the folder of a workload",
    licence="see the workload",
    task="classification",
    shape=SHAPE,
    features=(),
    target="class",
    classes=tuple("0123456789"),
)


class Saved(GivenSplit):
    """The rows of a workload's folder, in the order of their clients."""

    task: ClassVar = "classification"
    shape: ClassVar[tuple[int, ...]] = SHAPE
    folder: str

    def table(self):
        """Never called: `load` gives both parts as they were saved."""
        raise TypeError("the rows of a workload are split already")

    @property
    def training_samples(self) -> int:
        """Return how many rows are left for clients."""
        return load(self.folder).y.size

    def load(self) -> Dataset:
        """Return the rows of every client, one client after another, and the test set."""
        work = load(self.folder)
        x, x_test = (rows.reshape(-1, *SHAPE) for rows in (work.x, work.x_test))
        return Dataset(CARD, x, work.y.ravel(), x_test, work.y_test)


class Blocks(ClassSplit):
    """Equal blocks of rows in the order in which they lie."""

    def assign(self, train: NDArray, test: NDArray, rng: np.random.Generator):
        """Return owners of training and test rows."""
        return tuple(np.arange(len(rows)) * self.clients // len(rows) for rows in (train, test))


def run(folder: str, rounds: int, start: str = "cold", workers: str = "") -> None:
    """Run `rounds` rounds on the workload in `folder`."""
    torch.set_num_threads(1)
    engine = StackedEngine(workers=int(workers) if workers else None)
    size = cores() if engine.workers is None else engine.workers
    warm = start == "warm"
    if warm and size:
        pool(size).wait()
    clock = Clock()
    work = load(folder)
    session = Rounds(_experiment(folder, work, rounds, engine))
    progress, correct, evaluation = session.begin(), 0.0, []
    for _ in range(rounds):
        clock.begin()
        progress, row = session.next(progress)
        evaluation.append(row.profile["evaluation"])
        clock.end(less=evaluation[-1])
        correct = row.metrics["accuracy"]
    more: dict[str, Any] = {"evaluation": evaluation}
    if warm:
        more |= {"first": None, "first_warm": clock.first}
    if work.clip is not None:
        more["note"] = "Poisson batches"
    clock.report(correct, "fedbench-workbench", **more)
    close_workers()


def _experiment(folder: str, work: Any, rounds: int, engine: StackedEngine) -> fb.Experiment:
    # the noise is seeded so that runs can be compared; drawing it takes as long either way
    privacy = fb.NoPrivacy()
    if work.clip is not None:
        privacy = fb.ExampleLevelDP(
            noise_multiplier=work.noise, clip=work.clip, delta=DELTA, noise_seed=work.seed
        )
    return fb.Experiment(
        data=Saved(folder=folder),
        partition=Blocks(clients=work.clients),
        model=fb.MLP(hidden=(200, 200)) if work.model == "mlp" else fb.CNN(),
        training=fb.LocalTraining(epochs=1, batch_size=work.batch, lr=work.lr),
        strategy=fb.FedAvg(),
        privacy=privacy,
        sampling=FixedCohort(size=work.cohort),
        rounds=rounds,
        seed=work.seed,
        engine=engine,
    )


if __name__ == "__main__":
    main(run)
