"""A thread that shows the latest state: of a run ten times a second, of an edit at once."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

PERIOD = 0.1
KEEP_ALIVE = 2.0


class Publisher:
    """Calls `publish` after `touch`, never more often than every tenth of a second.

    Only what a person has just done is shown `at_once`: a slider whose picture lags behind the
    hand is no slider, and pages send no edit before the last one is dealt with. The last touch is
    always followed by a publish. While `alive()` holds, `beat` is called every two seconds in
    between, so that the page knows the kernel is there. Holds its owner weakly.
    """

    def __init__(
        self,
        publish: Callable[[], None],
        beat: Callable[[], None],
        alive: Callable[[], bool],
    ) -> None:
        self._calls = tuple(weakref.WeakMethod(call) for call in (publish, beat, alive))
        self._dirty = threading.Event()
        self._hurry = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fedbench-publisher", daemon=True)
        self._thread.start()

    def touch(self, at_once: bool = False) -> None:
        """Say that something has changed."""
        self._dirty.set()
        if at_once:
            self._hurry.set()

    def close(self) -> None:
        """End the thread; what was touched last is not published any more."""
        self._closed.set()
        self.touch(at_once=True)

    def _run(self) -> None:
        while True:
            touched = self._dirty.wait(KEEP_ALIVE)
            publish, beat, alive = (call() for call in self._calls)
            if self._closed.is_set() or publish is None or beat is None or alive is None:
                return
            if touched:
                self._dirty.clear()
                self._hurry.clear()
                publish()
            elif alive():
                beat()
            del publish, beat, alive
            self._hurry.wait(PERIOD)
