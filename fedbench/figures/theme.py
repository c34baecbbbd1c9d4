"""What all figures share: colours, type, axes, and text from data shown as it is.

Blue, green, orange and purple are those of Okabe and Ito (2008), which people with colour-blindness
can tell apart; the green line is dotted and the purple one dashed as well.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from fedbench.metrics import METRICS, SPENT

Floats = NDArray[np.float64]

BLUE, GREEN, ORANGE, PURPLE = "#0072B2", "#009E73", "#D55E00", "#B0568F"
INK, QUIET, GRID = "#1f2933", "#52606d", "#e9edf2"
BAND = "rgba(0, 114, 178, 0.14)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"

# Units of privacy are never mixed: the columns that hold an ε, and how each of them is called.
LEVELS = {column.name: column.title for column in SPENT.values()}
SHARES = [name for name, column in METRICS.items() if column.format == "percent"]
# Beyond colour-blind readers' four, shapes tell lines apart.
SERIES = [
    (color, symbol) for symbol in ("circle", "diamond") for color in (BLUE, ORANGE, GREEN, PURPLE)
]
NAMED = 30  # clients whose names have room in a figure
NAMES = {name: column.title[0].upper() + column.title[1:] for name, column in METRICS.items()}


def plain(text: object) -> str:
    """Return `text` so that plotly shows it as it is: names may hold its pseudo-HTML or MathJax."""
    # plotly hands text between dollar signs to MathJax and takes <b>, <a> and the like as markup.
    return html.escape(str(text), quote=False).replace("$", "&#36;")


def values_of(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column as numbers."""
    return frame[name].to_numpy(dtype=np.float64)


def at_panel(column: int) -> dict[str, Any]:
    """Return how plotly is told of a panel in the one row there is, from 1."""
    return {"row": 1, "col": column}


def fitted(values: Iterable[Floats], share: bool) -> list[float] | None:
    """Return the range of an axis that holds all values with some room, None without a value.

    Shares stay between 0 and 1, and errors above 0.
    """
    known = np.concatenate([np.atleast_1d(np.asarray(each, np.float64)) for each in values])
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return [
        max(low - room, 0.0) if low >= 0 else low - room,
        min(high + room, 1.02) if share else high + room,
    ]


def has_values(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column is there and holds a number."""
    return name in frame and bool(np.isfinite(values_of(frame, name)).any())


def spent_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns in which an ε was spent."""
    return [name for name in LEVELS if has_values(frame, name)]


def stroke_of(color: str, dash: str = "solid") -> dict[str, Any]:
    """Return how a line is drawn."""
    return {"color": color, "width": 2.2, "dash": dash}


def line_of(
    x: Floats, y: Floats, name: str, line: dict[str, Any], number: str, **more: Any
) -> go.Scatter:
    """Return a line; one point is drawn as a mark."""
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
