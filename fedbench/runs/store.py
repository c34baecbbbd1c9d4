"""A run as a folder of plain files, and back."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.experiment import Experiment
from fedbench.metrics import SPENT
from fedbench.runs import checkpoint
from fedbench.runs.checkpoint import FILES, ROUNDS, STATE, Checkpoint, StoreError
from fedbench.runs.events import Amended
from fedbench.runs.files import Claim
from fedbench.runs.history import History, clients_of, frame_of
from fedbench.runs.outcome import number, outcome
from fedbench.runs.recording import (
    CARD,
    CLIENTS,
    EXPERIMENT,
    HISTORY,
    MODEL,
    REMEMBERED,
    SUMMARY,
    Recording,
)
from fedbench.runs.relocation import located, restored
from fedbench.runs.session import Session
from fedbench.runs.succession import refusal

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from fedbench.runs.predictions import Predictions

__all__ = ["Saved", "StoreError", "claimed", "load", "outcome", "prepare", "resume", "save"]

RESULTS = (HISTORY, CLIENTS, SUMMARY, MODEL, CARD, *FILES)
SWEPT = re.compile(r"[0-9a-f]{24}\.json")  # a result of a sweep, named by its hash
LOCK = ".lock"  # held by the process that writes into the folder
# What may be different when a run goes on: not what its states and its promise were made by.
CHANGEABLE = (
    *("rounds", "target", "training", "sampling", "aggregator", "attack", "devices", "engine"),
    "data",  # where more of them came in to the same clients
    *("privacy.epsilon", "privacy.noise_multiplier"),
)


@dataclass(frozen=True, eq=False)
class Saved:
    """A run read back: `History.frame()`, `History.clients()` and the summary, and on demand more.

    The first three can be read without the data of the run and without classes of your own. What
    else there is raises StoreError where its data are missing or hold something else now, and
    ValidationError where its experiment.toml is not sound or names a class that cannot be imported.
    """

    folder: Path
    frame: pd.DataFrame
    clients: pd.DataFrame
    summary: dict[str, Any]
    allow_imports: bool = False
    moved: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        data, rounds = self.summary.get("data", "?"), len(self.frame)
        return f"<Saved run of {data}: {rounds} rounds, in {self.folder}>"

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment that the run began with."""
        known = checkpoint.read_about(self.folder)["data"] if self._resumable else None
        place = known["place"] if known else ""
        return restored(self._text, self.folder, self.allow_imports, self.moved, place)

    @cached_property
    def history(self) -> History:
        """The history of the run, as its session had it."""
        if not self._resumable:
            if self.summary["rounds"]:
                raise StoreError(
                    f"{self.folder}: {STATE} is missing, so what its rounds spent cannot be "
                    "checked; frame, clients and summary can be read"
                )
            return History(self.experiment, ended=self.summary["ended"])
        return self._start({})[0]

    def module(self) -> torch.nn.Module:
        """Return the trained model.

        Raises StoreError, too, when the run ended before its first round, and when the model's
        class builds another module than the one that was trained.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not self.summary["rounds"]:
            raise StoreError(f"{self.folder} holds no model: the run ended before its first round")
        _, start = self._start({})
        experiment, path = start.experiment, self.folder / MODEL
        card = experiment.federation().card
        try:
            module = experiment.model.loaded(card, experiment.seed, start.progress.params)
            if path.exists():  # what is never trained, such as buffers
                trained = {
                    name
                    for name, leaf in module.named_parameters(remove_duplicate=False)
                    if leaf.requires_grad
                }
                held = load_file(path)
                whole = _readable(self.folder) and _summary(self.folder)
                if whole and whole["rounds"] == start.progress.round:
                    # else it is of before the run went on, and the process was killed
                    _refuse_other_model(path, held, module, trained)
                state = {k: leaf for k, leaf in held.items() if k not in trained}
                module.load_state_dict(state, strict=False)
        except SafetensorError as error:
            raise StoreError(f"{path} is damaged: {error}") from error
        except (RuntimeError, ValueError) as error:
            raise StoreError(
                f"{self.folder}: {experiment.model.kind()} now builds another module than the one "
                f"that was trained: {error}"
            ) from error
        return module

    def predictions(self) -> Predictions:
        """Return what the trained models say of each held-out test row, as `Session` does.

        Raises StoreError, too, when the run ended before its first round, and ValueError where its
        experiment cannot be prepared here.
        """
        from fedbench.runs.predictions import predictions
        from fedbench.runs.rounds import Rounds

        if not self.summary["rounds"]:
            raise StoreError(f"{self.folder} holds no model: the run ended before its first round")
        _, start = self._start({})
        rounds = Rounds(start.experiment, noise_multiplier=start.noise_multiplier)
        return predictions(rounds, start.progress)

    @property
    def _text(self) -> str:
        try:
            return (self.folder / EXPERIMENT).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise StoreError(f"{self.folder}: {EXPERIMENT} cannot be read: {reason}") from error

    @property
    def _resumable(self) -> bool:
        return (self.folder / STATE).exists()

    def _start(self, changes: dict[str, Any]) -> tuple[History, Checkpoint]:
        """Return the history of the run, and where it goes on from, with `changes`."""
        if not self._resumable:
            raise StoreError(f"{self.folder} holds no run that can go on: {STATE} is missing")
        about, progress, rows = checkpoint.read(self.folder, self._text)
        place = self.folder, self.allow_imports
        now, moved, rest = located(about["experiment"], *place, about["data"], self.moved, changes)
        checkpoint.refuse_strange(self.folder, now, progress, rows)
        began = restored(self._text, *place, moved)
        start = Checkpoint(now, about["noise_multiplier"], progress, rows, about["data"])
        found = about["summary"]["amendments"]
        amendments = [Amended(each["round"], each["changes"]) for each in found]
        if rest:
            start = _changed(start, rest)
            amendments.append(Amended(progress.round + 1, rest))
        history = History(
            began,
            start.noise_multiplier,
            list(rows),
            amendments,
            ended=about["summary"]["ended"],
            **{name: about[name] for name in REMEMBERED},
            went_on_from=tuple(about["went_on_from"]),
        )
        history.note_unfinished(progress.unfinished, start.spent)
        return history, start


def prepare(folder: str | Path, experiment: Experiment) -> Path:
    """Make `folder` ready for the files of a run of `experiment` and return it.

    An experiment.toml that describes this very experiment may be there already. Raises StoreError
    when the folder holds another run or cannot be written to.
    """
    with claimed(folder, experiment) as found:
        return found


@contextlib.contextmanager
def claimed(
    folder: str | Path, experiment: Experiment, *, numbered: bool = False
) -> Generator[Path]:
    """Prepare a folder as `prepare` does, and keep other processes out of it meanwhile.

    Where `numbered`, the folder is a new one: `folder`, or the first of folder-2, folder-3 and so
    on that is free. One that is still empty at the end is removed if it was made here. Raises
    StoreError, too, where another process writes into the folder.
    """
    folder, made = Path(folder), False
    try:
        if numbered:
            folder, made = _new(folder), True
        elif not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = True
        claim = Claim(folder / LOCK)
        if not claim.take():
            raise StoreError(f"{folder} is in use: another run is writing there; choose another")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written to: {error.strerror or error}") from error
    try:
        _refuse_held(folder, experiment)
        yield folder
    finally:
        claim.release()
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # does nothing where there are files


def _new(folder: Path) -> Path:
    """Make and return the first of folder, folder-2, … that is not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    number, found = 1, folder
    while True:
        try:
            found.mkdir()
        except FileExistsError:
            number += 1
            found = folder.with_name(f"{folder.name}-{number}")
        else:
            return found


