"""What every simulator is timed on: Fashion-MNIST, dealt out to clients in four ways.

A peer reads a folder that `Workload.save` wrote, so that it needs nothing of this project.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
ROUNDS = 1000  # cohorts drawn ahead: no peer is asked for more
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Table:
    """Images float32[N, 784] in [0, 1] and classes int64[N], for training and for testing."""

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]


@dataclass(frozen=True)
class Workload:
    """Who holds how much, who takes part, and what each does in a round of one epoch.

    `alpha` skews the classes of a client as Dirichlet(α) does; none deals rows out at random.
    With `clip` and `noise` local training is DP-SGD on examples (Abadi et al. 2016,
    arXiv:1607.00133). `rounds` are timed: enough for a steady median in a few minutes.
    """

    name: str
    clients: int
    samples: int
    cohort: int
    batch: int
    model: Literal["mlp", "cnn"]
    lr: float = 0.05
    alpha: float | None = None
    clip: float | None = None
    noise: float | None = None
    seed: int = 0
    rounds: int = 40

    def assign(self, labels: NDArray[np.int64]) -> Rows:
        """Return the rows of each client, int64[clients, samples]; no row is dealt twice."""
        rng = np.random.default_rng([self.seed, 2])
        if self.alpha is None:
            dealt = rng.permutation(len(labels))[: self.clients * self.samples]
            return dealt.reshape(self.clients, self.samples)
        piles = [rng.permutation(np.flatnonzero(labels == k)) for k in range(CLASSES)]
        tops = np.zeros(CLASSES, dtype=np.int64)
        left = np.array([len(pile) for pile in piles])
        rows = np.empty((self.clients, self.samples), dtype=np.int64)
        for client in rows:
            taken = _take(rng.dirichlet([self.alpha] * CLASSES), left, self.samples, rng)
            ends = tops + taken
            client[:] = np.concatenate(
                [pile[a:b] for pile, a, b in zip(piles, tops, ends, strict=True)]
            )
            tops, left = ends, left - taken
        return rows

    def who(self, round: int) -> Rows:
        """Return the sorted clients that take part in `round`, counted from 1."""
        # drawn as fedbench draws a fixed cohort, so that it too trains these very clients
        rng = np.random.default_rng([self.seed, 4, round])
        return np.sort(rng.choice(self.clients, size=self.cohort, replace=False, shuffle=False))

    def save(self, folder: Path, table: Table) -> None:
        """Write x[clients, samples, 784], y, x_test, y_test, cohorts[rounds, cohort], the facts."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = self.assign(table.y)
        arrays = {
            "x": table.x[rows],
            "y": table.y[rows],
            "x_test": table.x_test,
            "y_test": table.y_test,
            "cohorts": np.stack([self.who(round) for round in range(1, ROUNDS + 1)]),
        }
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        facts = asdict(self) | {"data": table.name}
        (folder / "workload.json").write_text(json.dumps(facts, indent=1) + "\n")


def _take(
    wish: NDArray[np.float64], left: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How many rows of each class a client takes: `count` by its wish, as far as there are any."""
    taken = np.zeros_like(left)
    while (short := count - int(taken.sum())) > 0:
        open_ = left - taken
        share = wish * (open_ > 0)
        if share.sum() < 1e-9:  # all that was wished for is gone: anything will do
            share = open_.astype(float)
        taken += np.minimum(rng.multinomial(short, share / share.sum()), open_)
    return taken


WORKLOADS = {
    each.name: each
    for each in (
        # cross-device, cross-silo, its quick cut, and DP-SGD on examples
        Workload("W1", clients=1000, samples=60, cohort=50, batch=10, model="mlp", alpha=0.3),
        Workload("W2", clients=10, samples=6000, cohort=10, batch=32, model="cnn", rounds=3),
        Workload("W2-640", clients=10, samples=640, cohort=10, batch=32, model="cnn", rounds=8),
        Workload(
            "W3",
            clients=10,
            samples=600,
            cohort=10,
            batch=60,
            model="mlp",
            clip=1.0,
            noise=1.0,
            rounds=20,
        ),
    )
}


def load() -> Table:
    """Return Fashion-MNIST from FEDBENCH_DATA, or a synthetic set where that is not set."""
    home = os.environ.get("FEDBENCH_DATA")
    return synthetic() if home is None else _fashion_mnist(Path(home) / "fashion-mnist")


def synthetic(train: int = 60_000, test: int = 10_000) -> Table:
    """Return ten noisy prototypes in the shape of Fashion-MNIST: speed is the same, data are not.

    The classes are of equal size, as those of Fashion-MNIST are.
    """
    rng = np.random.default_rng(0)
    prototypes = rng.random((CLASSES, 784), dtype=np.float32)
    parts = []
    for count in (train, test):
        y = rng.permutation(np.arange(count) % CLASSES)
        x = 0.5 * prototypes[y] + 0.5 * rng.random((count, 784), dtype=np.float32)
        parts += [x, y]
    return Table("synthetic", *parts)


def _fashion_mnist(folder: Path) -> Table:
    def images(part: str) -> NDArray[np.float32]:
        pixels = _idx(folder / f"{part}-images-idx3-ubyte.gz", header=16)
        return pixels.reshape(-1, 784).astype(np.float32) / np.float32(255)

    def labels(part: str) -> NDArray[np.int64]:
        return _idx(folder / f"{part}-labels-idx1-ubyte.gz", header=8).astype(np.int64)

    return Table("Fashion-MNIST", images("train"), labels("train"), images("t10k"), labels("t10k"))


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8, offset=header)
