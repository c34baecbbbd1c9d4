"""The widgets of a cell: what they look like, and that a cell run again closes its old ones."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from ipywidgets import DOMWidget, Layout, Widget

W = TypeVar("W", bound=DOMWidget)
HIDDEN = "fb-hidden"
LABEL = "84px"  # the width of the names before sliders and lists

_made: weakref.WeakValueDictionary[tuple[str, str], Closable] = weakref.WeakValueDictionary()
_looks: dict[tuple[type[Widget], str | None], Widget] = {}


class Closable(Protocol):
    """Something that a cell makes and that must not outlive its next execution."""

    def close(self) -> None:
        """Stop and remove it."""


def made(kind: type[W], *args: Any, classes: Iterable[str] = (), **traits: Any) -> W:
    """Make a widget in `classes` of the style sheet, with the layout and style of all its like.

    ipywidgets would give it a layout and a style of its own. In the page each is one more model,
    made of one more message: they would be more than half of all.
    """
    style: Any = kind.class_traits().get("style")
    looks: dict[str, Widget] = {"layout": look(Layout)}
    if style is not None:
        looks["style"] = look(style.klass, LABEL)
    return kind(*args, _dom_classes=tuple(classes), **looks, **traits)


def look(kind: type[Widget], label: str | None = None) -> Widget:
    """Return the one layout, or style with names of width `label`, that widgets share."""
    found = _looks.get((kind, label))
    if found is None or found.comm is None:  # closed, as by Widget.close_all()
        named = label is not None and "description_width" in kind.class_trait_names()
        wide = {"description_width": label} if named else {}
        found = _looks[kind, label] = kind(**wide)
    return found


def unlabelled(widget: Any) -> None:
    """Leave no room for the name of a widget; it keeps it for assistive tools."""
    widget.style = look(type(widget.style), "0px")


def show(widget: DOMWidget, shown: bool) -> None:
    """Show a widget, or hide it."""
    if shown:
        widget.remove_class(HIDDEN)
    else:
        widget.add_class(HIDDEN)


def close_all(widget: Widget) -> None:
    """Close a widget with its children, but not the looks that others share."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if isinstance(part, Widget) and part not in _looks.values():
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


def in_notebook() -> bool:
    """Return whether a page may show widgets: not in a script or in IPython's terminal."""
    return getattr(_shell(), "kernel", None) is not None


def _shell() -> Any:
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _running_cell() -> tuple[str, str] | None:
    """Return the ids of the running cell and of this execution; None outside a notebook page."""
    shell = _shell()
    if shell is None or not hasattr(shell, "get_parent"):
        return None
    parent = shell.get_parent() or {}
    cell = parent.get("metadata", {}).get("cellId")
    execution = parent.get("header", {}).get("msg_id")
    return (cell, execution) if cell and execution else None
