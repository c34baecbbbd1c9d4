"""plotly figures of attacks: what they find, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from fedbench.figures.theme import (
    BLUE,
    GREEN,
    INK,
    NAMED,
    ORANGE,
    PURPLE,
    QUIET,
    heading,
    plain,
    style,
)

if TYPE_CHECKING:
    import pandas as pd

BINS = 40
FLOOR = 1e-7  # where a cross-entropy in single precision becomes 0, which has no logarithm
MARKS = {
    "clear": (BLUE, "circle"),
    "clipped": (GREEN, "square"),
    "noised": (ORANGE, "x"),
    "blind": (PURPLE, "diamond-open"),
}


def membership_figure(
    curve: pd.DataFrame,
    members: NDArray[np.float64],
    others: NDArray[np.float64],
    note: str,
    title: str = "",
) -> go.Figure:
    """Return the ROC curve (columns fpr, tpr) with the diagonal, and the losses of both kinds.

    `title` may be any text.
    """
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.09)
    heading(figure, "Who is a member", note, 1)
    heading(figure, "Loss", "members, and rows that were held out (dotted)", 2)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        name="guessing",
        mode="lines",
        line={"color": QUIET, "width": 1.2, "dash": "dash"},
        hoverinfo="skip",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=curve["fpr"],
        y=curve["tpr"],
        name="loss threshold",
        mode="lines",
        line={"color": BLUE, "width": 2.2, "shape": "hv"},
        hovertemplate="FPR %{x:.1%}: TPR %{y:.1%}<extra></extra>",
        row=1,
        col=1,
    )
    edges, scale = _edges(np.concatenate([members, others]))
    for losses, name, color, dash in (
        (members, "members", BLUE, "solid"),
        (others, "held out", GREEN, "dot"),
    ):
        counts, _ = np.histogram(losses.clip(edges[0], edges[-1]), edges)
        figure.add_scatter(
            x=edges,
            y=np.append(counts, counts[-1]) / len(losses),
            name=name,
            mode="lines",
            line={"color": color, "width": 2.2, "dash": dash, "shape": "hv"},
            hovertemplate=f"{name}, loss from %{{x:.2~g}}: %{{y:.1%}}<extra></extra>",
            row=1,
            col=2,
        )
    style(figure, title)
    figure.update_layout(hovermode="closest", width=880, height=380)
    figure.update_xaxes(title_text="false positive rate", range=[0, 1], row=1, col=1)
    figure.update_yaxes(title_text="true positive rate", range=[0, 1.02], row=1, col=1)
    figure.update_xaxes(title_text="loss of a row", type=scale, row=1, col=2)
    figure.update_yaxes(title_text="share of rows", rangemode="tozero", row=1, col=2)
    return figure.update_yaxes(tickformat=".0%").update_xaxes(tickformat=".0%", row=1, col=1)


def inversion_figure(
    frame: pd.DataFrame, shape: tuple[int, ...], notes: Mapping[str, str], title: str = ""
) -> go.Figure:
    """Return an example and its reconstructions, the columns of `frame`, one row a feature.

    `shape` is that of the example: two or three dimensions are drawn as pictures, the channels of
    one beneath each other. `notes` by column are written beside their names. Names of features and
    `title` may be any text. Reconstructions are drawn in the range of the original, and values out
    of it as its ends.
    """
    if len(shape) in (2, 3):
        return _pictures(frame, shape, notes, title)
    return _values(frame, notes, title)


def _pictures(
    frame: pd.DataFrame, shape: tuple[int, ...], notes: Mapping[str, str], title: str
) -> go.Figure:
    figure = make_subplots(rows=1, cols=len(frame.columns), horizontal_spacing=0.03)
    low, high = _range(frame)
    for column, name in enumerate(frame.columns, start=1):
        heading(figure, name, notes.get(name, ""), column)
        figure.add_heatmap(
            z=frame[name].to_numpy().reshape(-1, shape[-1]),
            name=name,
            zmin=low,
            zmax=high,
            colorscale=[[0, "white"], [1, INK]],
            showscale=False,
            hovertemplate="%{z:.3~g}<extra></extra>",
            row=1,
            col=column,
        )
    style(figure, title)
    figure.update_layout(hovermode="closest", width=1080, height=300)
    figure.update_xaxes(showticklabels=False, ticks="", constrain="domain")
    figure.update_yaxes(showticklabels=False, ticks="", autorange="reversed")
    for column in range(1, len(frame.columns) + 1):
        beside = "x" if column == 1 else f"x{column}"
        figure.update_yaxes(scaleanchor=beside, row=1, col=column)
    return figure


def _values(frame: pd.DataFrame, notes: Mapping[str, str], title: str) -> go.Figure:
    figure = make_subplots(rows=1, cols=1)
    low, high = _range(frame)
    at, names = np.arange(len(frame)), [plain(name) for name in frame.index]
    for name in frame.columns:
        color, symbol = MARKS.get(name, (QUIET, "line-ew"))
        original = name == "original"
        figure.add_scatter(
            x=at,
            y=frame[name].to_numpy().clip(low, high),
            name=f"{name}, {notes[name]}" if name in notes else name,
            mode="markers",
            marker={
                "color": QUIET if original else color,
                "symbol": "line-ew" if original else symbol,
                "size": 22 if original else 8,
                "line": {"width": 3 if original else 0, "color": QUIET},
                "opacity": 1 if original else 0.75,
            },
            customdata=np.stack([np.array(names, dtype=object), frame[name]], axis=1),
            hovertemplate=f"%{{customdata[0]}}: %{{customdata[1]:.3~g}} {name}<extra></extra>",
        )
    style(figure, title)
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    figure.update_layout(
        hovermode="closest", showlegend=True, legend=legend, width=1080, height=420, margin_t=110
    )
    figure.update_yaxes(title_text="value")
    if len(names) > NAMED:
        return figure.update_xaxes(title_text=f"{len(names)} features")
    return figure.update_xaxes(tickmode="array", tickvals=at, ticktext=names, automargin=True)


def _range(frame: pd.DataFrame) -> tuple[float, float]:
    values = frame["original"].to_numpy(dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    # one feature alone, or an empty picture, has no range of its own
    return (low, high) if high > low else (low - 1, high + 1)


def _edges(losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """The edges of the bins, and the kind of axis that they are even on."""
    low, high = float(losses.min()), float(losses.max())
    if low < 0 or high <= FLOOR:  # a loss of one's own may be negative
        return np.linspace(low, high if high > low else low + 1, BINS + 1), "linear"
    return np.geomspace(max(low, FLOOR), max(high, 2 * max(low, FLOOR)), BINS + 1), "log"
