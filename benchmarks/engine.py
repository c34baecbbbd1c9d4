"""How quick a round is, beside other simulators: the same work, one after another, in one call.

Run from the root of the checkout: `python -m benchmarks.engine`. Every peer has an environment of
its own under `.bench`, made when it is missing. Local training and aggregation are timed and
evaluation is not; the first round warms up and is told apart. Nothing is asserted.
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

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / ".bench"
RESULTS = ROOT / "docs" / "benchmarks"
OURS = "fedbench"
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

    def run(self, folder: Path, rounds: int) -> Result:
        """Return what the script says about the workload in `folder`, or why it failed."""
        try:
            command = [self.python(), SCRIPTS / self.script, folder, rounds, *self.arguments]
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


PEERS = {
    OURS: Peer("fedbench", "fedbench_peer.py", None, PLAIN + PRIVATE),
    "sequential": Peer("plain PyTorch", "sequential.py", "torch", PLAIN + PRIVATE),
    "flower": Peer("Flower on Ray", "flower_ray.py", "flower", PLAIN),
    "pfl": Peer("pfl", "pfl_peer.py", "pfl", PLAIN),
    "opacus-hooks": Peer("Opacus, hooks", "opacus_peer.py", "opacus", PRIVATE, ("hooks",)),
    "opacus-ghost": Peer("Opacus, ghost", "opacus_peer.py", "opacus", PRIVATE, ("ghost",)),
    FLOOR: Peer("arithmetic floor", "floor.py", "torch", PLAIN + PRIVATE),
}


def main() -> None:
    """Measure, print and keep."""
    options = _options()
    table = load()
    print(f"{table.name} data; {options.rounds} rounds, the first apart\n")
    results: dict[str, dict[str, Result]] = {}
    with tempfile.TemporaryDirectory() as home:
        for name in options.workloads:
            folder = Path(home) / name
            WORKLOADS[name].save(folder, table)
            able = [peer for peer in options.peers if name in PEERS[peer].workloads]
            results[name] = {}
            for peer in able:
                print(f"{name}: {PEERS[peer].title} ...", file=sys.stderr, flush=True)
                results[name][peer] = PEERS[peer].run(folder, options.rounds)
            print(f"{describe(WORKLOADS[name])}\n{frame(results[name]).to_string(index=False)}\n")
    options.out.mkdir(parents=True, exist_ok=True)
    kept = {
        "data": table.name,
        "rounds": options.rounds,
        "machine": machine(),
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
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workloads", type=some(WORKLOADS), default=["W1", "W2-640", "W3"])
    parser.add_argument("--peers", type=some(PEERS), default=list(PEERS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of JSON and picture")
    options = parser.parse_args()
    if not 1 <= options.rounds <= ROUNDS:
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
    """Return one row for each peer: seconds a round, ratios, memory, the first round, accuracy."""
    ours, floor = (_seconds(results, name) for name in (OURS, FLOOR))
    rows = [{"peer": PEERS[peer].title} | _row(results[peer], ours, floor) for peer in results]
    table = pd.DataFrame(rows).fillna("")
    return table[sorted(table, key=lambda name: name == "note")]  # notes are long: they stand last


def _row(result: Result, ours: float | None, floor: float | None) -> Result:
    if "error" in result:
        return {"note": result["error"]}
    median = statistics.median(_warm(result))
    row = {
        "median s": f"{median:.4f}",
        "best s": f"{min(_warm(result)):.4f}",
        "× fedbench": _ratio(median, ours),
        "× floor": _ratio(median, floor),
    }
    if "operations" in result:  # the floor trains nothing
        return row | {"note": f"{result['operations'] / 1e9:.2f} GFLOP a round"}
    return row | {
        "peak MB": f"{result['peak_mb']:.0f}",
        "to round 1, s": f"{result['first']:.2f}",
        "accuracy": f"{result['accuracy']:.3f}",
    }


def _warm(result: Result) -> list[float]:
    return result["seconds"][1:] or result["seconds"]


def _seconds(results: dict[str, Result], peer: str) -> float | None:
    """The figure to compare by: the median, and for the floor the best, since it is a bound."""
    result = results.get(peer, {"error": "not asked for"})
    if "error" in result:
        return None
    return min(_warm(result)) if peer == FLOOR else statistics.median(_warm(result))


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
    """Return bars of the median seconds a round, one panel a workload; the floor is a line."""
    figure = make_subplots(
        cols=len(results), subplot_titles=list(results), shared_yaxes=True, horizontal_spacing=0.03
    )
    highest = lowest = 1.0
    for column, peers in enumerate(results.values(), 1):
        seconds = {peer: _seconds(peers, peer) for peer in peers}
        floor = seconds.pop(FLOOR, None)
        shown = sorted((value, peer) for peer, value in seconds.items() if value is not None)
        figure.add_bar(
            x=[PEERS[peer].title for _, peer in shown],
            y=[value for value, _ in shown],
            text=[f"{value:.3g}" for value, _ in shown],
            textposition="outside",
            marker_color=["#0072b2" if peer == OURS else "#b0b7bf" for _, peer in shown],
            row=1,
            col=column,
        )
        if floor is not None:
            _floor(figure, floor, column)
        values = [value for value, _ in shown] + ([floor] if floor is not None else [])
        highest, lowest = max(highest, *values), min(lowest, *values)
    figure.update_xaxes(tickangle=-35)
    figure.update_yaxes(type="log", dtick=1, gridcolor="#e5e7eb")
    figure.update_yaxes(range=[math.log10(lowest / 3), math.log10(highest * 3)])
    figure.update_yaxes(title="seconds a round", col=1)
    return figure.update_layout(
        template="plotly_white",
        title="One round, median seconds; less is better; the dashed line is the arithmetic floor",
        showlegend=False,
        width=300 * len(results) + 120,
        height=480,
    )


def _floor(figure: Figure, seconds: float, column: int) -> None:
    figure.add_hline(
        seconds, line={"color": "#d55e00", "dash": "dash", "width": 2}, row=1, col=column
    )
    figure.add_annotation(
        text=f"{seconds:.3g}",
        x=1,
        xref="x domain",
        xanchor="right",
        y=math.log10(seconds),  # on a log axis an annotation is placed by the exponent
        yanchor="top",
        showarrow=False,
        font_color="#b34700",
        bgcolor="white",
        row=1,
        col=column,
    )


if __name__ == "__main__":
    main()
