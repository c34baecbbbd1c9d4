"""The parts of a report: sentences, tables and figures of runs."""

from __future__ import annotations

import base64
import hashlib
import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from fedbench.data import FederatedDataset
from fedbench.experiment import Experiment
from fedbench.figures import comparison_figure
from fedbench.metrics import (
    METRICS,
    OVER_CLIENTS,
    SPENT,
    TOTALS,
    Column,
    totals,
    worst_called,
)
from fedbench.reporting.markup import Html, folded, table, tag, together
from fedbench.runs import History
from fedbench.runs.naive import levels as naive_levels
from fedbench.runs.note import note
from fedbench.study.differences import cells, titles

if TYPE_CHECKING:
    from fedbench.study import Baselines, Frontier, Gains

LISTED = 20  # clients of a run that have a line of their own, the worst first


def summary(histories: list[History], names: Sequence[str], differing: Sequence[str]) -> Html:
    """Return what the runs say, in a sentence or two."""
    if len(histories) == 1:
        told = note(histories[0], _data(histories[0].experiment))
        return tag("p", told or "The run has no finite result.", class_="lead")
    apart = f" They differ only in {_listed(differing)}." if differing else ""
    words = f"{len(histories)} runs.{apart}"
    groups = _alike(histories)
    for data, group in groups:
        metric = METRICS[histories[group[0]].metric]
        values = {k: histories[k].snapshot()[-1].metrics[metric.name] for k in group}
        values = {k: value for k, value in values.items() if math.isfinite(value)}
        if values:
            best = (max if metric.rises else min)(values, key=lambda k: values[k])
            where = "The" if len(groups) == 1 else f"On {data}, the"
            figure = metric.text(values[best])
            words += f" {where} best {metric.title} is {figure}, by “{names[best]}”."
    return tag("p", words, class_="lead")


def together_drawn(
    histories: list[History], names: Sequence[str], figures: list[go.Figure]
) -> list[Html]:
    """Return a figure for each data set and metric: runs on others do not compare."""
    found, groups = [], _alike(histories)
    for data, group in groups:
        metric = histories[group[0]].metric
        figure = comparison_figure([(names[k], histories[k].frame()) for k in group], metric)
        label = f"{METRICS[metric].title} of the runs on {data}, by round"
        if len(groups) > 1:
            found.append(tag("h3", data))
        found.append(_figure(figure, label, figures))
    return found


def frontier(found: Frontier, figures: list[go.Figure]) -> Html:
    """Return the frontier of a sweep as a figure."""
    figure = found.figure()
    title = html.unescape(figure.layout.title.text)
    figure.update_layout(title_text="", margin_t=48)  # as words of the page it wraps
    drawn = _figure(figure, f"{METRICS[found.metric].title} of a sweep", figures)
    return tag("section", tag("h2", "Sweep"), tag("p", title, class_="quiet"), drawn)


def results(histories: list[History], names: Sequence[str], paths: Sequence[str]) -> Html:
    """Return a line for each run: what tells it apart first, then what it came to."""
    experiments = [history.experiment for history in histories]
    head = ["run", *(titles(experiments[0], paths))]
    ends = [history.snapshot()[-1].clients for history in histories]
    worst = max((worst_called(values) for values in ends), key=len).removeprefix("the ")
    sums = [totals(history.snapshot()) for history in histories]
    known = [
        name
        for name, column in TOTALS.items()
        if column.listed and any(math.isfinite(each[name]) for each in sums)
    ]
    head += ["result", worst, "privacy", "rounds", *(_heading(TOTALS[name]) for name in known)]
    columns = [cells(experiments, path) for path in paths]
    rows = []
    for k, (history, name) in enumerate(zip(histories, names, strict=True)):
        metric, last, promised = METRICS[history.metric], history.snapshot()[-1], "none"
        if history.unit is not None:
            spent = SPENT[history.unit]
            delta = history.summary["delta"]
            promised = f"{spent.title} {spent.text(history.spent)}, δ {delta:g}"
        rows.append(
            [
                name,
                *(column[k] for column in columns),
                f"{metric.text(last.metrics[metric.name])} {metric.title}",
                metric.text(last.over_clients()["worst_tenth"]),
                promised,
                last.round,
                *(TOTALS[total].text(sums[k][total]) for total in known),
            ]
        )
    return tag("section", tag("h2", "Results"), table(head, rows, "At the end of each run"))


