"""A table of one's own: chosen in the page, shown column by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from fedbench_widgets import esm

_HERE = Path(__file__).parent


class TablePicker(anywidget.AnyWidget):
    """A file to choose, and what each of its columns is taken for.

    The browser sends a file in parts, `{"part": {"token", "name", "size", "at"}}` with a buffer,
    each when `received` says that the last one came, and `{"role": {"column", "role"}}` for a
    column that a person gives another role. What cells hold would be saved with a notebook in the
    widget's state: it comes by the message `{"inside": {"columns", "cautions", "problem"}}`, also
    in answer to `{"look": true}`. All texts come from data and are untrusted.
    """

    _esm = esm.load(_HERE / "upload.js")
    _css = esm.style(_HERE.parent / "chart" / "theme.css", _HERE / "upload.css")

    # name and role of each column; what is in it is told by a message
    columns: traitlets.List[dict[str, Any]] = traitlets.List(traitlets.Dict()).tag(sync=True)
    roles: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    chosen = traitlets.Bool(False).tag(sync=True)  # whether the form has a table of one's own
    file = traitlets.Unicode("").tag(sync=True)
    received: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        """Name the widget only: this is its text/plain, which saved notebooks compare."""
        return "fedbench table picker"
