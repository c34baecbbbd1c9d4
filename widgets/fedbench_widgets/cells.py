"""One workbench per cell: a cell that is run again closes what it made before."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from ipywidgets import Widget

_made: weakref.WeakValueDictionary[tuple[str, str], Closable] = weakref.WeakValueDictionary()


class Closable(Protocol):
    """Something that a cell makes and that must not outlive its next execution."""

    def close(self) -> None:
        """Stop and remove it."""


def close_all(widget: Widget) -> None:
    """Close a widget with its children, layouts and styles, which ipywidgets leaves behind."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if isinstance(part, Widget):
            part.close()
    widget.close()


def replace_previous(made: Closable) -> None:
    """Close what an earlier execution of the running cell made; remember `made` for the next."""
    here = _running_cell()
    if here is None:
        return
    cell, execution = here
    for (other_cell, key), old in list(_made.items()):
        if other_cell == cell and not key.startswith(f"{execution}/"):
            old.close()
            _made.pop((other_cell, key), None)
    _made[cell, f"{execution}/{id(made)}"] = made


def _running_cell() -> tuple[str, str] | None:
    """Return the ids of the running cell and of this execution; None outside a notebook page."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    shell: Any = get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return None
    parent = shell.get_parent() or {}
    cell = parent.get("metadata", {}).get("cellId")
    execution = parent.get("header", {}).get("msg_id")
    return (cell, execution) if cell and execution else None