def run(
    history: History,
    name: str,
    figures: list[go.Figure],
    alone: bool,
    levels: Baselines | None = None,
    gains: Gains | None = None,
) -> Html:
    """Return all about one run."""
    experiment = history.experiment
    described = f"{experiment.data.kind()} · {experiment.model.kind()} · {experiment.describe()}"
    parts = [tag("h2", "The run" if alone else name), tag("p", described, class_="quiet")]
    if not alone:
        parts.append(tag("p", note(history, _data(experiment))))
    data = _data(experiment)
    known = {} if data is None else naive_levels(data, history.metric)
    label = f"{METRICS[history.metric].title}, loss and privacy spent"
    figure = history.figure({**known, **(levels.levels if levels else {})})
    figure.update_layout(title_text="", margin_t=48)  # the heading above says it
    parts.append(_figure(figure, label, figures))
    parts += [*_warnings(history), *_gains(levels, gains), *_clients(history), *_privacy(history)]
    parts.append(folded("The experiment as TOML", tag("pre", experiment.to_toml())))
    parts.append(folded("The experiment as Python", tag("pre", experiment.to_python())))
    return tag("section", together(parts))


def provenance(histories: list[History]) -> Html:
    """Return what the runs were made with, and how to make them again."""
    experiments = [history.experiment for history in histories]
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(each.seed for each in experiments))
    made = ", ".join(f"{name} {at}" for name, at in histories[0].summary["versions"].items())
    exact = [each.replays for each in experiments]
    again = "Running its code again gives the same numbers, bit for bit, on the same machine."
    if any(history.amendments for history in histories):
        again = (
            "The code of a run that was edited while running does not reproduce it: the code "
            "has the initial settings, and the changes are listed with it."
        )
    elif not all(exact):
        again = (
            "The noise of a private run comes from the operating system: running its code "
            "again gives the same settings and different noise."
        )
    how = (
        "To reproduce a run, save its TOML as experiment.toml and call fedbench run "
        f"experiment.toml, or run its Python code. {again}"
    )
    lines = [("Seed", seeds), ("Versions", made), ("Reproduce", how)]
    rows = [tag("div", tag("dt", name), tag("dd", words)) for name, words in lines]
    return tag("section", tag("h2", "How to reproduce it"), tag("dl", *rows))


def policy(*scripts: str) -> str:
    """Return a content security policy under which these scripts run and nothing is fetched."""
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    ]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    rest = "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {allowed}; {rest}"


def data(figure: go.Figure) -> Html:
    """Return a figure as JSON that can stand in a page, as wide as the page lets it be."""
    figure.update_layout(width=None, autosize=True)
    figure.update_yaxes(automargin=True, title_standoff=12)
    return Html(str(figure.to_json()).replace("<", "\\u003c"))


def _figure(figure: go.Figure, label: str, figures: list[go.Figure]) -> Html:
    figures.append(figure)
    height = f"height: {figure.layout.height or 340}px"
    return tag("div", class_="figure", role="img", aria_label=label, style=height)


def _warnings(history: History) -> list[Html]:
    words = [*history.experiment.cautions(), *history.cautions]
    for amended in history.amendments:
        changes = ", ".join(f"{path} = {value}" for path, value in amended.changes.items())
        words = [*words, f"From round {amended.round} on: {changes}"]
    if not words:
        return []
    return [tag("h3", "Notes"), tag("ul", *(tag("li", each) for each in words))]


