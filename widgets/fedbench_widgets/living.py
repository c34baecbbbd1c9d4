"""What cells of a notebook have made and is still alive: found again when a cell is run again."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol


class Closable(Protocol):
    """Something that a cell makes, for as long as the cell makes it."""

    def close(self) -> None:
        """Stop and remove it."""


@dataclass(frozen=True)
class Place:
    """Where something was made, a cell and its execution, and the pages that have shown it."""

    cell: str
    execution: str
    pages: frozenset[str]


_made: weakref.WeakKeyDictionary[Closable, Place] = weakref.WeakKeyDictionary()  # oldest first


def former(fits: Callable[[Any], bool]) -> Any:
    """Return what the running cell made before, or a page that is gone; None if there is nothing.

    A page that was reloaded is gone, and so may be the cell. What another cell of the same page
    made is not taken from it.
    """
    here = running_cell()
    if here is None:
        return None
    others = [
        (each, place)
        for each, place in list(_made.items())
        if place.execution != here.execution and fits(each)
    ]
    own = [each for each, place in others if place.cell == here.cell]
    left = [each for each, place in others if not here.pages & place.pages]
    return own[0] if own else left[-1] if left else None


def belongs_here(made: Closable) -> None:
    """Note that the running cell made `made`; at its end, close what only its last turn made."""
    here = running_cell()
    if here is None:
        return
    _made.pop(made, None)  # to be the latest again
    _made[made] = here
    events = _shell().events

    def ended(*_: object) -> None:
        events.unregister("post_run_cell", ended)
        for other, place in list(_made.items()):
            if place.cell == here.cell and place.execution != here.execution:
                _made.pop(other, None)
                other.close()

    events.register("post_run_cell", ended)


def heard_of(made: Closable) -> None:
    """Note that the page whose message is being handled shows `made`."""
    place = _made.get(made)
    if place is not None and not place.pages >= _page():
        _made[made] = replace(place, pages=place.pages | _page())


def in_notebook() -> bool:
    """Return whether a page may show widgets: not in a script or in IPython's terminal."""
    return getattr(_shell(), "kernel", None) is not None


def running_cell() -> Place | None:
    """Return where the running code stands; None outside a notebook page."""
    parent = _parent()
    cell = parent.get("metadata", {}).get("cellId")
    execution = parent.get("header", {}).get("msg_id")
    return Place(cell, execution, _page()) if cell and execution else None


def _page() -> frozenset[str]:
    """Return what a page calls itself in its messages, if it does; another name after a reload."""
    name = _parent().get("header", {}).get("session", "")
    return frozenset({name} - {""})


def _parent() -> dict[str, Any]:
    shell = _shell()
    return (shell.get_parent() or {}) if hasattr(shell, "get_parent") else {}


def _shell() -> Any:
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()
