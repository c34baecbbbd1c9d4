"""How often something is done that costs time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator


class Pace:
    """When to do something again that may take one part in `share` of the time.

    `least` are the seconds from one time to the next where it takes next to none.
    """

    def __init__(self, least: float, share: float) -> None:
        self.least, self.share = least, share
        self._first, self._next = True, 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    @contextlib.contextmanager
    def measured(self) -> Generator[None]:
        """Set when it is due again, by how long it took."""
        began = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            # the first time modules are imported, which says nothing about the next
            took, self._first = 0.0 if self._first else now - began, False
            self._next = now + max(self.least, self.share * took)
