"""Events on their way to listeners, in order and never under a lock."""

from __future__ import annotations

import contextlib
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from fedbench.config.usercode import explained, shown
from fedbench.runs.events import Cautioned

E = TypeVar("E")
Listener = Callable[[E | Cautioned], None]


class Listeners(Generic[E]):
    """Those who hear of events: `add` under a lock of the owner's, `tell` outside it."""

    def __init__(self) -> None:
        self._listeners: list[Listener[E]] = []
        self._events: deque[E | Cautioned] = deque()
        self._telling = threading.Lock()
        self._teller: int | None = None

    def subscribe(self, listener: Listener[E]) -> Callable[[], None]:
        """Call `listener` with every event from now on; the returned function ends that."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def add(self, event: E | Cautioned) -> None:
        """Note an event, to be told next."""
        self._events.append(event)

    @property
    def waiting(self) -> bool:
        """Whether there is something to be told."""
        return bool(self._events)

    @property
    def told(self) -> bool:
        """Whether everybody has heard of everything; a listener who asks is not waited for."""
        here = self._teller == threading.get_ident()
        return here or (not self._events and self._teller is None)

    def tell(self) -> None:
        """Tell what is to be told, one thread at a time; others leave it to the one that does."""
        while self._events and self._telling.acquire(blocking=False):
            self._teller = threading.get_ident()
            try:
                while self._events:
                    self._tell(self._events.popleft())
            finally:
                self._teller = None
                self._telling.release()

    def _tell(self, event: E | Cautioned) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except (Exception, SystemExit) as error:  # a listener's fault must not end the run
                if listener in self._listeners:
                    self._listeners.remove(listener)
                self.add(Cautioned(f"a listener was unsubscribed as it raised {explained(error)}"))
                _warn(error)


def _warn(error: BaseException) -> None:
    """Warn with the traceback, at the line that raised, and each time anew."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    text = f"a listener raised an exception and was unsubscribed:\n{shown(error)}"
    with contextlib.suppress(RuntimeWarning):  # where warnings are errors, the run goes on
        warnings.warn_explicit(text, RuntimeWarning, frame.f_code.co_filename, line)
