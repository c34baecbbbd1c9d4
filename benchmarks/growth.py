"""How the cost of a round grows, with fedbench alone: in its cohort, model, population and workers.

Run from the root of the checkout: `python -m benchmarks.growth`. Every point is a process of its
own. Clients choose 60 rows each from a small table in the shape of Fashion-MNIST, so that memory is
not that of the data, and train one epoch by batches of 10. The last points share the machine with a
process that keeps one core busy. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from plotly.graph_objects import Figure
from plotly.subplots import make_subplots

import fedbench as fb
from benchmarks.engine import RESULTS, ROOT, machine
from benchmarks.peers.common import Clock
from benchmarks.workloads import CLASSES
from fedbench.data import Card, Dataset, GivenSplit
from fedbench.engine import StackedEngine
from fedbench.engine.pool import close_workers, pool
from fedbench.engine.processes import cores
from fedbench.figures.theme import BLUE, FONT, GRID, INK, ORANGE, QUIET
from fedbench.participation.sampling import FixedCohort
from fedbench.runs.rounds import Rounds

ROWS, TESTS, INPUTS = 6000, 1000, 784
SAMPLES = 60
LIMIT = 120  # seconds for one point
LEAST, MOST, ENOUGH = 3, 12, 1.0  # rounds at least, at most, and the seconds that they may take


@dataclass(frozen=True)
class Point:
    """What is measured once: a workload like W1 with one of its numbers changed.

    `workers` none leaves the number to the engine.
    """

    sweep: str
    cohort: int = 50
    width: int = 200
    population: int = 1000
    workers: int | None = None
    busy: bool = False

    @property
    def parameters(self) -> int:
        """Return the number of parameters of its MLP with two hidden layers."""
        w = self.width
        return (INPUTS + 1) * w + (w + 1) * w + (w + 1) * CLASSES

    @property
    def at(self) -> int | str:
        """Return where the point lies in its sweep."""
        if self.sweep == "workers":
            return f"{self.workers}, one core busy" if self.busy else str(self.workers)
        return self.parameters if self.sweep == "parameters" else getattr(self, self.sweep)


POINTS = [
    *(Point("cohort", cohort=n) for n in (10, 30, 100, 300, 1000)),
    *(Point("parameters", width=n) for n in (50, 100, 200, 400, 800, 1600)),
    *(Point("population", population=10**n) for n in (3, 4, 5, 6)),
    Point("workers", workers=0),
    Point("workers", workers=0, busy=True),  # right after its quiet twin, for the sake of the ratio
    Point("workers", workers=1),
    Point("workers", workers=2),
    Point("workers", workers=2, busy=True),
]
TITLES = {
    "cohort": "Clients in a round",
    "parameters": "Parameters of the MLP",
    "population": "Clients there are",
    "workers": "Worker processes",
}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of JSON and picture")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point is not None:
        print(json.dumps(measure(Point(**options.point))))
        return
    before, found = os.getloadavg()[0], []
    for point in POINTS:
        print(f"{point.sweep}: {point.at} ...", file=sys.stderr, flush=True)
        with neighbour() if point.busy else quiet():
            found.append(asdict(point) | {"at": point.at} | _apart(point))
    table = frame(found)
    print(f"load before {before:.2f}\n{table.to_string(index=False)}")
    options.out.mkdir(parents=True, exist_ok=True)
    kept = {"machine": machine() | {"load_before": before}, "points": found}
    (options.out / "growth.json").write_text(json.dumps(kept, indent=1) + "\n")
    picture(found).write_image(options.out / "growth.png", scale=2)


def _apart(point: Point) -> dict[str, Any]:
    """Measure in a process of its own: peak memory is that of a process."""
    command = [sys.executable, "-m", "benchmarks.growth", "--point", json.dumps(asdict(point))]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


@contextmanager
def quiet() -> Iterator[None]:
    """Leave the machine as it is."""
    yield


@contextmanager
def neighbour() -> Iterator[None]:
    """Keep the last core busy with another program; it ends by itself if nobody ends it."""
    core = max(os.sched_getaffinity(0))
    code = f"""
