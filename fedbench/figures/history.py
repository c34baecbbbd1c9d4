"""A run over its rounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fedbench.figures.theme import (
    BAND,
    BLUE,
    GREEN,
    LEVELS,
    NAMES,
    ORANGE,
    PURPLE,
    QUIET,
    SHARES,
    at_panel,
    fitted,
    has_values,
    heading,
    line_of,
    plain,
    spent_columns,
    stroke_of,
    style,
    values_of,
)
from fedbench.rounding import rounded_up


def history_figure(
    frame: pd.DataFrame,
    metric: str,
    title: str = "",
    levels: Mapping[str, float] | None = None,
) -> go.Figure:
    """Return a run over its rounds: `metric` with its clients' band, loss, and ε where it is spent.

    `frame` is what `History.frame()` gives; `title` and `metric` may be any text. Where clients
    have models of their own, these are a line of their own and the band is by them. `levels` of the
    metric, by their names, are dashed lines to compare with. Raises KeyError when `frame` has no
    column `metric`.
    """
    spent = next(iter(spent_columns(frame)), None)
    personal = has_values(frame, "personal")
    band = "band: personal models" if personal else "band: clients"
    panels = [
        (NAMES.get(metric, metric), f"{band}, 10th to 90th percentile"),
        ("Loss", "test and training"),
        *([("Privacy spent", LEVELS[spent])] if spent else []),
    ]
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.09)
    for column, (name, note) in enumerate(panels, start=1):
        heading(figure, name, note, column)
    rounds = values_of(frame, "round")
    share = metric in SHARES
    number = ".1%" if share else ".3~g"
    for edge, fill in (("90th", "none"), ("10th", "tonexty")):
        y = values_of(frame, f"clients_p{edge[:2]}")
        bare = {"width": 0, "color": BLUE}
        label = f"clients, {edge} percentile"
        band = line_of(rounds, y, label, bare, number, fill=fill, fillcolor=BAND)
        figure.add_trace(band, 1, 1)
    own = (
        [("personal", "personal models", stroke_of(PURPLE, "dash"), number, 1)] if personal else []
    )
    lines = [
        (metric, plain(metric), stroke_of(BLUE), number, 1),
        *own,
        ("loss", "test", stroke_of(BLUE), ".3f", 2),
        ("train_loss", "train", stroke_of(GREEN, "dot"), ".3f", 2),
        *([(spent, LEVELS[spent], stroke_of(ORANGE), ".3f", 3)] if spent else []),
    ]
    for name, label, stroke, digits, column in lines:
        y = values_of(frame, name)
        figure.add_trace(line_of(rounds, y, label, stroke, digits), 1, column)
    if len(frame):
        _label_ends(figure, frame, metric, share, spent)
    _draw_levels(figure, levels or {}, share)
    style(figure, title)
    # the room to the right is for the labels at the ends of the lines
    end = max(1, rounds[-1]) * 1.22 if len(frame) else 1
    figure.update_xaxes(title_text="round", range=[0, end])
    figure.update_yaxes(rangemode="tozero")
    drawn = [values_of(frame, name) for name in (metric, "clients_p10", "clients_p90", "personal")]
    drawn.append(np.array([*(levels or {}).values()], dtype=np.float64))
    figure.update_yaxes(range=fitted(drawn, share), row=1, col=1)
    if share:
        figure.update_yaxes(tickformat=".0%", row=1, col=1)
    return figure


def _draw_levels(figure: go.Figure, levels: Mapping[str, float], share: bool) -> None:
    for k, (name, value) in enumerate(sorted(levels.items(), key=lambda level: level[1])):
        number = f"{value:.1%}" if share else f"{value:.3g}"
        figure.add_hline(
            y=value,
            line={"color": QUIET, "width": 1.2, "dash": "dash"},
            annotation={
                "text": f"{plain(name)} {number}",
                "font": {"color": QUIET, "size": 11},
            },
            # the lowest beneath its line, the others above: two that are close stay legible
            annotation_position="top left" if k else "bottom left",
            **at_panel(1),
        )


def _label_ends(
    figure: go.Figure, frame: pd.DataFrame, metric: str, share: bool, spent: str | None
) -> None:
    def last(name: str) -> float:
        return float(values_of(frame, name)[-1])

    def shown(name: str) -> str:
        return f"{last(name):.1%}" if share else f"{last(name):.3g}"

    value = [(metric, shown(metric), BLUE)]
    if has_values(frame, "personal"):
        value = [(metric, f"global {shown(metric)}", BLUE)]
        value += [("personal", f"own {shown('personal')}", PURPLE)]
    losses = [("loss", "test", BLUE), ("train_loss", "train", GREEN)]
    panels = [value, [(name, f"{word} {last(name):.2f}", color) for name, word, color in losses]]
    if spent:
        panels.append([(spent, f"ε {rounded_up(last(spent), 3)}", ORANGE)])
    end = last("round")
    for column, labels in enumerate(panels, start=1):
        # the upper of two labels is shifted up and the lower one down, or they would overlap
        labels.sort(key=lambda label: last(label[0]))
        shifts = (-9, 9) if len(labels) > 1 else (0,)
        for (name, text, color), shift in zip(labels, shifts, strict=True):
            if np.isfinite(last(name)):
                _end_label(figure, end, last(name), text, color, column, shift)


def _end_label(
    figure: go.Figure, x: float, y: float, text: str, color: str, column: int, shift: int
) -> None:
    figure.add_annotation(
        x=x,
        y=y,
        text=f"<b>{text}</b>",
        font={"color": color, "size": 12},
        showarrow=False,
        xanchor="left",
        xshift=6,
        yshift=shift,
        row=1,
        col=column,
    )
