"""Who holds how much of which class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from fedbench.figures.theme import BLUE, NAMED, QUIET, plain, style


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
        figure.update_xaxes(tickmode="array", tickvals=at, ticktext=labels, row=2, col=1)
    else:
        figure.update_xaxes(title_text=f"{clients} clients", row=2, col=1)
    figure.update_xaxes(range=[-0.5, clients - 0.5])
    figure.update_yaxes(title_text="samples", row=1, col=1)
    # automatic margins: names of classes and clients are as long as they are
    figure.update_yaxes(type="category", autorange="reversed", dtick=1, row=2, col=1)
    figure.update_yaxes(showgrid=False, automargin=True, row=2, col=1)
    return figure.update_xaxes(automargin=True, row=2, col=1)
