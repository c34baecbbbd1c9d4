"""How quick a round is, beside other simulators: the same work, one after another, in one call.

Run from the root of the checkout: `python -m benchmarks.engine`. Every peer has an environment of
its own under `.bench`, made when it is missing. Local training and aggregation are timed and
evaluation is not; the first round warms up and is told apart. fedbench is measured before the
others and after them, so that the noise of the machine shows; ratios are to all rounds of both.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from plotly.graph_objects import Figure
from plotly.subplots import make_subplots

from benchmarks.workloads import ROUNDS, WORKLOADS, Workload, load
from fedbench.figures.theme import BLUE, FONT, GRID, INK, ORANGE, QUIET

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / ".bench"
RESULTS = ROOT / "docs" / "benchmarks"
OURS, AGAIN = "fedbench", "fedbench-again"
FLOOR = "floor"
LIMIT = 3600  # seconds for one peer on one workload

PLAIN = ("W1", "W2-640", "W2")
PRIVATE = ("W3",)
Result = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """A script, the environment that it runs in (none is the project's) and what it can do."""

    title: str
    script: str
    environment: str | None
    workloads: tuple[str, ...]
    arguments: tuple[str, ...] = ()

    @property
    def requirements(self) -> Path:
        """Return the file with the pins of the environment."""
        return SCRIPTS / "requirements" / f"{self.environment}.txt"

    def python(self) -> Path:
        """Return the interpreter, after making its environment where it is missing or outdated."""
        if self.environment is None:
            return Path(sys.executable)
        home = ENVIRONMENTS / self.environment
        pins, marker = self.requirements.read_text(), home / "installed.txt"
        python = home / "bin" / "python"
        if not marker.exists() or marker.read_text() != pins:
            print(f"making {home.relative_to(ROOT)} ...", flush=True)
            _call([sys.executable, "-m", "venv", "--clear", str(home)])
            _call([str(python), "-m", "pip", "install", "--requirement", str(self.requirements)])
            marker.write_text(pins)
        return python

    def run(self, folder: Path, rounds: int, *more: object) -> Result:
        """Return what the script says about the workload in `folder`, or why it failed."""
        try:
            command = [self.python(), SCRIPTS / self.script, folder, rounds, *self.arguments, *more]
            done = subprocess.run(
                [str(word) for word in command],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except (subprocess.SubprocessError, OSError) as error:
            return {"error": str(error)}
        for line in reversed(done.stdout.splitlines()):
            if line.startswith("{"):
                return json.loads(line)
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        return {"error": f"exit status {done.returncode}: {last[0]}"}


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise subprocess.SubprocessError(f"{' '.join(command[1:4])} failed: {' '.join(last)}")


# In the order in which they run: fedbench's own start and end the row.
PEERS = {
    OURS: Peer("fedbench", "fedbench_peer.py", None, PLAIN + PRIVATE, ("cold",)),
    "fedbench-alone": Peer(
        "fedbench, no workers", "fedbench_peer.py", None, PLAIN + PRIVATE, ("cold", "0")
    ),
    "sequential": Peer("plain PyTorch", "sequential.py", "torch", PLAIN + PRIVATE),
    "flower": Peer("Flower on Ray", "flower_ray.py", "flower", PLAIN),
    "pfl": Peer("pfl", "pfl_peer.py", "pfl", PLAIN),
    "opacus-hooks": Peer("Opacus, hooks", "opacus_peer.py", "opacus", PRIVATE, ("hooks",)),
    "opacus-ghost": Peer("Opacus, ghost", "opacus_peer.py", "opacus", PRIVATE, ("ghost",)),
    FLOOR: Peer("arithmetic floor", "floor.py", "torch", PLAIN + PRIVATE),
    AGAIN: Peer("fedbench, again", "fedbench_peer.py", None, PLAIN + PRIVATE, ("warm",)),
}


def main() -> None:
    """Measure, print and keep."""
    options = _options()
    table, before = load(), os.getloadavg()[0]
    print(f"{table.name} data; load {before:.2f}; the first round is told apart\n")
    results: dict[str, dict[str, Result]] = {}
    with tempfile.TemporaryDirectory() as home:
        for name in options.workloads:
            folder = Path(home) / name
            WORKLOADS[name].save(folder, table)
            rounds = options.rounds or WORKLOADS[name].rounds
            able = [peer for peer in options.peers if name in PEERS[peer].workloads]
            results[name] = {}
            for peer in able:
                print(f"{name}: {PEERS[peer].title} ...", file=sys.stderr, flush=True)
                more = (options.workers,) if peer in (OURS, AGAIN) and options.workers else ()
                results[name][peer] = PEERS[peer].run(folder, rounds, *more)
            print(f"{describe(WORKLOADS[name])}\n{frame(results[name]).to_string(index=False)}\n")
    options.out.mkdir(parents=True, exist_ok=True)
    kept = {
        "data": table.name,
        "machine": machine() | {"load_before": before},
        "workloads": {name: WORKLOADS[name].__dict__ for name in options.workloads},
        "results": results,
    }
    (options.out / "engine.json").write_text(json.dumps(kept, indent=1) + "\n")
    picture(results).write_image(options.out / "engine.png", scale=2)


def _options() -> argparse.Namespace:
    def some(known: Iterable[str]):
        def split(text: str) -> list[str]:
            names = text.split(",")
            if unknown := sorted(set(names) - set(known)):
                raise argparse.ArgumentTypeError(
                    f"{', '.join(unknown)} unknown; choose from {', '.join(known)}"
                )
            return names

        return split

    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--rounds", type=int, help="instead of those of a workload")
    parser.add_argument("--workloads", type=some(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--peers", type=some(PEERS), default=list(PEERS))
    parser.add_argument("--workers", help="processes of fedbench; it decides where none is given")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of JSON and picture")
    options = parser.parse_args()
    if options.rounds is not None and not 1 <= options.rounds <= ROUNDS:
        parser.error(f"--rounds: from 1 to {ROUNDS}, for which cohorts are drawn")
    return options


def describe(workload: Workload) -> str:
    """Return one line: who holds how much and what is trained."""
    words = f"{workload.clients} clients × {workload.samples}, {workload.cohort} a round"
    words += f", batch {workload.batch}, {workload.model.upper()}"
    if workload.clip is not None:
        words += f", DP-SGD with clip {workload.clip:g} and noise {workload.noise:g}"
    return f"{workload.name}: {words}"


def frame(results: dict[str, Result]) -> pd.DataFrame:
    """Return one row for each peer: seconds a round, ratios, memory, first rounds, evaluation."""
    ours, floor = (_seconds(results, name) for name in (OURS, FLOOR))
    rows = [{"peer": PEERS[peer].title} | _row(results[peer], ours, floor) for peer in results]
    table = pd.DataFrame(rows).fillna("")
    return table[sorted(table, key=lambda name: name == "note")]  # notes are long: they stand last


def _row(result: Result, ours: float | None, floor: float | None) -> Result:
    if "error" in result:
        return {"note": result["error"]}
    median = statistics.median(_later(result["seconds"]))
    row = {
        "median s": f"{median:.4f}",
        "best s": f"{min(_later(result['seconds'])):.4f}",
        "× fedbench": _ratio(median, ours),
        "× floor": _ratio(median, floor),
    }
    if "operations" in result:  # the floor trains nothing
        return row | {"note": f"{result['operations'] / 1e9:.2f} GFLOP a round"}
    row["peak MB"] = f"{result['peak_mb']:.0f}"
    for key, name in (("first", "cold start, s"), ("first_warm", "warm start, s")):
        row[name] = f"{result[key]:.2f}" if result.get(key) else ""
    evaluation = _later(result.get("evaluation", []))
    row["evaluation s"] = f"{statistics.median(evaluation):.3f}" if evaluation else ""
    return row | {"accuracy": f"{result['accuracy']:.3f}", "note": result.get("note", "")}


def _later(seconds: list[float]) -> list[float]:
    return seconds[1:] or seconds


def _rounds(results: dict[str, Result], peer: str) -> list[float]:
    """All rounds of a peer but the first; those of fedbench are of both of its runs."""
    own = (OURS, AGAIN) if peer == OURS else (peer,)
    found = [results[name] for name in own if "seconds" in results.get(name, {})]
    return [seconds for result in found for seconds in _later(result["seconds"])]


def _seconds(results: dict[str, Result], peer: str) -> float | None:
    """The figure to compare by: the median, and for the floor the best, since it is a bound."""
    rounds = _rounds(results, peer)
    if not rounds:
        return None
    return min(rounds) if peer == FLOOR else statistics.median(rounds)


def _ratio(value: float, base: float | None) -> str:
    return "" if base is None else f"{value / base:.2f}"


def machine() -> dict[str, Any]:
    """Return the facts that figures of speed depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def picture(results: dict[str, dict[str, Result]]) -> Figure:
    """Return every round as a dot and the median as a bar across, one panel a workload."""
    names = [peer for peer in PEERS if peer not in (FLOOR, AGAIN)]
    shown = {
        name: [peer for peer in names if _rounds(peers, peer)] for name, peers in results.items()
    }
    figure = make_subplots(
        rows=len(results),
        subplot_titles=[describe(WORKLOADS[name]) for name in results],
        row_heights=[len(peers) + 1.0 for peers in shown.values()],
        shared_xaxes=True,
        vertical_spacing=60 / _height(shown),
    )
    for row, (name, peers) in enumerate(shown.items(), 1):
        peers.sort(key=lambda peer: statistics.median(_rounds(results[name], peer)))
        for peer in peers:
            own = PEERS[peer].script == PEERS[OURS].script
            _strip(figure, PEERS[peer].title, _rounds(results[name], peer), own, row)
        figure.update_yaxes(autorange="reversed", row=row, col=1)
        if (floor := _seconds(results[name], FLOOR)) is not None:
            _floor(figure, floor, row)
    figure.update_annotations(xanchor="left", x=0, font_size=13, selector={"yanchor": "bottom"})
    grid = {"gridcolor": GRID, "zeroline": False}
    figure.update_xaxes(type="log", dtick="D2", tickformat="~g", showticklabels=True, **grid)
    figure.update_xaxes(title={"text": "seconds a round", "font_size": 12}, row=len(results))
    figure.update_yaxes(gridcolor=GRID, ticksuffix="  ")
    return figure.update_layout(
        template="none",
        title={
            "text": "One round of federated learning<br><sup>every round but the first is a dot, "
            "the median a line across; the dashed line is the arithmetic floor</sup>",
            "x": 0.01,
            "y": 1 - 30 / _height(shown),
        },
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        showlegend=False,
        width=880,
        height=_height(shown),
        margin={"l": 150, "r": 40, "t": 90, "b": 50},
    )


def _height(shown: dict[str, list[str]]) -> int:
    return 140 + sum(36 * (len(peers) + 1) + 60 for peers in shown.values())


def _strip(figure: Figure, title: str, rounds: list[float], ours: bool, row: int) -> None:
    color, median = BLUE if ours else QUIET, statistics.median(rounds)
    figure.add_scatter(
        x=rounds,
        y=[title] * len(rounds),
        mode="markers",
        marker={"color": color, "size": 9, "opacity": 0.35},
        row=row,
        col=1,
    )
    figure.add_scatter(
        x=[median],
        y=[title],
        mode="markers+text",
        marker={"symbol": "line-ns", "size": 20, "line": {"color": color, "width": 3}},
        text=[f"<b>{median:.3g}</b>"],
        textposition="top center",
        textfont={"color": color, "size": 11},
        row=row,
        col=1,
    )


def _floor(figure: Figure, seconds: float, row: int) -> None:
    figure.add_vline(seconds, line={"color": ORANGE, "dash": "dash", "width": 1.5}, row=row, col=1)
    figure.add_annotation(
        text=f"floor {seconds:.2g}",
        x=math.log10(seconds),  # on a log axis an annotation is placed by the exponent
        y=0,
        yref="y domain",
        xanchor="left",
        yanchor="top",
        yshift=22,
        xshift=3,
        showarrow=False,
        font={"color": ORANGE, "size": 11},
        row=row,
        col=1,
    )


if __name__ == "__main__":
    main()
