"""`fedbench report`: saved runs as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from fedbench.cli.exits import refuse
from fedbench.cli.options import Imports, Quiet
from fedbench.cli.watching import bar
from fedbench.config.problems import problems
from fedbench.experiment import Experiment
from fedbench.reporting import ReportError, refuse_others, report as make_report
from fedbench.runs import History
from fedbench.runs.store import StoreError, load
from fedbench.study.baselines import Baselines, alternative, baselines


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(help="The results of runs; see `fedbench run`.", metavar="FOLDER"),
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="The heading; by default the data set's name.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file even if it is not a report.")
    ] = False,
    alone: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Train each client alone and all data together as well, about two runs, and say "
            "who gains by the federation.",
        ),
    ] = False,
    quiet: Quiet = False,
    allow_imports: Imports = False,
) -> None:
    """Write a page about saved runs that needs nothing but a browser."""
    try:
        runs = [_read(folder, allow_imports) for folder in folders]
        refuse_others(out, force)  # before it takes time
        levels = _baselines(runs, quiet) if alone else None
        make_report(runs, out, title=title, force=force, baselines=levels)
    except ValidationError as error:
        refuse(*map(str, problems(error)))
    except (StoreError, ReportError, ValueError) as error:
        refuse(str(error).replace("overwrite it with force", "overwrite it with --force"))
    count = f"{len(folders)} run{'' if len(folders) == 1 else 's'}"
    typer.echo(f"Wrote {out}: {count}. Open it in any browser.")
    if not alone:
        typer.echo("Who gains by the federation is not in it: --baselines trains what that takes.")


def _read(folder: Path, allow_imports: bool) -> History:
    """Return a saved run. Raises StoreError where there is none, or no round."""
    saved = load(folder, allow_imports=allow_imports)
    if not len(saved):
        raise StoreError(f"nothing to report: the run in {folder} has no rounds yet")
    return saved


def _baselines(runs: Sequence[History], quiet: bool) -> list[Baselines | None]:
    """Return what each run's clients get without it, trained for as many rounds as the run had.

    Runs that differ in nothing that this depends on share it.
    """
    wanted = [_alternative(run) for run in runs]
    kinds = {each.to_toml(): each for each in wanted}
    found: dict[str, Baselines | None] = {}
    done = 0
    with bar(2 * sum(each.rounds for each in kinds.values()), "round", quiet) as show:

        def advance() -> bool:
            nonlocal done
            show(done)
            done += 1
            return True

        for key, experiment in kinds.items():
            found[key] = baselines(experiment, go_on=advance)
    return [found[each.to_toml()] for each in wanted]


def _alternative(run: History) -> Experiment:
    """Return what a run trained in the end, less the federation, for the rounds that it had."""
    experiment = run.experiment
    for note in run.amendments:
        experiment = experiment.replace(**note.changes)
    return alternative(experiment.replace(rounds=len(run)))