import os, time
os.sched_setaffinity(0, {{{core}}})
end = time.time() + {LIMIT}
while time.time() < end:
    pass
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Made(GivenSplit):
    """Rows of noise: how long training takes does not depend on what they say."""

    task: ClassVar = "classification"
    shape: ClassVar[tuple[int, ...]] = (INPUTS,)
    training_samples: ClassVar[int] = ROWS

    def table(self):
        """Never called: `load` gives both parts."""
        raise TypeError("training and test rows are made apart")

    def card(self) -> Card:
        """Return what the rows are."""
        names = tuple(map(str, range(CLASSES)))
        return Card("noise", "made here", "none", "classification", self.shape, (), "class", names)

    def load(self) -> Dataset:
        """Return the rows, which are the same each time."""
        rng = np.random.default_rng(0)
        x, x_test = (rng.random((n, INPUTS), dtype=np.float32) for n in (ROWS, TESTS))
        y, y_test = (np.arange(n) % CLASSES for n in (ROWS, TESTS))
        return Dataset(self.card(), x, y, x_test, y_test)


def measure(point: Point) -> dict[str, Any]:
    """Return seconds of each round without evaluation, set-up and peak memory."""
    import torch

    torch.set_num_threads(1)
    workers = cores() if point.workers is None else point.workers
    if workers:
        pool(workers).wait()
    clock = Clock()
    session = Rounds(_experiment(point))
    progress, ready = session.begin(), time.perf_counter() - clock.started
    while len(clock.rounds) <= LEAST or (
        len(clock.rounds) <= MOST and sum(clock.rounds[1:]) < ENOUGH
    ):
        clock.begin()
        progress, row = session.next(progress)
        clock.end(less=row.profile["evaluation"])
    found = {"seconds": clock.rounds, "set_up": ready, "peak_mb": clock.peak() / 1e6}
    close_workers()
    return found


def _experiment(point: Point) -> fb.Experiment:
    return fb.Experiment(
        data=Made(),
        partition=fb.Population(clients=point.population, samples=SAMPLES),
        model=fb.MLP(hidden=(point.width, point.width)),
        training=fb.LocalTraining(epochs=1, batch_size=10, lr=0.01),
        sampling=FixedCohort(size=point.cohort),
        rounds=MOST + 1,
        engine=StackedEngine(workers=point.workers),
    )


