"""All that a run needs to go on, as plain files: model, states, rounds so far, and the ledger."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench import tree
from fedbench.channel.privacy import Ledger, Ledgers, Private
from fedbench.experiment import Experiment
from fedbench.runs.events import RoundDone
from fedbench.tree import Tree

if TYPE_CHECKING:
    from fedbench.runs.rounds import Progress

STATE, ROUNDS, LEDGER = "checkpoint.safetensors", "rounds.jsonl", "ledger.json"
FILES = (STATE, ROUNDS, LEDGER)
CLOSE = 1e-9  # relative; the same sums on another machine


class CheckpointError(RuntimeError):
    """Files that do not hold a run, or not the one that they should."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run between two rounds: `experiment` is what it goes by now, with the noise once solved."""

    experiment: Experiment
    noise_multiplier: float | None
    progress: Progress
    rows: tuple[RoundDone, ...]

    def write(self, folder: Path, began: str) -> None:
        """Write the files into `folder`; `began` is the TOML of what the run started with."""
        from safetensors.torch import save_file

        joined = _joined(self.progress)
        state = {name: leaf.detach().clone().contiguous() for name, leaf in joined.items()}
        lines = "".join(json.dumps(_plain(row), allow_nan=False) + "\n" for row in self.rows)
        ledger = json.dumps(self.progress.ledger.to_dict(), indent=2) + "\n"
        (folder / ROUNDS).write_text(lines, encoding="utf-8")
        (folder / LEDGER).write_text(ledger, encoding="utf-8")
        about = {
            "files": {ROUNDS: _digest(lines), LEDGER: _digest(ledger)},
            "began": _digest(began),
            "experiment": self.experiment.to_toml(),
            "round": self.progress.round,
            "bounds": self.progress.bounds,
            "noise_multiplier": self.noise_multiplier,
            "leaves": list(state),  # noise is drawn in their order, which the file does not keep
        }
        save_file(state, folder / STATE, metadata={"fedbench": json.dumps(about)})


def read(folder: Path, began: str, *, allow_imports: bool = False) -> Checkpoint:
    """Return the checkpoint in `folder` of a run that started with the TOML `began`.

    Raises CheckpointError where files are missing or damaged, or are of another run.
    """
    from safetensors import SafetensorError, safe_open

    from fedbench.runs.rounds import Progress

    for name in FILES:
        if not (folder / name).exists():
            raise CheckpointError(f"{folder} holds no run that can go on: {name} is missing")
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            about = json.loads((file.metadata() or {})["fedbench"])
            state = {name: file.get_tensor(name) for name in about["leaves"]}
        if about["began"] != _digest(began):
            raise CheckpointError(
                f"{folder}: experiment.toml is not what the run began with; a run goes on as what "
                "it was, and takes changes when it is resumed"
            )
        for name, digest in about["files"].items():
            if _digest((folder / name).read_text(encoding="utf-8")) != digest:
                raise CheckpointError(
                    f"{folder}: {name} does not match its run: it was changed since; without the "
                    "true ledger no budget can be kept"
                )
        lines = (folder / ROUNDS).read_text(encoding="utf-8").splitlines()
        rows = tuple(_row(json.loads(line)) for line in lines)
        experiment = Experiment.from_toml(about["experiment"], allow_imports=allow_imports)
        progress = Progress(
            round=about["round"],
            params=tree.unpack(state, "params"),
            server=tree.unpack(state, "server"),
            clients=dict(_clients(state)),
            ledger=_ledger(json.loads((folder / LEDGER).read_text(encoding="utf-8"))),
            bounds=tuple(about["bounds"]),
        )
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(f"{folder}: the checkpoint is damaged: {error}") from error
    _refuse_strange(folder, experiment, progress, rows)
    return Checkpoint(experiment, about["noise_multiplier"], progress, rows)


def _refuse_strange(
    folder: Path, experiment: Experiment, progress: Progress, rows: tuple[RoundDone, ...]
) -> None:
    """Raise CheckpointError where the files do not tell of the same run."""
    numbers = [row.round for row in rows]
    privacy = experiment.privacy
    owed = rows[-1].epsilon if rows and isinstance(privacy, Private) else 0.0
    spent = progress.ledger.epsilon(privacy.delta) if isinstance(privacy, Private) else 0.0
    if numbers != list(range(1, progress.round + 1)) or not (
        spent == owed or math.isclose(spent, owed, rel_tol=CLOSE)
    ):
        raise CheckpointError(
            f"{folder}: {LEDGER} and {ROUNDS} do not match their run: the ledger comes to "
            f"ε = {spent:.6g}, and round {progress.round} had spent {owed:.6g}"
        )


def _joined(progress: Progress) -> Tree:
    found = {f"params/{name}": leaf for name, leaf in progress.params.items()}
    found |= {f"server/{name}": leaf for name, leaf in progress.server.items()}
    for client, state in progress.clients.items():
        found |= {f"clients/{client}/{name}": leaf for name, leaf in state.items()}
    return found


def _clients(state: Tree) -> Iterator[tuple[int, Tree]]:
    own: dict[int, dict[str, Any]] = {}
    for name, leaf in tree.unpack(state, "clients").items():
        client, _, rest = name.partition("/")
        own.setdefault(int(client), {})[rest] = leaf
    yield from sorted(own.items())


def _ledger(data: dict[str, Any]) -> Ledger | Ledgers:
    return Ledgers.from_dict(data) if "clients" in data else Ledger.from_dict(data)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


NUMBERS = (
    "train_loss",
    "update_norm",
    "clipped",
    "epsilon",
    "seconds",
    "personal",
    "released",
    "simulated",
)
COUNTS = ("round", "bytes_up", "bytes_down", "asked")


def _plain(row: RoundDone) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in COUNTS},
        **{name: _number(getattr(row, name)) for name in NUMBERS},
        "metrics": {name: _number(value) for name, value in row.metrics.items()},
        "profile": {name: _number(value) for name, value in row.profile.items()},
        "bounds": list(row.bounds),
        "cohort": row.cohort.tolist(),
        "clients": [_number(value) for value in row.clients.tolist()],
    }


def _row(data: dict[str, Any]) -> RoundDone:
    def number(value: float | None) -> float:
        return math.nan if value is None else float(value)

    plain: dict[str, Any] = {name: int(data[name]) for name in COUNTS}
    plain |= {name: number(data[name]) for name in NUMBERS}
    return RoundDone(
        **plain,
        metrics={name: number(value) for name, value in data["metrics"].items()},
        profile={name: number(value) for name, value in data["profile"].items()},
        bounds=tuple(data["bounds"]),
        cohort=np.array(data["cohort"], dtype=np.int64),
        clients=np.array([number(value) for value in data["clients"]], dtype=np.float32),
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
