"""What a run needs to go on: its rounds one a line, the state after the last, rounds that began.

`rounds.jsonl` only ever grows, and `checkpoint.safetensors` is replaced as a whole. The latter says
how much of the former belongs to it, so the two match whenever a process is killed. Private rounds
that began since then are in `charges.jsonl`: they are spent, and their results are lost.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench import tree
from fedbench.engine import ClientState
from fedbench.experiment import Experiment
from fedbench.metrics import NUMBERS, RoundRecord
from fedbench.privacy import Ledger, Ledgers
from fedbench.runs.charges import CHARGES, charges, extended, ledger_of
from fedbench.runs.files import write
from fedbench.runs.outcome import number
from fedbench.tree import Tree

if TYPE_CHECKING:
    from fedbench.schedules import Progress

STATE, ROUNDS = "checkpoint.safetensors", "rounds.jsonl"
FILES = (STATE, ROUNDS, CHARGES)
FORMAT = 3
# What a checkpoint says of its run, and of what type that is; `Recording` adds to it.
ABOUT = {
    "round": int,
    "unfinished": int,
    "ledger": dict,
    "leaves": list,
    "tensors": str,
    "rounds": dict,
    "began": str,
    "experiment": str,
    "metrics": dict,
    "stages": int,
    "summary": dict,
    "data": (dict, type(None)),
    "went_on_from": list,
}
CLOSE = 1e-2  # relative; the same ledger, by the accounting of another version


class StoreError(RuntimeError):
    """A folder that cannot take a run, or does not hold the one that it should."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two rounds: `experiment` is its present configuration.

    `noise_multiplier` is the noise as it was given or solved, and `data` the `fingerprint` of what
    the run trained on, None where only another version of fedbench could change that.
    """

    experiment: Experiment
    noise_multiplier: float | None
    progress: Progress
    rows: tuple[RoundRecord, ...]
    data: dict[str, Any] | None = None

    @property
    def spent(self) -> float:
        """Return the ε of its ledger, NaN without privacy."""
        guarantee = self.experiment.privacy.guarantee
        return math.nan if guarantee is None else self.progress.ledger.epsilon(guarantee.delta)


@dataclass(eq=False)
class Writer:
    """Writes checkpoints of one run into `folder`, each round once."""

    folder: Path
    rounds: int = 0  # that the checkpoint on disk holds
    begun: bool = False  # whether there is a checkpoint on disk
    _rounds: int = 0  # in the file of rounds, and how many bytes they take
    _size: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)

    def write(self, checkpoint: Checkpoint, began: str, more: dict[str, Any]) -> None:
        """Write the rounds that are not on disk yet, then the state.

        `began` is the TOML of what the run started with; `more` is kept as it is. Raises OSError,
        and then the checkpoint before this one still holds.
        """
        from safetensors.torch import save

        self._append(checkpoint.rows[self._rounds :])
        progress = checkpoint.progress
        # copies: tensors may share memory, which the format does not know
        state = {name: leaf.detach().cpu().clone() for name, leaf in _joined(progress).items()}
        state = {name: leaf.contiguous() for name, leaf in state.items()}
        about = {
            "format": FORMAT,
            "rounds": {"bytes": self._size, "sha256": self._digest.hexdigest()},
            "began": _digest(began),
            "experiment": checkpoint.experiment.to_toml(),
            "round": progress.round,
            "stages": len(progress.channel),
            "noise_multiplier": checkpoint.noise_multiplier,
            "ledger": progress.ledger.to_dict(),
            "unfinished": progress.unfinished,
            "tensors": _content(state),
            "leaves": list(state),  # noise is drawn in their order, which the file does not keep
            "metrics": checkpoint.experiment.metrics,
            "data": checkpoint.data,
            **more,
        }
        text = json.dumps(about, allow_nan=False)
        write(self.folder / STATE, save(state, metadata={"fedbench": text}))
        self.rounds, self.begun = self._rounds, True

    def _append(self, rows: Sequence[RoundRecord]) -> None:
        path = self.folder / ROUNDS
        lines = "".join(json.dumps(_plain(row), allow_nan=False) + "\n" for row in rows).encode()
        with path.open("r+b" if self._rounds or path.exists() else "wb") as file:
            file.seek(self._size)  # over what an earlier attempt left unfinished
            file.truncate()
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self._digest.update(lines)
        self._size += len(lines)
        self._rounds += len(rows)


def read_about(folder: Path) -> dict[str, Any]:
    """Return what the checkpoint in `folder` says of its run.

    `ledger` and `unfinished` include the rounds that began since it was written. Raises StoreError.
    """
    from safetensors import SafetensorError, safe_open

    try:
        begun = charges(folder)  # before the checkpoint, which a run that goes on may replace
        with safe_open(folder / STATE, framework="pt") as file:
            return _about(folder, file.metadata(), begun)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise StoreError(f"{folder}: the checkpoint is damaged: {error}") from error


def _about(
    folder: Path, metadata: Mapping[str, str] | None, begun: Mapping[int, Ledger | Ledgers]
) -> dict[str, Any]:
    found = json.loads((metadata or {})["fedbench"])
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StoreError(
            f"{folder}: the checkpoint was written by another version of fedbench; that version "
            "can read it"
        )
    for name, kind in ABOUT.items():
        if name not in found or not isinstance(found[name], kind):
            raise ValueError(f"its {name!r} is missing, or of another type")
    ledger, unfinished = ledger_of(found["ledger"]), found["unfinished"]
    for place, cost in sorted(begun.items()):
        if place > found["round"] + unfinished:
            ledger, unfinished = extended(ledger, cost), unfinished + 1
    return found | {"ledger": ledger, "unfinished": unfinished}


def read_rounds(folder: Path, about: dict[str, Any]) -> tuple[RoundRecord, ...]:
    """Return the rounds of the checkpoint that says `about`.

    Raises StoreError where the file does not hold them as they were written.
    """
    if not (folder / ROUNDS).exists():
        raise StoreError(f"{folder} holds no run that can go on: {ROUNDS} is missing")
    try:
        with (folder / ROUNDS).open("rb") as file:
            text = file.read(about["rounds"]["bytes"])
        if hashlib.sha256(text).hexdigest() != about["rounds"]["sha256"]:
            raise StoreError(
                f"{folder}: {ROUNDS} does not match its run: it was changed since the run was saved"
            )
        return tuple(_row(json.loads(line)) for line in text.splitlines())
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise StoreError(f"{folder}: the checkpoint is damaged: {error}") from error


def read(folder: Path, began: str) -> tuple[dict[str, Any], Progress, tuple[RoundRecord, ...]]:
    """Return what the checkpoint in `folder` says of its run, the state, and the rounds.

    `began` is the TOML that the run started with. Raises StoreError where files are missing or
    damaged, or are of another run.
    """
    from safetensors import SafetensorError, safe_open

    from fedbench.schedules import Progress

    try:
        begun = charges(folder)  # before the checkpoint, which a run that goes on may replace
        with safe_open(folder / STATE, framework="pt") as file:
            about = _about(folder, file.metadata(), begun)
            state = {name: file.get_tensor(name) for name in about["leaves"]}
        if about["tensors"] != _content(state):
            raise StoreError(
                f"{folder}: the model and states in {STATE} were changed since the run was saved"
            )
        if about["began"] != _digest(began):
            raise StoreError(
                f"{folder}: experiment.toml differs from what the run started with; restore the "
                "file, and pass changes when the run is resumed"
            )
        progress = Progress(
            round=about["round"],
            params=tree.unpack(state, "params"),
            server=tree.unpack(state, "server"),
            clients=_clients(state),
            ledger=about["ledger"],
            channel=tuple(
                tree.unpack(state, f"channel{place}") for place in range(about["stages"])
            ),
            unfinished=about["unfinished"],
        )
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise StoreError(f"{folder}: the checkpoint is damaged: {error}") from error
    return about, progress, read_rounds(folder, about)


def refuse_strange(
    folder: Path, experiment: Experiment, progress: Progress, rows: tuple[RoundRecord, ...]
) -> None:
    """Raise StoreError where the state and the rounds are not of the same run."""
    numbers = [row.round for row in rows]
    guarantee = experiment.privacy.guarantee
    owed = rows[-1].epsilon if rows and guarantee is not None else 0.0
    spent = progress.ledger.epsilon(guarantee.delta) if guarantee is not None else 0.0
    # The ledger may hold more: unfinished rounds were paid for, and are no rows. A NaN passes, as
    # an infinite ε was once not written down.
    if numbers != list(range(1, progress.round + 1)) or spent < owed * (1 - CLOSE):
        raise StoreError(
            f"{folder}: the ledger and {ROUNDS} do not match their run: the ledger comes to "
            f"ε = {spent:.6g}, and round {progress.round} had spent {owed:.6g}"
        )


def _content(state: Tree) -> str:
    """Return a hash of tensors: their names, types, shapes and bytes."""
    import torch

    found = hashlib.sha256()
    for name, leaf in state.items():
        found.update(f"{name} {leaf.dtype} {tuple(leaf.shape)} ".encode())
        found.update(leaf.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _joined(progress: Progress) -> Tree:
    found = tree.pack(params=progress.params, server=progress.server)
    for place, state in enumerate(progress.channel):
        found |= tree.pack(**{f"channel{place}": state})
    for client, state in progress.clients.items():
        own = tree.pack(strategy=state.strategy, channel=state.channel)
        found |= tree.pack(**{f"clients/{client}": own})
    return found


def _clients(state: Tree) -> dict[int, ClientState]:
    own: dict[int, dict[str, Any]] = {}
    for name, leaf in tree.unpack(state, "clients").items():
        client, _, rest = name.partition("/")
        own.setdefault(int(client), {})[rest] = leaf
    return {
        client: ClientState(tree.unpack(found, "strategy"), tree.unpack(found, "channel"))
        for client, found in sorted(own.items())
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# What files of before a column was renamed call it.
RENAMED = {"simulated_seconds": "simulated"}


def _plain(row: RoundRecord) -> dict[str, Any]:
    return {
        **{name: number(getattr(row, name)) for name in NUMBERS},
        "metrics": {name: number(value) for name, value in row.metrics.items()},
        "profile": {name: number(value) for name, value in row.profile.items()},
        "cohort": row.cohort.tolist(),
        "clients": [number(value) for value in row.clients.tolist()],
    }


def _row(data: dict[str, Any]) -> RoundRecord:
    """Return a round as it was written; a column that is younger than its file is missing."""

    def read(value: float | str | None) -> float:
        return math.nan if value is None else float(value)

    plain: dict[str, Any] = {}
    for name, column in NUMBERS.items():
        value = read(data.get(name, data.get(RENAMED.get(name, name))))
        plain[name] = int(value) if column.whole and math.isfinite(value) else value
    return RoundRecord(
        **plain,
        metrics={name: read(value) for name, value in data["metrics"].items()},
        profile={name: read(value) for name, value in data["profile"].items()},
        cohort=np.array(data["cohort"], dtype=np.int64),
        clients=np.array([read(value) for value in data["clients"]], dtype=np.float32),
    )
