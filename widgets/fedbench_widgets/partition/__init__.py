"""The map of a partition: clients against classes."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from fedbench_widgets import esm

_HERE = Path(__file__).parent


class PartitionMap(anywidget.AnyWidget):
    """Which client holds how many samples of which class.

    `counts` is uint32, little-endian, row-major, [clients × classes]; without classes (regression)
    it is [clients × 1] and only the sizes are drawn. At most 60 clients are shown, evenly spaced.

    Where `off` does not say why not, a hand may change the map. The browser then sends
    `{"design": {"counts", "names", "token"}}` or `{"undo": token}`, and shows what it made until
    `edit` is that token. `names` come from data and are untrusted text.
    """

    _esm = esm.load(_HERE / "partition.js")
    _css = esm.style(
        _HERE.parent / "chart" / "theme.css",
        _HERE.parent / "chart" / "chart.css",
        _HERE / "partition.css",
    )

    counts = traitlets.Bytes(b"").tag(sync=True)
    clients = traitlets.Int(0).tag(sync=True)
    classes: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    names: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    kind = traitlets.Unicode("classes").tag(sync=True)
    off = traitlets.Unicode("Nothing to change yet.").tag(sync=True)
    edit = traitlets.Unicode("").tag(sync=True)
    undoable = traitlets.Bool(False).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)

    def __repr__(self) -> str:
        """Name the widget only: this is its text/plain, which saved notebooks compare."""
        return "fedbench partition map"
