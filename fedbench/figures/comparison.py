"""Several runs over their rounds."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from fedbench.figures.theme import (
    NAMES,
    SERIES,
    SHARES,
    fitted,
    line_of,
    plain,
    stroke_of,
    style,
    values_of,
)

DASHES = ("solid", "dash", "dot")  # the next where colours begin again


def comparison_figure(
    frames: Sequence[tuple[str, pd.DataFrame]], metric: str, title: str = ""
) -> go.Figure:
    """Return several runs over their rounds: a line of `metric` for each.

    `frames` are the names of the runs, which may be any text, with what `History.frame()` gives.
    Raises KeyError when a frame has no column `metric`.
    """
    figure = go.Figure()
    share = metric in SHARES
    number = ".1%" if share else ".3~g"
    colors = list(dict.fromkeys(color for color, _ in SERIES))
    for k, (name, frame) in enumerate(frames):
        stroke = stroke_of(colors[k % len(colors)], DASHES[k // len(colors) % len(DASHES)])
        y = values_of(frame, metric)
        figure.add_trace(line_of(values_of(frame, "round"), y, plain(name), stroke, number))
    style(figure, title)
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(title_text="round", rangemode="tozero")
    span = fitted((values_of(frame, metric) for _, frame in frames), share) if frames else None
    figure.update_yaxes(title_text=plain(NAMES.get(metric, metric)), range=span)
    return figure.update_yaxes(tickformat=".0%") if share else figure
