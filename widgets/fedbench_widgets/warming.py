"""Load what training needs while a person still looks at the form."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

_lock = threading.Lock()
_begun = False
_loaded = threading.Event()
_waiting: list[Callable[[], None]] = []


def warm(then: Callable[[], None] | None = None) -> None:
    """Import torch and the accounting in the background, once per process; then call `then`."""
    global _begun
    with _lock:
        if then is not None and not _loaded.is_set():
            _waiting.append(then)
            then = None
        begin, _begun = not _begun, True
    if begin:
        threading.Thread(target=_load, name="fedbench-warm", daemon=True).start()
    if then is not None:
        then()


def warmed() -> bool:
    """Return whether everything is loaded: from now on ε takes milliseconds, not a second."""
    return _loaded.is_set()


def _load() -> None:
    # An import makes nothing but long-lived objects: looking for garbage among them costs a sixth.
    collecting = gc.isenabled()
    gc.disable()
    try:
        import dp_accounting  # noqa: F401

        import fedbench.runs.rounds  # noqa: F401
    finally:
        if collecting:
            gc.enable()
        with _lock:
            _loaded.set()
            calls = list(_waiting)
            _waiting.clear()
    for call in calls:
        call()
