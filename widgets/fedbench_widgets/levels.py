"""The levels of pooled data and of each client alone, computed when asked for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from fedbench.experiment import Experiment
from fedbench.metrics import METRICS
from fedbench.study import Baselines, alternative, baselines

COMPUTING, WAITING = "computing…", "computing when no run is active…"
PATIENCE = 0.1  # seconds between two looks whether a run still goes on


class Levels:
    """Works the levels out in a thread, one experiment at a time, and never while a run goes on.

    They are the same for all experiments that differ in what makes a federation alone, such as ε,
    and are worked out once for those. Holds its owner's `going` and `changed` weakly.
    """

    def __init__(self, going: Callable[[], bool], changed: Callable[[], None]) -> None:
        self.wanted = False
        self._going, self._changed = weakref.WeakMethod(going), weakref.WeakMethod(changed)
        self._known: dict[Experiment, Baselines | str] = {}
        self._asked: Experiment | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def shown(self, experiment: Experiment) -> dict[str, Any]:
        """Return what the page draws for an experiment; asks for it where it is wanted."""
        if not self.wanted:
            return {"wanted": False, "words": "", "lines": []}
        key = alternative(experiment)
        found = self._known.get(key)
        if found is None:
            self._ask(key)
            going = self._going()
            words = COMPUTING if going is None or not going() else WAITING
            return {"wanted": True, "words": words, "lines": []}
        if isinstance(found, str):
            return {"wanted": True, "words": found, "lines": []}
        lines = [
            {"label": f"{word} {METRICS[found.metric].text(value, 3)}", "value": value}
            for word, value in _words(found).items()
        ]
        return {"wanted": True, "words": found.comment, "lines": lines}

    def found(self, experiment: Experiment) -> Baselines | None:
        """Return the levels of an experiment where they are wanted and known."""
        found = self._known.get(alternative(experiment)) if self.wanted else None
        return found if isinstance(found, Baselines) else None

    def close(self) -> None:
        """Give up what is being worked out."""
        self.wanted = False
        self._closed.set()

    def _ask(self, key: Experiment) -> None:
        with self._lock:
            self._asked = key
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="fedbench-levels", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                key = self._asked
                given_up = not self.wanted or self._closed.is_set()
                if key is None or key in self._known or given_up:
                    self._thread = None
                    return
            if not self._wait(key):
                continue
            try:
                found: Baselines | str | None = baselines(key, go_on=partial(self._wait, key))
            except Exception as error:  # shown where the level would be
                found = str(error)
            if found is not None:
                self._known[key] = found
                changed = self._changed()
                if changed is not None:
                    changed()

    def _wait(self, key: Experiment) -> bool:
        """Wait while a run goes on; return whether the levels of `key` are still asked for."""
        while self.wanted and self._asked is key and not self._closed.is_set():
            going = self._going()
            if going is None:  # the workbench is gone
                self._closed.set()
                return False
            if not going():
                return True
            del going
            self._closed.wait(PATIENCE)
        return False


def _words(found: Baselines) -> dict[str, float]:
    truth = {} if found.oracle is None else {"true model": found.oracle}
    return {"pooled": found.pooled, "alone": found.local, **truth}
