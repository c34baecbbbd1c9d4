"""A run written into its folder while it goes on."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fedbench.runs.checkpoint import Checkpoint, Writer
from fedbench.runs.events import RoundDone
from fedbench.runs.files import write
from fedbench.runs.history import History
from fedbench.runs.outcome import outcome
from fedbench.runs.session import Session

if TYPE_CHECKING:
    from fedbench.runs.events import Event

EXPERIMENT, HISTORY, CLIENTS = "experiment.toml", "history.csv", "clients.csv"
SUMMARY, MODEL, CARD = "summary.json", "model.safetensors", "privacy.md"
REMEMBERED = ("cautions", "unproven")  # of a history, as they are


class Recording:
    """Writes a session's rounds into `folder`: after the first round, then every few seconds.

    How often follows from how long it takes. What `resume` and `load` need is written first and
    often, and the files for people less often. A failure is kept as `error` until a later attempt
    succeeds; the run goes on, and what was written before stays as it is.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self.folder = session, folder
        self.error: OSError | None = None
        self._writer = Writer(folder)
        self._record, self._views = _Pace(1.0, 67), _Pace(5.0, 200)
        self._end = session.subscribe(self._hear)

    @property
    def rounds(self) -> int:
        """How many rounds can be read back from the folder."""
        return self._writer.rounds

    def finish(self) -> None:
        """Write everything as it is now, and listen no longer. Raises OSError."""
        self._end()
        history, checkpoint = self.session.snapshot()
        self._write(history, checkpoint)
        self._write_views(history)

    def _hear(self, event: Event) -> None:
        if not isinstance(event, RoundDone) or not self._record.due:
            return
        try:
            history, checkpoint = self.session.snapshot()
            with self._record.measured():
                self._write(history, checkpoint)
            if self._views.due:
                with self._views.measured():
                    self._write_views(history)
            self.error = None
        except OSError as error:
            self.error = error

    def _write(self, history: History, checkpoint: Checkpoint | None) -> None:
        path = self.folder / EXPERIMENT
        if not path.exists():
            write(path, history.experiment.to_toml())
        if checkpoint is not None:
            began = path.read_text(encoding="utf-8")
            more = {name: getattr(history, name) for name in REMEMBERED}
            more |= {"summary": outcome(history), "went_on_from": list(history.went_on_from)}
            self._writer.write(checkpoint, began, more)

    def _write_views(self, history: History) -> None:
        from safetensors.torch import save
        from torch import Tensor

        if len(history):
            state = self.session.module().state_dict()
            # copies: tied weights share memory, which the format does not know
            leaves = {
                name: leaf.detach().cpu().clone().contiguous()
                for name, leaf in state.items()
                if isinstance(leaf, Tensor)
            }
            write(self.folder / MODEL, save(leaves))
        write(self.folder / HISTORY, history.frame().to_csv(index=False))
        write(self.folder / CLIENTS, history.clients().to_csv())
        write(self.folder / CARD, history.privacy_card().to_markdown())
        text = json.dumps(outcome(history), indent=2, ensure_ascii=False, allow_nan=False)
        write(self.folder / SUMMARY, text + "\n")


class _Pace:
    """When to do something again that may take one part in `share` of the time."""

    def __init__(self, least: float, share: float) -> None:
        self.least, self.share = least, share
        self._first, self._next = True, 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Set when it is due again, by how long it took."""
        began = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            # the first time modules are imported, which says nothing about the next
            took, self._first = 0.0 if self._first else now - began, False
            self._next = now + max(self.least, self.share * took)
