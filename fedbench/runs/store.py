"""A run as a folder of plain files, and back."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import fedbench
from fedbench.channel.privacy import Private
from fedbench.experiment import Experiment
from fedbench.runs.checkpoint import FILES, Checkpoint, CheckpointError, read
from fedbench.runs.events import Amended
from fedbench.runs.history import SPENT, History
from fedbench.runs.session import Session
from fedbench.runs.succession import refusal

if TYPE_CHECKING:
    import torch

EXPERIMENT, HISTORY, CLIENTS = "experiment.toml", "history.csv", "clients.csv"
SUMMARY, MODEL, CARD = "summary.json", "model.safetensors", "privacy.md"
RESULTS = (HISTORY, CLIENTS, SUMMARY, MODEL, CARD, *FILES)
# What may be different when a run goes on: not what its states and its promise were made by.
CHANGEABLE = (
    *("rounds", "target", "training", "sampling", "aggregator", "attack", "devices", "engine"),
    "data",  # where more of them came in to the same clients
    *("privacy.epsilon", "privacy.noise_multiplier"),
)


class StoreError(RuntimeError):
    """A folder that cannot take a run, or does not hold one."""


@dataclass(frozen=True, eq=False)
class Saved:
    """A run read back: its experiment, `History.frame()`, `History.clients()` and the summary."""

    experiment: Experiment
    frame: pd.DataFrame
    clients: pd.DataFrame
    summary: dict[str, Any]
    folder: Path

    def module(self) -> torch.nn.Module:
        """Return the trained model. Raises StoreError when the run ended before its first round."""
        from safetensors.torch import load_file

        path = self.folder / MODEL
        if not path.exists():
            raise StoreError(f"{self.folder} holds no model: the run ended before its first round")
        experiment = self.experiment
        card = experiment.federation().card
        return experiment.model.loaded(card, experiment.seed, load_file(path))


def prepare(folder: str | Path, experiment: Experiment) -> Path:
    """Make `folder` ready for the files of a run of `experiment` and return it.

    An experiment.toml that describes this very experiment may lie there already. Raises StoreError
    when the folder holds another run or cannot be written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"{folder} cannot be written to: {error.strerror or error}") from error
    held = [name for name in RESULTS if (folder / name).exists()]
    if held:
        raise StoreError(f"{folder} holds a run already ({held[0]}); choose another folder")
    path = folder / EXPERIMENT
    if path.exists() and not _describes(path, experiment):
        raise StoreError(f"{folder} holds another experiment ({EXPERIMENT}); choose another folder")
    return folder


