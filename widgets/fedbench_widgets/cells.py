"""What widgets look like: made, shown, hidden and closed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from ipywidgets import DOMWidget, Layout, Widget

W = TypeVar("W", bound=DOMWidget)
HIDDEN = "fb-hidden"
LABEL = "84px"  # the width of the names before sliders and lists

_looks: dict[tuple[type[Widget], str | None], Widget] = {}


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
