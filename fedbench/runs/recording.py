"""A run written into its folder while it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from fedbench.metrics import RoundRecord
from fedbench.privacy import Ledger, Ledgers
from fedbench.runs.charges import Charges
from fedbench.runs.checkpoint import Checkpoint, Writer
from fedbench.runs.files import write
from fedbench.runs.history import History
from fedbench.runs.pace import Pace
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
    succeeds; the run goes on, and what was written before stays as it is. The cost of a private
    round is written before it is computed, and a round whose cost cannot be written ends the run.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self.folder = session, folder
        self.error: OSError | None = None
        self._writer, self._charges = Writer(folder), Charges(folder)
        self._record, self._views = Pace(1.0, 67), Pace(5.0, 200)
        self._end = session.subscribe(self._hear)
        session.charge = self._charge

    @property
    def rounds(self) -> int:
        """How many rounds can be read back from the folder."""
        return self._writer.rounds

    def finish(self) -> None:
        """Write everything as it is now, and listen no longer. Raises OSError."""
        self._end()
        self.session.charge = None
        history = self.session.snapshot()
        self._write(history)
        write_views(self.folder, history)

    def _charge(self, number: int, cost: Ledger | Ledgers) -> None:
        """Write what a round will cost, and before the first what it goes on from."""
        try:
            if not self._writer.begun:
                self._write(self.session.snapshot())
            self._charges.add(number, cost)
        except OSError as error:
            raise RuntimeError(
                "the next round did not begin, as its privacy loss cannot be written to "
                f"{self.folder}: {error.strerror or error}"
            ) from error

    def _hear(self, event: Event) -> None:
        if not isinstance(event, RoundRecord) or not self._record.due:
            return
        try:
            history = self.session.snapshot()
            with self._record.measured():
                self._write(history)
            if self._views.due:
                with self._views.measured():
                    write_views(self.folder, history)
            self.error = None
        except OSError as error:
            self.error = error

    def _write(self, history: History) -> None:
        checkpoint = write_state(self._writer, history)
        if checkpoint is not None:
            self._charges.settle(checkpoint.progress.charged)


def write_state(writer: Writer, history: History) -> Checkpoint | None:
    """Write what `load` and `resume` read, and return it; None before the run has begun."""
    path = writer.folder / EXPERIMENT
    if not path.exists():
        write(path, history.experiment.to_toml())
    checkpoint = history.checkpoint()
    if checkpoint is not None:
        began = path.read_text(encoding="utf-8")
        more = {name: getattr(history, name) for name in REMEMBERED}
        more |= {"summary": history.summary, "went_on_from": list(history.went_on_from)}
        writer.write(checkpoint, began, more)
    return checkpoint


def write_views(folder: Path, history: History) -> None:
    """Write the files for people: model, tables, privacy card and summary."""
    from safetensors.torch import save
    from torch import Tensor

    if len(history):
        state = history.model.state_dict()
        # copies: tied weights share memory, which the format does not know
        leaves = {
            name: leaf.detach().cpu().clone().contiguous()
            for name, leaf in state.items()
            if isinstance(leaf, Tensor)
        }
        write(folder / MODEL, save(leaves))
    write(folder / HISTORY, history.frame().to_csv(index=False))
    write(folder / CLIENTS, history.clients().to_csv())
    write(folder / CARD, history.privacy_card().to_markdown())
    text = json.dumps(history.summary, indent=2, ensure_ascii=False, allow_nan=False)
    write(folder / SUMMARY, text + "\n")
