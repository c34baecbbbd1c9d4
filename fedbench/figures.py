"""plotly figures of plain tables: a run over its rounds, and privacy against utility.

Blue, green, orange and purple are those of Okabe and Ito (2008), which people with colour-blindness
can tell apart; the green line is dotted and the purple one dashed as well.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

Floats = NDArray[np.float64]

BLUE, GREEN, ORANGE, PURPLE = "#0072B2", "#009E73", "#D55E00", "#B0568F"
INK, QUIET, GRID = "#1f2933", "#52606d", "#e9edf2"
BAND = "rgba(0, 114, 178, 0.14)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

# Units of privacy are never mixed: the columns that hold an ε, and how each of them is called.
LEVELS = {
    "epsilon": "client-level ε",
    "example_epsilon": "example-level ε",
    "local_epsilon": "local ε",
}
SHARES = ("accuracy",)  # metrics between 0 and 1, shown in per cent
# Beyond colour-blind readers' four, shapes tell lines apart.
SERIES = [
    (color, symbol) for symbol in ("circle", "diamond") for color in (BLUE, ORANGE, GREEN, PURPLE)
]
NAMED = 30  # clients whose names have room in a figure
NAMES = {"rmse": "RMSE", "mae": "MAE", "r2": "R²", "accuracy": "Accuracy"}


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
    spent = next(iter(_spent(frame)), None)
    personal = _known(frame, "personal")
    band = "band: own models" if personal else "band: clients"
    panels = [
        (NAMES.get(metric, metric), f"{band}, 10th to 90th percentile"),
        ("Loss", "test and training"),
        *([("Privacy spent", LEVELS[spent])] if spent else []),
    ]
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.09)
    for column, (name, note) in enumerate(panels, start=1):
        heading(figure, name, note, column)
    rounds = _column(frame, "round")
    share = metric in SHARES
    number = ".1%" if share else ".3~g"
    for edge, fill in (("90th", "none"), ("10th", "tonexty")):
        y = _column(frame, f"clients_p{edge[:2]}")
        bare = {"width": 0, "color": BLUE}
        label = f"clients, {edge} percentile"
        band = _line(rounds, y, label, bare, number, fill=fill, fillcolor=BAND)
        figure.add_trace(band, 1, 1)
    lines = [
        (metric, plain(metric), _stroke(BLUE), number, 1),
        *([("personal", "own models", _stroke(PURPLE, "dash"), number, 1)] if personal else []),
        ("loss", "test", _stroke(BLUE), ".3f", 2),
        ("train_loss", "train", _stroke(GREEN, "dot"), ".3f", 2),
        *([(spent, LEVELS[spent], _stroke(ORANGE), ".3f", 3)] if spent else []),
    ]
    for name, label, stroke, digits, column in lines:
        y = _column(frame, name)
        figure.add_trace(_line(rounds, y, label, stroke, digits), 1, column)
    if len(frame):
        _label_ends(figure, frame, metric, share, spent)
    for k, (name, value) in enumerate(sorted((levels or {}).items(), key=lambda level: level[1])):
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
            **_panel(1),
        )
    style(figure, title)
    # the room to the right is for the labels at the ends of the lines
    end = max(1, rounds[-1]) * 1.22 if len(frame) else 1
    figure.update_xaxes(title_text="round", range=[0, end])
    figure.update_yaxes(rangemode="tozero")
    if share:
        figure.update_yaxes(tickformat=".0%", range=[0, 1.02], row=1, col=1)
    return figure


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
    names = _spent(frame) or [next((name for name in LEVELS if name in frame), "epsilon")]
    spent = {name: _column(frame, name) for name in LEVELS if name in frame}
    value = _column(frame, "value")
    figure = make_subplots(rows=1, cols=len(names), shared_yaxes=True, horizontal_spacing=0.06)
    open_runs = np.flatnonzero(np.all([np.isnan(each) for each in spent.values()], axis=0))
    plain_levels = [(str(frame["label"].iloc[k]), float(value[k])) for k in open_runs]
    for column, name in enumerate(names, start=1):
        x, here = spent[name], _panel(column)
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
    colors = [[0, "#f3f6f9"], [1, BLUE]]
    figure = go.Figure(
        go.Heatmap(
            x=[plain(each) for each in table.columns],
            y=[plain(each) for each in table.index],
            z=table.to_numpy(dtype=np.float64),
            colorscale=colors
            if higher_is_better
            else [[1 - at, color] for at, color in colors][::-1],
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


def partition_figure(
    counts: NDArray[np.int64], classes: Sequence[str], names: Sequence[str], title: str = ""
) -> go.Figure:
    """Return who holds how much of which class: a map of counts[clients, classes] under the sizes.

    Names may be any text; they are written beneath up to as many clients as there is room for.
    """
    clients, few = len(counts), len(counts) <= NAMED
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.25, 0.75], vertical_spacing=0.04
    )
    labels = [plain(name) for name in names]
    at = np.arange(clients)
    figure.add_bar(
        x=at,
        y=counts.sum(axis=1),
        marker={"color": QUIET, "line_width": 0},
        customdata=labels,
        hovertemplate="%{customdata}: %{y} samples<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_heatmap(
        x=at,
        y=[plain(name) for name in classes],
        z=counts.T,
        customdata=np.broadcast_to(np.array(labels, dtype=object), counts.T.shape),
        colorscale=[[0, "#f3f6f9"], [1, BLUE]],
        xgap=1 if clients <= 200 else 0,
        ygap=1,
        texttemplate="%{z}" if few else None,
        colorbar={"title": {"text": "samples"}, "thickness": 10, "outlinewidth": 0},
        hovertemplate="%{customdata}, %{y}: %{z} samples<extra></extra>",
        row=2,
        col=1,
    )
    style(figure, title)
    figure.update_layout(
        hovermode="closest", bargap=0.08, height=max(300, 150 + 24 * len(classes)), width=880
    )
    if few:
        ticks = {"tickmode": "array", "tickvals": at, "ticktext": labels}
        figure.update_xaxes(**ticks, row=2, col=1)
    else:
        figure.update_xaxes(title_text=f"{clients} clients", row=2, col=1)
    figure.update_xaxes(range=[-0.5, clients - 0.5])
    figure.update_yaxes(title_text="samples", row=1, col=1)
    # automatic margins: names of classes and clients are as long as they are
    figure.update_yaxes(type="category", autorange="reversed", dtick=1, row=2, col=1)
    figure.update_yaxes(showgrid=False, automargin=True, row=2, col=1)
    return figure.update_xaxes(automargin=True, row=2, col=1)


def plain(text: object) -> str:
    """Return `text` so that plotly shows it as it is: names may hold its pseudo-HTML or MathJax."""
    # plotly hands text between dollar signs to MathJax and takes <b>, <a> and the like as markup.
    return html.escape(str(text), quote=False).replace("$", "&#36;")


def _column(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64)


def _panel(column: int) -> dict[str, Any]:
    return {"row": 1, "col": column}


def _known(frame: pd.DataFrame, name: str) -> bool:
    return name in frame and bool(np.isfinite(_column(frame, name)).any())


def _spent(frame: pd.DataFrame) -> list[str]:
    """Return the columns in which an ε was spent."""
    return [name for name in LEVELS if _known(frame, name)]


def _heights(frame: pd.DataFrame) -> Floats:
    """Return all heights that points and their error bars come to."""
    columns = [_column(frame, name) for name in ("value", "low", "high") if name in frame]
    return np.concatenate(columns)


def _series(frame: pd.DataFrame, x: NDArray[Any], metric: str, name: str) -> list[go.Scatter]:
    """Return the points of each series, in the order of the frame."""
    number = ".1%" if metric in SHARES else ".3~g"
    series = frame["series"].to_numpy() if "series" in frame else np.full(len(frame), "")
    value, labels = _column(frame, "value"), np.array([plain(text) for text in frame["label"]])
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
            up, down = (np.abs(_column(frame, end) - value)[own] for end in ("high", "low"))
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


def _stroke(color: str, dash: str = "solid") -> dict[str, Any]:
    return {"color": color, "width": 2.2, "dash": dash}


def _line(
    x: Floats, y: Floats, name: str, line: dict[str, Any], number: str, **more: Any
) -> go.Scatter:
    # a line of one point is invisible
    mode = "lines" if len(x) > 1 else "markers"
    hover = f"%{{y:{number}}}"
    return go.Scatter(x=x, y=y, name=name, mode=mode, line=line, hovertemplate=hover, **more)


def heading(figure: go.Figure, name: str, note: str, column: int) -> None:
    """Write `name` and beside it, in small letters, `note` over a panel of the first row."""
    small = f"<span style='font-size:11px;color:{QUIET}'>{note}</span>"
    figure.add_annotation(
        text=f"<b>{plain(name)}</b>  {small}",
        x=0,
        y=1.04,
        xref="x domain",
        yref="y domain",
        xanchor="left",
        yanchor="bottom",
        font={"size": 13},
        showarrow=False,
        row=1,
        col=column,
    )


def _label_ends(
    figure: go.Figure, frame: pd.DataFrame, metric: str, share: bool, spent: str | None
) -> None:
    def last(name: str) -> float:
        return float(_column(frame, name)[-1])

    def shown(name: str) -> str:
        return f"{last(name):.1%}" if share else f"{last(name):.3g}"

    value = [(metric, shown(metric), BLUE)]
    if _known(frame, "personal"):
        value = [(metric, f"global {shown(metric)}", BLUE)]
        value += [("personal", f"own {shown('personal')}", PURPLE)]
    losses = [("loss", "test", BLUE), ("train_loss", "train", GREEN)]
    panels = [value, [(name, f"{word} {last(name):.2f}", color) for name, word, color in losses]]
    if spent:
        panels.append([(spent, f"ε {last(spent):.2f}", ORANGE)])
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


def style(figure: go.Figure, title: str) -> None:
    """Give a figure the looks of the house, and a title that may be any text."""
    figure.update_layout(
        title={"text": plain(title), "x": 0.01, "xanchor": "left", "font": {"size": 15}},
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        hovermode="x unified",
        showlegend=False,
        margin={"l": 52, "r": 24, "t": 84 if title else 48, "b": 44},
        width=1080,
        height=340,
        template="none",
    )
    figure.update_xaxes(showgrid=False, zeroline=False, linecolor=GRID, tickcolor=GRID)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont_color=QUIET, title_font={"size": 12, "color": QUIET})
