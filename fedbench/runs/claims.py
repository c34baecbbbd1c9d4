"""Folders that a run may write into."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from pathlib import Path

from fedbench.experiment import Experiment
from fedbench.runs.checkpoint import FILES, StoreError
from fedbench.runs.files import Claim
from fedbench.runs.recording import CARD, CLIENTS, EXPERIMENT, HISTORY, MODEL, SUMMARY

RESULTS = (HISTORY, CLIENTS, SUMMARY, MODEL, CARD, *FILES)
SWEPT = re.compile(r"[0-9a-f]{24}\.json")  # a result of a sweep, named by its hash
LOCK = ".lock"  # held by the process that writes into the folder


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


def _describes(path: Path, experiment: Experiment) -> bool:
    try:
        found = Experiment.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return found == experiment
