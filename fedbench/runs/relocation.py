"""The experiment of a saved run, with its data where they are now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError

from fedbench.config.problems import problems
from fedbench.config.spec import Spec
from fedbench.experiment import Experiment
from fedbench.runs.checkpoint import StoreError
from fedbench.runs.contents import changed, fingerprint

DATA = "data"


def restored(
    text: str, folder: Path, allow_imports: bool, moved: Mapping[str, Any], place: str = ""
) -> Experiment:
    """Return the experiment that is written as the TOML `text`.

    `moved` says, by path, where its data are now, and `place` where they were. Raises StoreError
    where they cannot be read, and ValidationError where something else is wrong.
    """
    plain = tomlkit.parse(text).unwrap()
    for path, value in moved.items():
        *groups, name = path.split(".")
        group = plain
        for each in groups:
            group = group.get(each)
            if not isinstance(group, dict):
                raise StoreError(f"{path}: the run has no setting of this name")
        group[name] = value.to_dict() if isinstance(value, Spec) else value
    try:
        return Experiment.from_dict(plain, allow_imports=allow_imports)
    except ValidationError as error:
        found = problems(error)
        lost = [each for each in found if each.path.partition(".")[0] == DATA]
        if not lost or any(each["type"] == "foreign_kind" for each in error.errors()):
            raise
        setting = lost[0].path
        was = f" (it was {place} when the run was saved)" if place else ""
        raise StoreError(
            f"{folder}: the data of the run cannot be read: {lost[0].message}{was}. Its history "
            "and summary can be read. If the data have moved, say where they are: --set "
            f"{setting}=… in a shell, **{{{setting!r}: …}} or data=… in Python"
        ) from error


def located(
    text: str,
    folder: Path,
    allow_imports: bool,
    known: dict[str, Any] | None,
    moved: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> tuple[Experiment, Mapping[str, Any], dict[str, Any]]:
    """Return an experiment with its data, where these were found, and the changes that remain.

    `known` is the fingerprint of what the run trained on. Changes of the data that come to the same
    are no changes, but the place where the data are now. Raises StoreError where the data are
    missing or hold something else, and ValidationError where something else is wrong.
    """
    given = {path: value for path, value in changes.items() if path.partition(".")[0] == DATA}
    rest = {path: value for path, value in changes.items() if path not in given}
    refused: Exception | None = None
    if given and known is not None:
        try:
            found = restored(text, folder, allow_imports, given)
            _refuse_changed(folder, found, known)
            return found, given, rest
        except (StoreError, ValidationError) as error:
            refused = error
    try:
        was = "" if known is None else known["place"]
        found = restored(text, folder, allow_imports, moved, was)
        if known is not None:
            _refuse_changed(folder, found, known)
    except StoreError as error:
        raise refused or error from None
    return found, moved, dict(changes)


def _refuse_changed(folder: Path, experiment: Experiment, known: dict[str, Any]) -> None:
    try:
        now = fingerprint(experiment.data, experiment.federation())
    except ValueError as error:
        raise StoreError(f"{folder}: the data of the run cannot be read: {error}") from error
    if difference := changed(known, now or {}):
        raise StoreError(
            f"{folder}: the data are not those that the run trained on: {difference}. If those are "
            "in another place, say where by data=…"
        )