def frame(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Return one row for each point, with ratios to the first of its sweep and its quiet twin."""
    rows, first = [], {}
    alone = {
        point["workers"]: _median(point)
        for point in found
        if point["sweep"] == "workers" and not point["busy"] and "error" not in point
    }
    for point in found:
        row = {"sweep": TITLES[point["sweep"]], "at": point["at"]}
        if "error" in point:
            rows.append(row | {"note": point["error"]})
            continue
        median = _median(point)
        base = first.setdefault(point["sweep"], median)
        rows.append(
            row
            | {
                "median s": f"{median:.4f}",
                "best s": f"{min(point['seconds'][1:]):.4f}",
                "× first": f"{median / base:.2f}",
                "× quiet": f"{median / alone[point['workers']]:.2f}"
                if point["busy"] and point["workers"] in alone
                else "",
                "first round s": f"{point['seconds'][0]:.2f}",
                "set-up s": f"{point['set_up']:.2f}",
                "peak MB": f"{point['peak_mb']:.0f}",
            }
        )
    return pd.DataFrame(rows).fillna("")


def _median(point: dict[str, Any]) -> float:
    return statistics.median(point["seconds"][1:])


def picture(found: list[dict[str, Any]]) -> Figure:
    """Return a column for each sweep: seconds a round above, peak memory below."""
    done = [point for point in found if "error" not in point]
    figure = make_subplots(
        rows=2,
        cols=len(TITLES),
        column_titles=[f"<b>{title}</b>" for title in TITLES.values()],
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=0.07,
    )
    for column, sweep in enumerate(TITLES, 1):
        points = [point for point in done if point["sweep"] == sweep]
        if points:
            _column(figure, points, sweep, column)
    axis = {"gridcolor": GRID, "zeroline": False, "tickfont_color": QUIET}
    figure.update_xaxes(linecolor=GRID, ticks="outside", tickcolor=GRID, **axis)
    figure.update_yaxes(type="log", dtick="D2", tickformat="~g", **axis)
    seconds = [each for point in done for each in point["seconds"][1:]]
    memory = [point["peak_mb"] for point in done]
    for row, title, values in (
        (1, "seconds a round", seconds),
        (2, "peak memory, MB", [100, 1000, *memory]),
    ):
        span = [math.log10(min(values) / 1.2), math.log10(max(values) * 1.5)] if done else None
        figure.update_yaxes(range=span, row=row)
        figure.update_yaxes(title={"text": title, "font_size": 12}, row=row, col=1)
    figure.update_annotations(font_size=13)
    return figure.update_layout(
        template="none",
        title={
            "text": "How the cost of a round grows<br><sup>dots are rounds, the line joins their "
            "medians; dashed: in proportion; otherwise 50 of 1000 clients with 60 samples, "
            "784-200-200-10</sup>",
            "x": 0.01,
            "y": 0.95,
        },
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        showlegend=False,
        width=1200,
        height=560,
        margin={"l": 64, "r": 20, "t": 100, "b": 80},
    )


def _column(figure: Figure, points: list[dict[str, Any]], sweep: str, column: int) -> None:
    named = sweep == "workers"
    x = [_label(point["at"]) if named else point["at"] for point in points]
    medians = [_median(point) for point in points]
    if sweep in ("cohort", "parameters"):
        _proportional(figure, x, medians, column)
    figure.add_scatter(
        x=[at for at, point in zip(x, points, strict=True) for _ in point["seconds"][1:]],
        y=[seconds for point in points for seconds in point["seconds"][1:]],
        mode="markers",
        marker={"color": BLUE, "size": 6, "opacity": 0.3},
        row=1,
        col=column,
    )
    memory = [point["peak_mb"] for point in points]
    for row, values, color, number in ((1, medians, BLUE, ".2g"), (2, memory, ORANGE, ".0f")):
        figure.add_scatter(
            x=x,
            y=values,
            mode="markers+text" if named else "lines+markers+text",
            line={"color": color, "width": 2.2},
            marker={"color": color, "size": 8, "symbol": "circle" if row == 1 else "square"},
            text=[f"{value:{number}}" for value in values],
            textposition="top center",
            textfont={"color": color, "size": 11},
            cliponaxis=False,
            row=row,
            col=column,
        )
    if named:
        figure.update_xaxes(type="category", range=[-0.5, len(x) - 0.5], col=column)
        figure.update_xaxes(tickangle=0, tickfont_size=11, col=column)
        return
    span = math.log10(x[0]), math.log10(x[-1])
    edge = 0.12 * (span[1] - span[0])
    figure.update_xaxes(type="log", range=[span[0] - edge, span[1] + edge], col=column)
    figure.update_xaxes(dtick=1, tickformat="~s", col=column)


def _label(at: str) -> str:
    return at.replace(", one core ", ",<br>one core<br>")


def _proportional(figure: Figure, x: list[float], medians: list[float], column: int) -> None:
    """Draw what the largest point would make of the smaller ones, were it all in proportion."""
    last = medians[-1] / x[-1]
    figure.add_scatter(
        x=[x[0], x[-1]],
        y=[last * x[0], medians[-1]],
        mode="lines",
        line={"color": QUIET, "width": 1, "dash": "dash"},
        row=1,
        col=column,
    )


if __name__ == "__main__":
    main()