def _refuse_held(folder: Path, experiment: Experiment) -> None:
    held = [name for name in RESULTS if (folder / name).exists()]
    if held:
        raise StoreError(f"{folder} already holds a run ({held[0]}); choose another folder")
    if any(SWEPT.fullmatch(path.name) for path in folder.glob("*.json")):
        raise StoreError(f"{folder} holds the results of a sweep; choose another folder")
    path = folder / EXPERIMENT
    if path.exists() and not _describes(path, experiment):
        raise StoreError(f"{folder} holds another experiment ({EXPERIMENT}); choose another folder")


def save(session: Session, folder: str | Path) -> Path:
    """Write the session's run so far into `folder`, made by `prepare`, and return it.

    Files: experiment.toml, history.csv (one row a round), clients.csv (first metric, client ×
    round), summary.json (last metrics, what was spent, why it ended, versions), privacy.md (what is
    promised and what not) and, once the run has begun, model.safetensors and what `load` and
    `resume` read (checkpoint.safetensors and rounds.jsonl). Each file is replaced as a whole.
    Raises StoreError as `prepare` does, before anything is written, and SessionError while rounds
    go on.
    """
    if not isinstance(session, Session):
        kind = type(session).__name__
        instead = "; a history does not hold the model: keep the session that made it"
        raise TypeError(
            f"save takes a Session, not {kind}{instead if isinstance(session, History) else ''}"
        )
    session.checkpoint()
    with claimed(folder, session.history.experiment) as found:
        Recording(session, found).finish()
    return found