def save(session: Session, folder: str | Path) -> Path:
    """Write the session's run so far into `folder`, made by `prepare`, and return it.

    Files: experiment.toml, history.csv (one row a round), clients.csv (first metric, client ×
    round), summary.json (last metrics, what was spent, why it ended, versions), privacy.md (what is
    promised and what not) and, from the first round on, model.safetensors and what `resume` goes on
    from (checkpoint.safetensors, rounds.jsonl and ledger.json). Raises StoreError as `prepare`
    does, before anything is written, and SessionError while rounds go on.
    """
    from safetensors.torch import save_file

    history, checkpoint = session.history, session.checkpoint()
    folder = prepare(folder, history.experiment)
    path = folder / EXPERIMENT
    if not path.exists():
        path.write_text(history.experiment.to_toml(), encoding="utf-8")
    history.frame().to_csv(folder / HISTORY, index=False)
    history.clients().to_csv(folder / CLIENTS)
    if len(history):
        state = {name: leaf.contiguous() for name, leaf in session.module().state_dict().items()}
        save_file(state, folder / MODEL)
        if checkpoint is not None:
            checkpoint.write(folder, path.read_text(encoding="utf-8"))
    (folder / CARD).write_text(history.privacy_card().to_markdown(), encoding="utf-8")
    text = json.dumps(outcome(history), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    return folder


def load(folder: str | Path, *, allow_imports: bool = False) -> Saved:
    """Return the run that `save` wrote into `folder`.

    `allow_imports` is that of `Experiment.from_toml`. Raises StoreError when there is no run, and
    ValidationError when its experiment.toml is not sound.
    """
    folder = Path(folder)
    missing = [
        name for name in (EXPERIMENT, HISTORY, CLIENTS, SUMMARY) if not (folder / name).exists()
    ]
    if missing:
        raise StoreError(f"{folder} holds no run: {missing[0]} is missing")
    text = (folder / EXPERIMENT).read_text(encoding="utf-8")
    clients = pd.read_csv(folder / CLIENTS, index_col="client").astype(np.float32)
    clients.columns = pd.Index([int(name) for name in clients.columns], name="round")
    return Saved(
        experiment=Experiment.from_toml(text, allow_imports=allow_imports),
        frame=pd.read_csv(folder / HISTORY),
        clients=clients,
        summary=json.loads((folder / SUMMARY).read_text(encoding="utf-8")),
        folder=folder,
    )


def resume(folder: str | Path, *, allow_imports: bool = False, **changes: Any) -> Session:
    """Return a session that goes on with the run in `folder`, once it is started.

    What it spent of its privacy is spent: 60 rounds and 40 more are 100 rounds. The noise stays as
    it was solved, unless `changes` say otherwise; a key of theirs is a path, as in
    `resume(folder, rounds=100, **{"privacy.epsilon": 4})`, and the history records them. Raises
    StoreError where there is no run that can go on, or for a change that its state does not allow,
    and ValidationError for a bad value.
    """
    folder = Path(folder)
    saved = load(folder, allow_imports=allow_imports)
    text = (folder / EXPERIMENT).read_text(encoding="utf-8")
    try:
        start = read(folder, text, allow_imports=allow_imports)
    except CheckpointError as error:
        raise StoreError(str(error)) from error
    amendments = [Amended(each["round"], each["changes"]) for each in saved.summary["amendments"]]
    if changes:
        start = _changed(start, changes)
        amendments.append(Amended(start.progress.round + 1, changes))
    return Session.resumed(saved.experiment, start, amendments)


def _changed(start: Checkpoint, changes: dict[str, Any]) -> Checkpoint:
    for path in changes:
        if path not in CHANGEABLE and path.partition(".")[0] not in CHANGEABLE:
            raise StoreError(
                f"{path} cannot change when a run goes on; {', '.join(CHANGEABLE)} can"
            )
    before, now = start.experiment, start.experiment.replace(**changes)
    if reason := refusal(before, now):
        raise StoreError(reason)
    if before.own_accounts != now.own_accounts:
        raise StoreError(
            f"sampling: what was spent is accounted for {before.sampling.kind()} sampling, and "
            f"{now.sampling.kind()} would count otherwise"
        )
    asked = getattr(now.privacy, "noise_multiplier", None)
    return replace(start, experiment=now, noise_multiplier=asked or start.noise_multiplier)


def outcome(history: History) -> dict[str, Any]:
    """Return what a run came to, as plain JSON data; a number that is not there is None.

    As in `History.frame()`, `epsilon` is client-level alone and `example_epsilon` example-level;
    `unit` says which of them the run spends.
    """
    experiment, rows = history.experiment, history.snapshot()
    last = rows[-1] if rows else None
    privacy = experiment.privacy
    private = isinstance(privacy, Private)
    return {
        "experiment": experiment.describe(),
        "data": experiment.data.kind(),
        "rounds": len(rows),
        "ended": history.ended,
        "metrics": {name: _number(x) for name, x in last.metrics.items()} if last else {},
        "personal": _number(last.personal) if last else None,
        **{
            name: _number(last.epsilon) if last and unit == history.unit else None
            for unit, name in SPENT.items()
        },
        "delta": privacy.delta if private else None,
        "unit": history.unit,
        "noise_multiplier": history.noise_multiplier,
        "simulation_only": private and privacy.noise_seed is not None,
        "bytes_up": sum(row.bytes_up for row in rows),
        "bytes_down": sum(row.bytes_down for row in rows),
        "seconds": round(sum(row.seconds for row in rows), 3),
        "simulated_seconds": _number(sum(row.simulated for row in rows)) if rows else None,
        "amendments": [
            {"round": note.round, "changes": {key: _plain(x) for key, x in note.changes.items()}}
            for note in history.amendments
        ],
        "versions": {
            "fedbench": fedbench.__version__,
            "torch": version("torch"),
            "numpy": version("numpy"),
        },
    }


def _describes(path: Path, experiment: Experiment) -> bool:
    try:
        found = Experiment.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found == experiment


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value