def _gains(levels: Baselines | None, gains: Gains | None) -> list[Html]:
    """Return who gains by the federation, with a line for each client, those who lose first."""
    found = [tag("p", levels.comment)] if levels is not None and levels.comment else []
    if gains is not None:
        order = {"loses": 0, "cannot tell": 1, "gains": 2}
        frame = gains.frame().sort_values(
            "verdict", key=lambda each: each.map(order), kind="stable"
        )
        metric = METRICS[gains.metric]
        share = 100 if metric.format == "percent" else 1
        listed = frame.head(LISTED)
        records: list[dict[str, Any]] = listed.to_dict("records")
        rows = [
            (
                client,
                metric.text(row["federated"]),
                metric.text(row["alone"]),
                f"{share * row['gain']:+.3g}",
                f"{share * row['low']:+.3g} to {share * row['high']:+.3g}"
                if math.isfinite(row["low"] + row["high"])
                else "too few rows",
                row["test_rows"],
                row["verdict"],
            )
            for client, row in zip(map(str, listed.index), records, strict=True)
        ]
        unit = ", in points" if share == 100 else ""
        head = ["client", "federated", "alone", f"gain{unit}", "95 % interval", "test rows", ""]
        left = len(frame) - len(rows)
        more = f"; {left} more clients are not listed" if left else ""
        caption = f"{metric.title} on the client's own test rows, losses first{more}"
        found += [tag("p", str(gains)), folded("Each client", table(head, rows, caption))]
    return [tag("h3", "Who gains?"), *found] if found else []


def _clients(history: History) -> list[Html]:
    """Return how the last round was for the clients: as a whole, and for the worst of them."""
    last, metric = history.frame().iloc[-1], METRICS[history.metric]
    worst = worst_called(history.snapshot()[-1].clients).removeprefix("the ")
    called = {column.name: column.title for column in OVER_CLIENTS} | {"worst_tenth": worst}
    whole = [(words, metric.text(last[name])) for name, words in called.items()]
    scores = history.clients().iloc[:, -1].to_numpy(dtype=float)
    known = np.flatnonzero(np.isfinite(scores))
    if not len(known):
        return []
    took_part = history.participation().sum(axis=1)
    rises = metric.rises
    order = sorted(known, key=lambda client: scores[client] if rises else -scores[client])
    data = _data(history.experiment)
    listed = np.array(order[:LISTED])
    tests = ["–"] * len(listed) if data is None else data.tests_of(listed).tolist()
    rows = [
        (
            data.name(client) if data else f"client {client}",
            metric.text(scores[client]),
            count,
            int(took_part.iloc[client]),
        )
        for client, count in zip(listed.tolist(), tests, strict=True)
    ]
    left = len(known) - len(rows)
    more = f"; {left} more clients do better than these" if left else ""
    caption = f"Clients with test rows, the worst first{more}"
    each = table(["client", metric.title, "test rows", "rounds taken part in"], rows, caption)
    head = ["over clients", metric.title]
    return [
        tag("h3", "Clients"),
        table(head, whole, f"After round {int(last['round'])}"),
        folded(f"The {len(rows)} worst of {len(known)} clients" if left else "Each client", each),
    ]


def _data(experiment: Experiment) -> FederatedDataset | None:
    """Return what the clients hold, None where their data are not here."""
    try:
        return experiment.federation()
    except (ValueError, OSError):
        return None


def _privacy(history: History) -> list[Html]:
    card = history.privacy_card()
    lines = [tag("div", tag("dt", name), tag("dd", words)) for name, words in card.lines]
    left_out = tag("ul", *(tag("li", each) for each in card.not_covered))
    return [
        tag("h3", "Privacy"),
        tag("p", card.statement),
        *([tag("dl", *lines)] if lines else []),
        tag("p", "Not covered:"),
        left_out,
    ]


def _alike(histories: list[History]) -> list[tuple[str, list[int]]]:
    """Return what runs may be compared, those on the same data by the same metric: name, places."""
    called = cells([history.experiment for history in histories], "data")
    found: dict[tuple[object, str], list[int]] = {}
    for k, history in enumerate(histories):
        found.setdefault((history.experiment.data, history.metric), []).append(k)
    return [(called[group[0]], group) for group in found.values()]


def _heading(column: Column) -> Html:
    return tag("abbr", column.title, title=column.help)


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
