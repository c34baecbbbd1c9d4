"""`fedbench sweep`: all combinations of some values, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedbench.cli import experiment_file, printed
from fedbench.cli.exits import Interrupt, Signalled, code_of, name_of, refuse, stop, tell
from fedbench.cli.options import Imports, Quiet
from fedbench.cli.watching import follow
from fedbench.config.overrides import several
from fedbench.study import Sweep, SweepError
from fedbench.study.grid import label, refuse_code
from fedbench.study.start import sweep as make_sweep


def sweep(
    file: Annotated[Path, typer.Argument(help="An experiment as TOML; see `fedbench new`.")],
    over: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=VALUES",
            help=(
                "Values of a setting to sweep, as in --over privacy.epsilon=0.5,1,inf or "
                "--over seed=0..4; an infinite budget is no privacy. May be given again."
            ),
        ),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as for `run`."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; runs it already holds are not repeated."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes; by default one per core.")
    ] = None,
    quiet: Quiet = False,
    allow_imports: Imports = False,
) -> None:
    """Run an experiment with all combinations of some values, and compare them."""
    experiment = experiment_file.read(file, changes or [], allow_imports)
    try:
        axes = dict(map(several, over))
        if len(axes) < len(over):
            refuse("--over: a setting is given twice; give all its values at once")
        if not allow_imports:
            refuse_code(axes)
        going = make_sweep(experiment, axes, folder=folder, workers=workers)
    except (ValueError, SweepError) as error:
        refuse(str(error))
    for text in going.cautions():
        tell(f"caution: {text}")
    try:
        interrupt = follow(going, quiet)
        _print(going, interrupt)
    except (KeyboardInterrupt, Signalled) as again:
        tell(f"{name_of(again)}: left at once; {_kept(going)}")
        raise typer.Exit(code_of(again)) from None
    if interrupt is not None:
        continues = ": the same command continues" if going.folder else ""
        tell(f"{name_of(interrupt)}: {_kept(going)}{continues}")
        raise typer.Exit(code_of(interrupt))
    if going.reason:
        stop(going.reason)
    if failed := sum(bool(result.error) for result in going.results):
        stop(f"{failed} of {len(going.points)} runs failed")


def _print(going: Sweep, interrupt: Interrupt | None) -> None:
    """Print what a sweep came to, and which runs failed."""
    try:
        printed.compare(going.frontier())
    except OSError:
        if interrupt is None:
            raise  # else the terminal is gone that the sweep was started from
    for result in going.results:
        if result.error:
            tell(f"failed: {label(result.settings)}: {result.error}")


def _kept(going: Sweep) -> str:
    done, total, _ = going.progress
    saved = f" and saved in {going.folder}" if going.folder else ""
    return f"{done} of {total} runs are done{saved}"
