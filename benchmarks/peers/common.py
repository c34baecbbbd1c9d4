"""What the scripts of the peers share: the workload, its models, a clock and the line of results.

Every peer runs alone in an environment of its own, so this module needs numpy and torch only.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

KIB = 1024


def mlp() -> nn.Module:
    """784-200-200-10 with ReLU, 199,210 parameters: the 2NN of McMahan et al. 2017."""
    return nn.Sequential(
        nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)
    )


def cnn() -> nn.Module:
    """The CNN of McMahan et al. 2017 (arXiv:1602.05629) on rows of 784: 1,663,370 parameters."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 5, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 512),
        nn.ReLU(),
        nn.Linear(512, 10),
    )


def load(folder: str) -> SimpleNamespace:
    """Return the facts of a workload and its arrays, which stay on disk until they are read."""
    home = Path(folder)
    facts = json.loads((home / "workload.json").read_text())
    # "c": pages are shared until written to, and torch wants memory that it could write to
    arrays = {path.stem: np.load(path, mmap_mode="c") for path in home.glob("*.npy")}
    return SimpleNamespace(**facts, **arrays)


def build(work: SimpleNamespace) -> nn.Module:
    """Return the model that training starts from, the same for every peer."""
    torch.manual_seed(work.seed)
    return {"mlp": mlp, "cnn": cnn}[work.model]()


def client(work: SimpleNamespace, number: int) -> tuple[Tensor, Tensor]:
    """Return the rows x[samples, 784] and classes y[samples] of one client."""
    return torch.from_numpy(work.x[number]), torch.from_numpy(work.y[number])


def shuffled(x: Tensor, y: Tensor, batch: int) -> list[tuple[Tensor, Tensor]]:
    """Return one epoch of batches in a random order."""
    order = torch.randperm(len(x))
    return list(zip(x[order].split(batch), y[order].split(batch), strict=True))


@torch.no_grad()
def accuracy(model: nn.Module, work: SimpleNamespace) -> float:
    """Return the share of test rows that are classified right."""
    y = torch.from_numpy(work.y_test)
    found = torch.cat([model(x).argmax(1) for x in torch.from_numpy(work.x_test).split(1000)])
    return float((found == y).double().mean())


class Clock:
    """Times rounds from the beginning of set-up, and watches memory meanwhile."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.rounds: list[float] = []
        self.first = 0.0
        self.memory = 0
        self._began = self.started
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self) -> None:
        """Begin a round."""
        self._began = time.perf_counter()

    def end(self, less: float = 0.0) -> None:
        """End a round, leaving out `less` seconds of what is not part of it."""
        now = time.perf_counter() - less
        self.rounds.append(now - self._began)
        self.first = self.first or now - self.started

    def peak(self) -> int:
        """Return the most memory held at any time, in bytes."""
        self.memory = max(self.memory, _resident())
        return self.memory

    def report(self, correct: float | None, *packages: str, **more: Any) -> None:
        """Print the line that the benchmark reads, with the versions of `packages`."""
        line = {
            "seconds": self.rounds,
            "first": self.first,
            "peak_mb": self.peak() / 1e6,
            "versions": {name: version(name) for name in ("torch", "numpy", *packages)},
            "accuracy": correct,
            **more,
        }
        print(json.dumps(line), flush=True)

    def _watch(self) -> None:
        while True:
            self.memory = max(self.memory, _resident())
            time.sleep(0.25)


def _resident() -> int:
    """Bytes held by this process and its descendants; what several share counts once."""
    total = 0
    for process in _tree(os.getpid()):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended meanwhile
            continue
        # a page that n processes share counts 1/n in each of them
        total += sum(int(line.split()[1]) * KIB for line in lines if line.startswith("Pss:"))
    return total


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                status = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            # the command in (brackets) may hold spaces
            parents[int(entry)] = int(status.rpartition(")")[2].split()[1])
    found = [root]
    for process in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == process]
    return found


def main(run: Callable[..., None]) -> None:
    """Call `run(folder, rounds, *more)` with what the command line gave; say why it failed."""
    folder, rounds, *more = sys.argv[1:]
    try:
        run(folder, int(rounds), *more)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        raise