def load(folder: str | Path, *, allow_imports: bool = False, **moved: Any) -> Saved:
    """Return the run that `save`, or a shell's `fedbench run`, wrote into `folder`.

    A run that was killed is read up to the last rounds that it wrote, and what it spent is of all
    rounds that it began. `allow_imports` is that of
    `Experiment.from_toml`. Where the data are in another place now, `data=fb.Table("new.csv", …)`
    or `**{"data.path": "new.csv"}` says where. Raises StoreError when there is no run, or its files
    were changed.
    """
    folder = Path(folder)
    for path in moved:
        if path.partition(".")[0] != "data":
            raise StoreError(
                f"{path} cannot change when a run is read; only the place of its data can"
            )
    if not (folder / EXPERIMENT).exists():
        raise StoreError(f"{folder} holds no run: {EXPERIMENT} is missing")
    if (folder / STATE).exists() and ((folder / ROUNDS).exists() or not _readable(folder)):
        about = checkpoint.read_about(folder)
        rows = checkpoint.read_rounds(folder, about)
        summary = about["summary"]
        if about["unfinished"] > summary.get("unfinished_rounds", 0):  # the run was killed
            spent = number(about["ledger"].epsilon(summary["delta"]))
            summary |= {
                SPENT[summary["unit"]].name: spent,
                "unfinished_rounds": about["unfinished"],
            }
        frame = frame_of(rows, about["metrics"], summary["unit"])
        clients = clients_of(rows, len(rows[0].clients) if rows else 0)
    else:  # the run ended before it had begun, or what it needs to go on is gone
        frame, clients, summary = _table(folder), _clients(folder), _summary(folder)
    return Saved(folder, frame, clients, summary, allow_imports, moved)


def resume(folder: str | Path, *, allow_imports: bool = False, **changes: Any) -> Session:
    """Return a session that goes on with the run in `folder`, once it is started.

    What it spent of its privacy is spent: 60 rounds and 40 more are 100 rounds, and a round that
    was computed when the process was killed counts too. The noise stays as it was solved, unless
    `changes` say otherwise; a key of theirs is a path, as in
    `resume(folder, rounds=100, **{"privacy.epsilon": 4})`, and the history records them. A run that
    had not begun begins. Data that are in another place now are given as in `load`. Raises
    StoreError where there is no run that can go on, for a change that its state does not allow, and
    for data that hold something else than the run trained on, and ValidationError for a bad value.
    """
    saved = load(folder, allow_imports=allow_imports)
    if not saved._resumable and not saved.summary["rounds"]:
        return Session(saved.experiment.replace(**changes))
    history, start = saved._start(changes)
    return Session.resumed(history.experiment, start, history.amendments, history.went_on_from)


def _readable(folder: Path) -> bool:
    """Return whether the tables and the summary of a run are there, to be read by themselves."""
    return all((folder / name).exists() for name in (HISTORY, CLIENTS, SUMMARY))


def _refuse_other_model(
    path: Path, held: dict[str, Any], module: torch.nn.Module, trained: set[str]
) -> None:
    """Raise StoreError where the file of the model holds other parameters than the checkpoint."""
    for name, leaf in module.named_parameters(remove_duplicate=False):
        if name in trained and name in held and not held[name].equal(leaf.detach()):
            raise StoreError(
                f"{path} does not match its run: {name} was changed since the run was saved"
            )


def _found(folder: Path, name: str) -> Path:
    if not (folder / name).exists():
        raise StoreError(f"{folder} holds no run: {name} is missing")
    return folder / name


def _table(folder: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(_found(folder, HISTORY))


def _clients(folder: Path) -> pd.DataFrame:
    import pandas as pd

    clients = pd.read_csv(_found(folder, CLIENTS), index_col="client").astype(np.float32)
    clients.columns = pd.Index([int(name) for name in clients.columns], name="round")
    return clients


def _summary(folder: Path) -> dict[str, Any]:
    return json.loads(_found(folder, SUMMARY).read_text(encoding="utf-8"))


def _changed(start: Checkpoint, changes: dict[str, Any]) -> Checkpoint:
    for path in changes:
        if path not in CHANGEABLE and path.partition(".")[0] not in CHANGEABLE:
            raise StoreError(
                f"{path} cannot change when a run is resumed; {', '.join(CHANGEABLE)} can"
            )
    before, now = start.experiment, start.experiment.replace(**changes)
    if reason := refusal(before, now):
        raise StoreError(reason)
    if before.own_accounts != now.own_accounts:
        raise StoreError(
            f"sampling: the privacy spent so far is accounted for {before.sampling.kind()} "
            f"sampling, and {now.sampling.kind()} needs another accounting"
        )
    asked = getattr(now.privacy, "noise_multiplier", None)
    return replace(start, experiment=now, noise_multiplier=asked or start.noise_multiplier)


def _describes(path: Path, experiment: Experiment) -> bool:
    try:
        found = Experiment.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found == experiment
