"""Privacy against utility, and other settings against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from fedbench.figures.theme import (
    BAND,
    BLUE,
    LEVELS,
    NAMES,
    QUIET,
    SERIES,
    SHARES,
    Floats,
    at_panel,
    plain,
    spent_columns,
    style,
    values_of,
)


def frontier_figure(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    title: str = "",
    levels: Mapping[str, float] | None = None,
) -> go.Figure:
    """Return privacy against utility: one point a run or a mean of runs, ε on a logarithmic axis.

    Columns of `frame`: value (of `metric`), label, and as in `History.frame()` epsilon for the runs
    with client-level ε and example_epsilon for those with example-level ε, of which one may be
    missing. Where both occur, each has a panel of its own. A run with neither is drawn as a level,
    like those of `levels`. There may be low and high, the ends of an error bar; series, by which
    points are coloured; and best, whether a point is to be filled and on the stairs: between two
    budgets nothing better is known than what the smaller one gave. Without best a line joins the
    points of a series.
    """
    heights = _heights(frame)
    names = spent_columns(frame) or [next((name for name in LEVELS if name in frame), "epsilon")]
    spent = {name: values_of(frame, name) for name in LEVELS if name in frame}
    value = values_of(frame, "value")
    figure = make_subplots(rows=1, cols=len(names), shared_yaxes=True, horizontal_spacing=0.06)
    open_runs = np.flatnonzero(np.all([np.isnan(each) for each in spent.values()], axis=0))
    plain_levels = [(str(frame["label"].iloc[k]), float(value[k])) for k in open_runs]
    for column, name in enumerate(names, start=1):
        x, here = spent[name], at_panel(column)
        runs = np.array([k for k in np.argsort(x) if np.isfinite(x[k])], dtype=int)
        if "best" in frame:
            best = runs[frame["best"].to_numpy(dtype=bool)[runs]]
            stairs = {"color": BAND, "width": 7, "shape": "hv"}
            figure.add_scatter(
                # the last step goes on as far as anything is known
                x=np.append(x[best], x[runs[-1:]] if len(best) else []),
                y=np.append(value[best], value[best[-1:]]),
                mode="lines",
                line=stairs,
                hoverinfo="skip",
                showlegend=False,
                **here,
            )
        for trace in _series(frame.iloc[runs], x[runs], metric, LEVELS[name]):
            figure.add_trace(trace, **here)
        last = column == len(names)
        _draw_levels(figure, [*plain_levels, *(levels or {}).items()], metric, heights, here, last)
        ends = [np.log10(x[runs[0]]) - 0.15, np.log10(x[runs[-1]]) + 0.35] if len(runs) else None
        figure.update_xaxes(title_text=LEVELS[name], range=ends, **here)
    style(figure, title)
    width = 720 if len(names) == 1 else 1080
    figure.update_layout(width=width)
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    figure.update_xaxes(type="log", tickvals=ticks)
    return _utility_axis(figure, metric, [*dict(plain_levels), *(levels or {})])


def setting_figure(
    frame: pd.DataFrame,
    metric: str,
    name: str,
    title: str = "",
    levels: Mapping[str, float] | None = None,
) -> go.Figure:
    """Return utility against a setting called `name`: a number, or else one place for each text.

    Columns of `frame`: x (the setting), value (of `metric`), label, and if there are such low, high
    and series; see `frontier_figure`. Numbers over two decades or more have a logarithmic axis.
    """
    figure = go.Figure()
    numeric = pd.api.types.is_numeric_dtype(frame["x"])
    if numeric:
        frame = frame.sort_values("x", kind="stable")
    x = frame["x"].to_numpy() if numeric else np.array([plain(text) for text in frame["x"]])
    for trace in _series(frame, x, metric, plain(name)):
        figure.add_trace(trace if numeric else trace.update(mode="markers+text"))
    _draw_levels(figure, [*(levels or {}).items()], metric, _heights(frame), {}, True)
    style(figure, title)
    figure.update_layout(width=720)
    figure.update_xaxes(title_text=plain(name), automargin=True)
    if numeric and len(x) and x.min() > 0 and x.max() >= 100 * x.min():
        values = sorted(set(x.tolist()))
        figure.update_xaxes(type="log", tickvals=values, ticktext=[f"{each:g}" for each in values])
    return _utility_axis(figure, metric, list(levels or {}))


def map_figure(
    table: pd.DataFrame, metric: str, higher_is_better: bool, title: str = ""
) -> go.Figure:
    """Return a table of `metric` as a map, its values written in the cells; the best are darkest.

    Index and columns are named by the settings that they are values of. A gap is NaN.
    """
    share = metric in SHARES
    number = ".1%" if share else ".3~g"
    colors = [(0, "#f3f6f9"), (1, BLUE)]
    figure = go.Figure(
        go.Heatmap(
            x=[plain(each) for each in table.columns],
            y=[plain(each) for each in table.index],
            z=table.to_numpy(dtype=np.float64),
            colorscale=colors
            if higher_is_better
            else [(1 - at, color) for at, color in colors][::-1],
            xgap=2,
            ygap=2,
            texttemplate=f"%{{z:{number}}}",
            hoverongaps=False,
            colorbar={
                "title": {"text": plain(NAMES.get(metric, metric))},
                "tickformat": ".0%" if share else None,
                "thickness": 10,
                "outlinewidth": 0,
            },
            hovertemplate=f"%{{y}}, %{{x}}: %{{z:{number}}}<extra></extra>",
        )
    )
    style(figure, title)
    height = max(300, 130 + 40 * len(table))
    figure.update_layout(width=720, height=height, hovermode="closest")
    figure.update_xaxes(type="category", title_text=plain(table.columns.name), automargin=True)
    figure.update_yaxes(type="category", title_text=plain(table.index.name), automargin=True)
    return figure.update_yaxes(showgrid=False)


def _heights(frame: pd.DataFrame) -> Floats:
    """Return all heights that points and their error bars come to."""
    columns = [values_of(frame, name) for name in ("value", "low", "high") if name in frame]
    return np.concatenate(columns)


def _series(frame: pd.DataFrame, x: NDArray[Any], metric: str, name: str) -> list[go.Scatter]:
    """Return the points of each series, in the order of the frame."""
    number = ".1%" if metric in SHARES else ".3~g"
    series = frame["series"].to_numpy() if "series" in frame else np.full(len(frame), "")
    value, labels = values_of(frame, "value"), np.array([plain(text) for text in frame["label"]])
    traces = []
    for k, each in enumerate(dict.fromkeys(series.tolist()) if len(series) else [""]):
        own = np.flatnonzero(series == each)
        color, symbol = SERIES[k % len(SERIES)]
        marker: dict[str, Any] = {"color": color, "size": 9, "symbol": symbol}
        more: dict[str, Any] = {}
        if "best" in frame:
            best = frame["best"].to_numpy(dtype=bool)[own]
            marker |= {
                "color": np.where(best, color, "white"),
                "line": {"color": color, "width": 2},
            }
        if "high" in frame:
            up, down = (np.abs(values_of(frame, end) - value)[own] for end in ("high", "low"))
            more["error_y"] = {
                "array": up,
                "arrayminus": down,
                "color": color,
                "thickness": 1.5,
                "width": 4,
            }
        traces.append(
            go.Scatter(
                x=x[own],
                y=value[own],
                name=plain(each),
                mode="markers+text" if "best" in frame else "lines+markers+text",
                text=labels[own],
                textposition="bottom right",
                textfont={"color": color, "size": 12},
                line={"color": color, "width": 1.5},
                marker=marker,
                cliponaxis=False,
                hovertemplate=f"{name} %{{x}}: %{{y:{number}}}<extra>{plain(each)}</extra>",
                **more,
            )
        )
    return traces


def _draw_levels(
    figure: go.Figure,
    levels: Sequence[tuple[str, float]],
    metric: str,
    heights: Floats,
    here: dict[str, Any],
    labelled: bool,
) -> None:
    """Draw levels as dashed lines, with their names in the margin and clear of each other."""
    known = sorted((level for level in levels if np.isfinite(level[1])), key=lambda level: level[1])
    whole = np.concatenate([heights, [value for _, value in known]])
    whole = whole[np.isfinite(whole)]
    apart = 0.06 * float(np.ptp(whole)) if len(whole) else 0.0
    below = -np.inf
    for name, value in known:
        figure.add_hline(y=value, line={"color": QUIET, "width": 1.2, "dash": "dash"}, **here)
        below = max(value, below + apart)
        if labelled:
            number = f"{value:.1%}" if metric in SHARES else f"{value:.3g}"
            figure.add_annotation(
                text=f"{plain(name)} {number}",
                x=1.01,
                y=below,
                xref="x domain",
                xanchor="left",
                yanchor="middle",
                font={"color": QUIET, "size": 11},
                showarrow=False,
                **here,
            )


def _utility_axis(figure: go.Figure, metric: str, levels: Sequence[str]) -> go.Figure:
    """Name the axis and leave room for what is written beside the panels and above them."""
    right = 24 + (60 + 6 * max(map(len, levels)) if levels else 0)
    figure.update_layout(
        height=380,
        hovermode="closest",
        margin={"l": 64, "r": right},
        showlegend=len(list(figure.select_traces(lambda trace: bool(trace.name)))) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    # the first axis: the others share it
    figure.update_layout(yaxis_title_text=plain(metric))
    return figure.update_yaxes(tickformat=".0%") if metric in SHARES else figure
