"""`fedbench run` and `fedbench resume`: a run in a shell, saved while it goes on."""

from __future__ import annotations

import shlex
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from fedbench.cli import experiment_file, printed
from fedbench.cli.exits import (
    Interrupt,
    Signalled,
    code_of,
    first_held,
    name_of,
    refuse,
    stop,
    tell,
)
from fedbench.cli.options import Changes, Imports, Profiled, Quiet, out_of
from fedbench.cli.watching import watch
from fedbench.config.overrides import OverrideError, override, parsed
from fedbench.config.problems import problems
from fedbench.experiment import Experiment
from fedbench.runs import Session
from fedbench.runs.contents import foreign
from fedbench.runs.further import further
from fedbench.runs.recording import Recording
from fedbench.runs.rounds import Rounds
from fedbench.runs.store import StoreError, claimed, resume as resumed


def run(
    file: Annotated[Path, typer.Argument(help="An experiment as TOML; see `fedbench new`.")],
    changes: Changes = None,
    out: Annotated[Path | None, out_of("runs/NAME")] = None,
    quiet: Quiet = False,
    profile: Profiled = False,
    allow_imports: Imports = False,
) -> None:
    """Run an experiment and save its results."""
    experiment = experiment_file.read(file, changes or [], allow_imports)
    for text in experiment.cautions():
        tell(f"caution: {text}")
    try:
        Rounds(experiment)
    except ValueError as error:
        refuse(str(error))
    session, place = Session(experiment), out or Path("runs") / file.stem
    _carryout_of(session, place, quiet, profile, numbered=out is None)


def resume(
    folder: Annotated[Path, typer.Argument(help="The results of a run; see `fedbench run`.")],
    changes: Changes = None,
    out: Annotated[Path | None, out_of("FOLDER-2, -3, ...")] = None,
    quiet: Quiet = False,
    profile: Profiled = False,
    allow_imports: Imports = False,
) -> None:
    """Go on with a saved run: what it spent of its privacy stays spent."""
    try:
        moved = dict(filter(None, map(_of_data, changes or [])))
        now = resumed(folder, allow_imports=allow_imports, **moved).experiment
        data, wanted = now.to_dict(), dict[str, Any]()
        for change in changes or []:
            override(Experiment, data, change, allow_imports=allow_imports)
        asked = Experiment.from_dict(data, allow_imports=allow_imports)
        for change in changes or []:
            path = _group(change.partition("=")[0].strip().removesuffix(".kind"), now)
            wanted[path] = reduce(getattr, path.split("."), asked)
        session = resumed(folder, allow_imports=allow_imports, **wanted | moved)
        if reason := (ahead := further(session)).reason:
            given = " ".join(f"--set {change}" for change in ahead.changes)
            refuse(f"{reason}; give {given} to continue" if given else reason)
    except ValidationError as error:
        refuse(*map(str, problems(error)))
    except (StoreError, OverrideError, ValueError) as error:
        refuse(str(error))
    _carryout_of(session, out or folder, quiet, profile, numbered=out is None)


def _of_data(change: str) -> tuple[str, Any] | None:
    """Return the setting and value of a change of the data, None for another change."""
    path, _, text = change.partition("=")
    is_data = path.strip().startswith("data.") and not path.strip().endswith("kind")
    return (path.strip(), parsed(text.strip())) if is_data else None


def _group(path: str, now: Experiment) -> str:
    """Return the path of a setting, or of the group that it is in where there is none yet."""
    names = path.split(".")
    for count in range(1, len(names)):
        if reduce(getattr, names[:count], now) is None:
            return ".".join(names[:count])
    return path


def _carryout_of(
    session: Session, place: Path, quiet: bool, profiled: bool, *, numbered: bool
) -> None:
    """Run a session to its end, saving it on the way, and print what it came to.

    It is saved in `place`, or in the next of that name and a number that is free.
    """
    try:
        with claimed(place, session.history.experiment, numbered=numbered) as folder:
            interrupt = _recorded(Recording(session, folder), quiet)
    except StoreError as error:
        refuse(str(error))
    try:
        printed.report(session, folder)
        if profiled:
            printed.profile(session.history)
    except OSError:
        if interrupt is None:
            raise  # else the terminal is gone that the run was started from
    if session.failure is not None:
        stop(session.failure.message)
    goes_on = _command(session, folder)
    if interrupt is not None:
        rounds = _rounds(len(session.history))
        tell(f"{name_of(interrupt)}: stopped after {rounds}; continue with `{goes_on}`")
        raise typer.Exit(code_of(interrupt))
    option = ", allow_imports=True" if foreign(session.experiment) else ""
    typer.echo(
        f"\nNext: change a setting with --set, {f'continue with `{goes_on}`, ' if goes_on else ''}"
        f"or read the run back in Python with\n  fedbench.load({str(folder)!r}{option})"
    )


def _recorded(recording: Recording, quiet: bool) -> Interrupt | None:
    """Run a session to its end and save it; return what interrupted it, if anything did."""
    try:
        interrupt = watch(recording, quiet)
        if interrupt is not None:
            recording.finish()
        else:
            with first_held() as held:
                recording.finish()
            interrupt = held[0] if held else None
    except (KeyboardInterrupt, Signalled) as error:
        tell(f"{name_of(error)}: left at once; {_kept(recording)}")
        raise typer.Exit(code_of(error)) from None
    except (OSError, ValueError) as error:
        stop(f"the results cannot be saved: {error}; {_kept(recording)}")
    return interrupt


def _kept(recording: Recording) -> str:
    count = recording.rounds
    return f"{_rounds(count)} {'is' if count == 1 else 'are'} kept in {recording.folder}"


def _rounds(count: int) -> str:
    return f"{count} round{'' if count == 1 else 's'}"


def _command(session: Session, folder: Path) -> str:
    """Return the command that goes on with a saved run; empty where only a person can say how."""
    ahead = further(session)
    if ahead.reason and not ahead.changes:
        return ""
    imports = ["--allow-imports"] if foreign(session.experiment) else []
    changes = [f"--set {each}" for each in ahead.changes]
    return " ".join(["fedbench resume", shlex.quote(str(folder)), *changes, *imports])
