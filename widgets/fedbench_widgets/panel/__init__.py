"""The workbench's tabs: live charts, clients, privacy against utility, runs, code and log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from fedbench_widgets import esm

_HERE = Path(__file__).parent


class Panel(anywidget.AnyWidget):
    """Live, Clients, Privacy–utility, Compare, Code and Log, each redrawn from full snapshots.

    `series` is float32, little-endian, row-major, [points × columns] with `snapshot["columns"]`
    among round, metric, loss, train_loss, p10, p90, epsilon, update_norm, clipped, bytes_up and
    seconds; the last two are totals up to that round. NaN stands for an absent value.
    `clients`, `values` and `mixes` are those of `fedbench_widgets.clients`.
    `frontier` has the runs as points, `sweep` what can be swept and what sweeps came to.
    `compare` has the runs as rows, see `Comparing.shown`, and `pins` the pinned ones as lines. The
    browser sends `{"load": id}` for a chosen run, `{"sweep": ...}`, see `Sweeping.obey`,
    `{"compare": ...}`, see `Comparing.obey`, and `{"share": {"what", "token"}}` for a file, which
    comes in answers that carry the token; see `sharing.deliver`.
    """

    _esm = esm.load(_HERE / "panel.js")
    _css = esm.style(
        _HERE.parent / "chart" / "theme.css",
        _HERE.parent / "chart" / "chart.css",
        _HERE / "panel.css",
        _HERE / "sweep.css",
        _HERE / "clients.css",
        _HERE / "compare.css",
    )

    snapshot: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    series = traitlets.Bytes(b"").tag(sync=True)
    clients: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    values = traitlets.Bytes(b"").tag(sync=True)
    mixes = traitlets.Bytes(b"").tag(sync=True)
    frontier: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    sweep: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    compare: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    pins: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    code: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    log: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)

    def __repr__(self) -> str:
        """Name the widget only: this is its text/plain, which saved notebooks compare."""
        return "fedbench panel"
