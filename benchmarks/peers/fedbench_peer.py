"""fedbench itself, in its own environment, through the parts that anyone may write."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
import torch
from common import Clock, cnn, load, main
from numpy.typing import NDArray

import fedbench as fb
from fedbench.data import Card, Dataset, Partitioner, Source
from fedbench.models import Model
from fedbench.runs.rounds import Rounds
from fedbench.sampling import FixedCohort

CARD = Card(
    name="benchmark",
    source="the folder of a workload",
    licence="see the workload",
    task="classification",
    shape=(784,),
    features=(),
    target="class",
    classes=tuple("0123456789"),
)


class Saved(Source):
    """The rows of a workload's folder, in the order of their clients."""

    task: ClassVar = "classification"
    strata_sizes: ClassVar[tuple[int, ...]] = ()
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
        return Dataset(CARD, work.x.reshape(-1, 784), work.y.ravel(), work.x_test, work.y_test)


class Blocks(Partitioner):
    """Equal blocks of rows in the order in which they lie."""

    def assign(self, train: NDArray, test: NDArray, rng: np.random.Generator):
        """Return owners of training and test rows."""
        return tuple(np.arange(len(rows)) * self.clients // len(rows) for rows in (train, test))


class CNN(Model):
    """The CNN of the cross-silo workloads."""

    def build(self, card: Card) -> torch.nn.Module:
        """Return the module with torch's default initial weights."""
        return cnn()


class Untested(Rounds):
    """Rounds that note how long the evaluation takes: no other peer evaluates while it is timed."""

    evaluating = 0.0

    def evaluate(self, *args):
        """Evaluate, on the clock."""
        began = time.perf_counter()
        result = super().evaluate(*args)
        self.evaluating = time.perf_counter() - began
        return result


def run(folder: str, rounds: int) -> None:
    """Run `rounds` rounds on the workload in `folder`."""
    clock = Clock()
    work = load(folder)
    if work.clip is not None:
        raise ValueError("fedbench has no DP-SGD on examples yet")
    session = Untested(_experiment(folder, work, rounds))
    progress, correct = session.begin(), 0.0
    for _ in range(rounds):
        clock.begin()
        progress, row = session.next(progress)
        clock.end(less=session.evaluating)
        correct = row.metrics["accuracy"]
    clock.report(correct, "fedbench-workbench")


def _experiment(folder: str, work, rounds: int) -> fb.Experiment:
    return fb.Experiment(
        data=Saved(folder=folder),
        partition=Blocks(clients=work.clients),
        model=fb.MLP(hidden=(200, 200)) if work.model == "mlp" else CNN(),
        training=fb.LocalTraining(epochs=1, batch_size=work.batch, lr=work.lr),
        strategy=fb.FedAvg(),
        sampling=FixedCohort(size=work.cohort),
        rounds=rounds,
        seed=work.seed,
    )


if __name__ == "__main__":
    main(run)
