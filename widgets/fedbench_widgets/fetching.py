"""Files of data sets, fetched in the background: a page must not wait for a network."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator

from fedbench.config.spec import Part
from fedbench.data import Source

NEEDED = "needs a download"


class Fetching:
    """Fetches the files that the data on the form lack, and says how that goes.

    Holds its owner's `changed` weakly, and calls it when a download has ended. What it says is
    about the data that were asked for last; asked for again later, they are tried again.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = weakref.WeakMethod(changed)
        self._data: Source | None = None
        self._why = ""

    def lacks(self, data: Source) -> str:
        """Return why the data are not there yet, starting to fetch them; empty if they are."""
        known = data == self._data
        if not known:
            self._data, self._why = data, ""
        if not data.missing:
            return ""
        if not known:
            self._why = f"{data.display_name()} is being downloaded ({_size(data)})…"
            fetch = threading.Thread(
                target=_fetch, args=(weakref.ref(self), data), name="fedbench-fetch", daemon=True
            )
            fetch.start()
        return self._why

    def _ended(self, data: Source, why: str) -> None:
        if data == self._data:  # else other data are on the form by now
            self._why = why
        changed = self._changed()
        if changed is not None:
            changed()


def offered_name(kind: type[Part]) -> str:
    """Return what a list calls a part: a data set whose files are not at hand says so.

    Looks for the files of its defaults, and neither reads nor fetches any.
    """
    name = kind.display_name()
    return name if _at_hand(kind) else f"{name} ({NEEDED})"


def _at_hand(kind: type[Part]) -> bool:
    if not issubclass(kind, Source) or not isinstance(kind.files, tuple):
        return True
    return all(_cached(kind))


def _fetch(owner: weakref.ref[Fetching], data: Source) -> None:
    why = ""
    try:
        for file in data.missing:
            file.read()
    except Exception as error:
        why = f"{data.display_name()} is not available: {error}. {_here()}"
    fetching = owner()
    if fetching is not None:
        fetching._ended(data, why)


def _here() -> str:
    """Return which data sets need no network."""
    real = [kind for kind in Source.choices().values() if isinstance(kind.files, tuple)]
    found = [kind.display_name() for kind in real if kind.files and all(_cached(kind))]
    more = f"; of the real ones {', '.join(found)}" if found else ""
    return f"Without a network there are the built-in and the simulated sets{more}."


def _cached(kind: type[Source]) -> Iterator[bool]:
    return (file.cached is not None for file in kind.files)


def _size(data: Source) -> str:
    size = sum(file.size for file in data.missing)
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
