"""What the command line prints of runs and sweeps."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from pathlib import Path

import typer

from fedbench.metrics import SPENT, worst_called
from fedbench.rounding import rounded_up
from fedbench.runs import History, Session
from fedbench.runs.naive import naive
from fedbench.scenarios import Scenario
from fedbench.study import Frontier

WIDTH = 79
PROTECTED = {
    "client": "whole clients",
    "example": "single examples",
    "local": "each update, against the server too",
}


def report(session: Session, folder: Path) -> None:
    """Print what a run came to and where it is saved."""
    history = session.history
    found = history.summary
    ended = "failed" if session.failure is not None else found["ended"]
    lines = {"rounds": f"{found['rounds']} ({ended})"}
    known = {name: float(value) for name, value in found["metrics"].items() if value is not None}
    lines |= {name: f"{value:.4f}{_beside(history, name)}" for name, value in known.items()}
    if len(history):
        last, who = history.frame().iloc[-1], worst_called(history.snapshot()[-1].clients)
        lines["clients"] = (
            f"{history.metric} of {who} {last['worst_tenth']:.4f}, 10th to 90th "
            f"percentile {last['clients_p10']:.4f} to {last['clients_p90']:.4f}"
        )
    if history.unit is not None:
        spent, whom = history.spent, PROTECTED[history.unit]
        shown = rounded_up(spent) if math.isfinite(spent) else "∞: no privacy,"
        lines["ε"] = (
            f"{shown} at δ = {rounded_up(found['delta'], 6)}, for {whom} (noise z = "
            f"{rounded_up(found['noise_multiplier'], 5)}, simulated in floating point)"
        )
    sent, received = found["bytes_up"] / 1e6, found["bytes_down"] / 1e6
    lines["traffic"] = f"{sent:.2f} MB up, {received:.2f} MB down"
    lines["saved in"] = str(folder)
    typer.echo(f"{found['data']} · {found['experiment']}")
    for each in history.amendments:
        typer.echo(f"  {'changed':<10}{each.describe()}")
    for name, value in lines.items():
        typer.echo(f"  {name:<10}{value}")
    for text in history.cautions:
        typer.echo(textwrap.fill(text, WIDTH, initial_indent="  ! ", subsequent_indent="    "))


def _beside(history: History, metric: str) -> str:
    """Return what a prediction without a model scores, to stand beside a metric."""
    try:
        data = history.experiment.federation()
    except (ValueError, OSError):  # data that are gone since
        return ""
    found = ", ".join(f"{each.name} {each.value:.4f}" for each in naive(data, metric))
    return f" ({found})" if found else ""


def compare(frontier: Frontier) -> None:
    """Print the points of a sweep and the levels to compare them with."""
    if not frontier.points:
        return
    frame = frontier.frame().dropna(axis="columns", how="all")
    frame["best"] = ["*" if best else "" for best in frame["best"]]
    exact = {frontier.metric, "low", "high", "attack_auc"} & set(frame)
    spent = {column.name for column in SPENT.values()} & set(frame)
    typer.echo(
        frame.to_string(
            index=False,
            na_rep="",
            float_format=lambda value: f"{value:.4g}",
            formatters={**dict.fromkeys(exact, _four), **dict.fromkeys(spent, _upward)},
        )
    )
    rows = max(point.test_rows for point in frontier.points)
    same = f", all on the same {rows} test rows, whose own error is not included" if rows else ""
    typer.echo(
        "\n*: best accuracy for at most this ε\nlow to high: 95 % interval of the mean over "
        f"seeds{same}; empty where all seeds agree"
    )
    if "attack_auc" in frame:
        typer.echo(
            "attack_auc: how well the loss reveals which rows were trained on; 0.5 is guessing"
        )
    if any(point.runs == 2 for point in frontier.points):
        typer.echo("An interval over two seeds is unreliable: use five.")
    for name, value in frontier.levels.items():
        typer.echo(f"  {name:<12}{value:.4f}")


def _four(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _upward(value: float) -> str:
    return "" if math.isnan(value) else rounded_up(value)


PHASES = {
    "sampling": "drawing the cohort",
    "data": "batches of the clients",
    "gradients": "forward and backward pass, including the step where they are combined",
    "noise": "noise for example-level privacy",
    "step": "strategy hooks and local steps",
    "clipping": "attacks, update norms and clipping",
    "aggregation": "sum, noise on the sum, and server step",
    "evaluation": "evaluation on the held-out test set",
    "accounting": "the privacy ledger",
    "rest": "between the phases, and waiting for workers",
}


def profile(history: History) -> None:
    """Print what the time of a round went into."""
    rows = history.snapshot()
    if not rows:
        return
    first, rows = rows[0], rows[1:] or rows  # what torch does once belongs to nobody's round
    whole = sum(row.seconds for row in rows)
    spent = {phase: sum(row.profile.get(phase, 0.0) for row in rows) for phase in PHASES}
    spent["rest"] = whole - sum(spent.values())
    typer.echo(
        f"\nthe first round took {1000 * first.seconds:.2f} ms; the {len(rows)} after it, each, on "
        f"average {1000 * whole / len(rows):.2f} ms, evaluation included"
    )
    for phase, seconds in spent.items():
        if seconds > 0:
            each = f"{1000 * seconds / len(rows):.2f} ms"
            typer.echo(f"  {phase:<12}{seconds / whole:>6.1%}  {each:>11}  {PHASES[phase]}")


def scenarios(known: Iterable[Scenario]) -> None:
    """Print a line for each scenario: name, title, data, and whether the real set is at hand."""
    rows = [("name", "title", "data", "real set")]
    for each in known:
        rows.append((each.name, each.title, each().data.kind(), _real_set(each)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    typer.echo(
        "\nNext: `fedbench scenarios NAME` for its description, `fedbench new --scenario NAME`"
    )


def story(scenario: Scenario) -> None:
    """Print what a scenario is about, what to ask of it, and what it takes to read its real set."""
    typer.echo(f"{scenario.title}\n\n{textwrap.fill(scenario.story, WIDTH)}\n")
    for question in scenario.questions:
        typer.echo(textwrap.fill(f"- {question}", WIDTH, subsequent_indent="  "))
    typer.echo(f"\n  {'data':<10}{scenario().data.kind()}\n  {'real set':<10}{_real_set(scenario)}")
    if scenario.real is not None and (lacking := scenario.lacks()):
        typer.echo(textwrap.indent(textwrap.fill(lacking, WIDTH - 12), " " * 12))


def _real_set(scenario: Scenario) -> str:
    if scenario.real is None:
        return "none"
    kind = scenario(real=True).data.kind()
    return kind if not scenario.lacks() else f"{kind} (needs a download)"
