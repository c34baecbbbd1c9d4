"""plotly figures of plain tables: a run over its rounds, and privacy against utility.

Blue, green and orange are those of Okabe and Ito (2008), which people with colour-blindness
can tell apart; the green line is dotted as well.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

Floats = NDArray[np.float64]

BLUE, GREEN, ORANGE = "#0072B2", "#009E73", "#D55E00"
INK, QUIET, GRID = "#1f2933", "#52606d", "#e9edf2"
BAND = "rgba(0, 114, 178, 0.14)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

SHARES = ("accuracy",)  # metrics between 0 and 1, shown in per cent
NAMES = {"rmse": "RMSE", "mae": "MAE", "r2": "R²", "accuracy": "Accuracy"}


def history_figure(frame: pd.DataFrame, metric: str, title: str = "") -> go.Figure:
    """Return a run over its rounds: `metric` with its clients' band, loss, and ε where it is spent.

    `frame` is what `History.frame()` gives; `title` and `metric` may be any text. Raises KeyError
    when `frame` has no column `metric`.
    """
    spent = _column(frame, "epsilon")
    private = bool(np.isfinite(spent).any())
    panels = [
        (NAMES.get(metric, metric), "band: clients, 10th to 90th percentile"),
        ("Loss", "test and training"),
        ("Privacy spent", "ε, client-level"),
    ][: 3 if private else 2]
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.09)
    for column, (name, note) in enumerate(panels, start=1):
        _heading(figure, name, note, column)
    rounds = _column(frame, "round")
    share = metric in SHARES
    number = ".1%" if share else ".3~g"
    for edge, fill in (("90th", "none"), ("10th", "tonexty")):
        y = _column(frame, f"clients_p{edge[:2]}")
        bare = {"width": 0, "color": BLUE}
        label = f"clients, {edge} percentile"
        band = _line(rounds, y, label, bare, number, fill=fill, fillcolor=BAND)
        figure.add_trace(band, 1, 1)
    figure.add_trace(
        _line(rounds, _column(frame, metric), plain(metric), _stroke(BLUE), number), 1, 1
    )
    figure.add_trace(_line(rounds, _column(frame, "loss"), "test", _stroke(BLUE), ".3f"), 1, 2)
    figure.add_trace(
        _line(rounds, _column(frame, "train_loss"), "train", _stroke(GREEN, "dot"), ".3f"), 1, 2
    )
    if private:
        figure.add_trace(_line(rounds, spent, "ε", _stroke(ORANGE), ".3f"), 1, 3)
    if len(frame):
        _label_ends(figure, frame, metric, share, private)
    _style(figure, title)
    # the room to the right is for the labels at the ends of the lines
    end = max(1, rounds[-1]) * 1.22 if len(frame) else 1
    figure.update_xaxes(title_text="round", range=[0, end])
    figure.update_yaxes(rangemode="tozero")
    if share:
        figure.update_yaxes(tickformat=".0%", range=[0, 1.02], row=1, col=1)
    return figure


def frontier_figure(frame: pd.DataFrame, metric: str = "accuracy", title: str = "") -> go.Figure:
    """Return privacy against utility: one point a run, ε on a logarithmic axis.

    Columns of `frame`: epsilon, value (of `metric`) and label. A run without privacy has ε NaN and
    is drawn as a level.
    """
    figure = go.Figure()
    number = ".1%" if metric in SHARES else ".3~g"
    spent, value = _column(frame, "epsilon"), _column(frame, "value")
    labels = [plain(label) for label in frame["label"]]
    runs = [k for k in np.argsort(spent) if np.isfinite(spent[k])]
    figure.add_trace(
        go.Scatter(
            x=spent[runs],
            y=value[runs],
            mode="lines+markers+text",
            text=[labels[k] for k in runs],
            textposition="bottom right",
            textfont={"color": BLUE, "size": 12},
            line={"color": BLUE, "width": 1.5},
            marker={"color": BLUE, "size": 9},
            hovertemplate=f"ε %{{x:.3~g}}: %{{y:{number}}}<extra></extra>",
        )
    )
    for k in np.flatnonzero(np.isnan(spent)):
        figure.add_hline(
            y=value[k],
            line={"color": QUIET, "width": 1.5, "dash": "dash"},
            annotation={"text": labels[k], "font": {"color": QUIET, "size": 12}},
            annotation_position="top left",
        )
    _style(figure, title)
    figure.update_layout(width=720, height=380, hovermode="closest", margin_l=64)
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    figure.update_xaxes(title_text="ε", type="log", tickvals=ticks)
    if len(runs):
        low, high = np.log10(spent[runs[0]]), np.log10(spent[runs[-1]])
        figure.update_xaxes(range=[low - 0.15, high + 0.35])
    figure.update_yaxes(title_text=plain(metric))
    if metric in SHARES:
        figure.update_yaxes(tickformat=".0%")
    return figure


def plain(text: object) -> str:
    """Return `text` so that plotly shows it as it is: names may hold its pseudo-HTML or MathJax."""
    # plotly hands text between dollar signs to MathJax and takes <b>, <a> and the like as markup.
    return html.escape(str(text), quote=False).replace("$", "&#36;")


def _column(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64)


def _stroke(color: str, dash: str = "solid") -> dict[str, Any]:
    return {"color": color, "width": 2.2, "dash": dash}


def _line(
    x: Floats, y: Floats, name: str, line: dict[str, Any], number: str, **more: Any
) -> go.Scatter:
    # a line of one point is invisible
    mode = "lines" if len(x) > 1 else "markers"
    hover = f"%{{y:{number}}}"
    return go.Scatter(x=x, y=y, name=name, mode=mode, line=line, hovertemplate=hover, **more)


def _heading(figure: go.Figure, name: str, note: str, column: int) -> None:
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
    figure: go.Figure, frame: pd.DataFrame, metric: str, share: bool, private: bool
) -> None:
    def last(name: str) -> float:
        return float(_column(frame, name)[-1])

    end = last("round")
    value = f"{last(metric):.1%}" if share else f"{last(metric):.3g}"
    _end_label(figure, end, last(metric), value, BLUE, 1)
    # the upper of two labels is shifted up and the lower one down, or they would overlap
    test_above = last("loss") >= last("train_loss")
    for column, name, color, above in (
        ("loss", "test", BLUE, test_above),
        ("train_loss", "train", GREEN, not test_above),
    ):
        if np.isfinite(last(column)):
            text = f"{name} {last(column):.2f}"
            _end_label(figure, end, last(column), text, color, 2, 9 if above else -9)
    if private:
        _end_label(figure, end, last("epsilon"), f"ε {last('epsilon'):.2f}", ORANGE, 3)


def _end_label(
    figure: go.Figure, x: float, y: float, text: str, color: str, column: int, shift: int = 0
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


def _style(figure: go.Figure, title: str) -> None:
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
