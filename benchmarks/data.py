"""How quick data become a federation: a large table of one's own, and images for many clients.

Run from the root of the checkout, with FEDBENCH_DATA for the images: `python -m benchmarks.data`.
Figures are in seconds; targets are printed beside them, and nothing is asserted.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import fedbench as fb
from fedbench.data import federated, source
from fedbench.data.own import reading, table

ROWS, COLUMNS, SITES = 1_000_000, 30, 50
REPEATS = 5


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "table.csv"
        frame = _frame()
        frame.to_csv(path, index=False, float_format="%.5g")
        size = path.stat().st_size / 1e6
        _show(f"CSV of {ROWS:,} × {COLUMNS}, {size:.0f} MB", lambda: _table(path), "under 10 s")
        _show("the same as a DataFrame", lambda: _table(frame), "under 10 s")
    images = fb.FashionMNIST()
    if all(file.cached for file in images.files):
        _show("Fashion-MNIST to 1000 clients", lambda: _images(images), "under 1 s warm")


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = [f"column {k}" for k in range(COLUMNS)]
    frame = pd.DataFrame(rng.normal(size=(ROWS, COLUMNS)).astype(np.float32), columns=names)
    told = (frame["column 0"] + rng.normal(size=ROWS) > 0).astype(int)
    return frame.assign(target=told, site=rng.integers(0, SITES, ROWS))


def _table(what: pd.DataFrame | Path) -> None:
    data = fb.Table(what, target="target", client="site")
    assert fb.Experiment(data=data, partition=fb.Natural()).federation().clients == SITES


def _images(images: fb.FashionMNIST) -> None:
    partition = fb.Dirichlet(clients=1000, alpha=0.5)
    assert fb.Experiment(data=images, partition=partition).federation().clients == 1000


def _show(name: str, work: Callable[[], None], target: str) -> None:
    times = []
    for _ in range(REPEATS):
        for cached in (
            source._load,
            federated._build,
            reading._loaded,
            reading._read,
            table._facts,
        ):
            cached.cache_clear()
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    first, *warm = times
    print(f"{name:<38} {statistics.median(warm):5.2f} s, first {first:.2f} s; target {target}")


if __name__ == "__main__":
    main()
