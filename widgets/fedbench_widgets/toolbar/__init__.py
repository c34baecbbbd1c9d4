"""The workbench's head: state, buttons, progress and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from fedbench_widgets import esm

_HERE = Path(__file__).parent


class Toolbar(anywidget.AnyWidget):
    """Buttons, progress, cost chips and banners of one run.

    The browser sends `{"command": "start" | "pause" | "resume" | "step" | "stop" | "reset"}` and,
    every two seconds, `{"ping": n}`; the kernel answers `{"pong": n}`. Any message or change of
    `status` counts as a sign of life; without one for 4.5 s a banner says so. `help` has what the
    form's fields mean, by the classes of `explaining.says`.
    """

    _esm = esm.load(_HERE / "toolbar.js")
    _css = esm.style(
        _HERE.parent / "chart" / "theme.css",
        _HERE / "layout.css",
        _HERE / "scenario.css",
        _HERE / "toolbar.css",
        _HERE.parent / "help" / "help.css",
        _HERE.parent / "tour" / "tour.css",
    )

    help: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    status: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __repr__(self) -> str:
        """Name the widget only: this is its text/plain, which saved notebooks compare."""
        return "fedbench toolbar"
