"""A run as a folder of plain files, and back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from fedbench.metrics import SPENT
from fedbench.runs import checkpoint
from fedbench.runs.checkpoint import STATE, StoreError, Writer
from fedbench.runs.claims import RESULTS, claimed, prepare
from fedbench.runs.events import Amended
from fedbench.runs.history import History
from fedbench.runs.outcome import number
from fedbench.runs.recording import EXPERIMENT, REMEMBERED, SUMMARY, write_state, write_views
from fedbench.runs.saved import SavedFiles
from fedbench.runs.session import Session

__all__ = ["RESULTS", "StoreError", "claimed", "load", "prepare", "resume", "save"]


def save(run: Session | History, folder: str | Path) -> Path:
    """Write a run so far into `folder`, made by `prepare`, and return it.

    Files: experiment.toml, history.csv (one row a round), clients.csv (first metric, client ×
    round), summary.json (last metrics, what was spent, why it ended, versions), privacy.md (what is
    promised and what not) and, once the run has begun, model.safetensors and what `load` and
    `resume` read (checkpoint.safetensors and rounds.jsonl). Each file is replaced as a whole.
    Raises StoreError as `prepare` does, before anything is written, and SessionError while rounds
    go on.
    """
    if isinstance(run, Session):
        run.checkpoint()
        run = run.snapshot()
    if not isinstance(run, History):
        raise TypeError(f"save takes a Session or a History, not {type(run).__name__}")
    with claimed(folder, run.experiment) as found:
        write_state(Writer(found), run)
        write_views(found, run)
    return found


def load(folder: str | Path, *, allow_imports: bool = False, **moved: Any) -> History:
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
    if not (folder / STATE).exists():
        summary = _summary(folder)
        if summary["rounds"]:
            raise StoreError(
                f"{folder}: {STATE} is missing, so what its rounds spent cannot be checked; its "
                "tables, history.csv and clients.csv, can be read as they are"
            )
        return History(
            SavedFiles(folder, summary, None, allow_imports, moved), ended=summary["ended"]
        )
    about = checkpoint.read_about(folder)
    rows = checkpoint.read_rounds(folder, about)
    summary, unfinished, charged = about["summary"], about["unfinished"], math.nan
    if unfinished:
        charged = about["ledger"].epsilon(summary["delta"])
    if unfinished > summary.get("unfinished_rounds", 0):  # the run was killed
        summary |= {
            SPENT[summary["unit"]].name: number(charged),
            "unfinished_rounds": unfinished,
        }
    found = History(
        SavedFiles(folder, summary, about["metrics"], allow_imports, moved),
        about["noise_multiplier"],
        rows,
        [Amended(each["round"], each["changes"]) for each in summary["amendments"]],
        ended=summary["ended"],
        went_on_from=about["went_on_from"],
        **{name: about[name] for name in REMEMBERED},
    )
    found.note_unfinished(unfinished, charged)
    return found


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
    files = SavedFiles(Path(folder), saved.summary, None, allow_imports)
    if not files.begun:
        return Session(saved.experiment.replace(**changes))
    began, start, rest = files.start(changes)
    amendments = list(saved.amendments)
    if rest:
        amendments.append(Amended(start.progress.round + 1, rest))
    return Session.resumed(began, start, amendments, saved.went_on_from)


def _summary(folder: Path) -> dict[str, Any]:
    if not (folder / SUMMARY).exists():
        raise StoreError(f"{folder} holds no run: {SUMMARY} is missing")
    return json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
