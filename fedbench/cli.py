"""The command line: the commands of `fedbench`, those of some length from modules of their own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

import fedbench
from fedbench import command_app, command_lab, command_report, command_run, experiment_file, printed
from fedbench.command_options import Imports, Quiet
from fedbench.exits import (
    FAILED,
    Signalled,
    code_of,
    name_of,
    refuse,
    signals_raised,
    stop,
    tell,
)
from fedbench.overrides import several
from fedbench.problems import nearest
from fedbench.scenarios import SCENARIOS, Scenario
from fedbench.study import SweepError
from fedbench.study.grid import label, refuse_code
from fedbench.study.plan import plan as make_plan
from fedbench.study.sweep import sweep as make_sweep
from fedbench.template import template
from fedbench.watching import follow

app = typer.Typer(
    name="fedbench",
    help="Federated learning under privacy: write an experiment, run it, watch it.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    try:
        with signals_raised():
            app()
    except Signalled as interrupt:
        tell(f"{name_of(interrupt)}: ended")
        sys.exit(code_of(interrupt))
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in its buffer goes nowhere
        tell(f"error: standard output cannot be written to: {error.strerror or error}")
        sys.exit(FAILED)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fedbench {fedbench.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("experiment.toml"),
    scenario: Annotated[
        str, typer.Option(help="The scenario to start from; see `fedbench scenarios`.")
    ] = "digits",
    real: Annotated[bool, typer.Option("--real", help="Use the scenario's real data set.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write an experiment file that explains each of its settings."""
    try:
        text = template(_scenario(scenario)(real=real))
    except ValueError as error:
        refuse(str(error))
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        refuse(f"{file} already exists; choose another name, or overwrite it with --force")
    except OSError as error:
        refuse(f"{file} cannot be written: {error.strerror or error}")
    typer.echo(f"Wrote {file}. Next: fedbench run {file}")


@app.command()
def scenarios(
    name: Annotated[str | None, typer.Argument(help="The scenario to describe.")] = None,
) -> None:
    """List the scenarios, or tell the story of one."""
    if name is None:
        printed.scenarios(SCENARIOS)
    else:
        printed.story(_scenario(name))


app.command()(command_run.run)
app.command()(command_run.resume)
app.command()(command_report.report)


@app.command()
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
    interrupt = follow(going, quiet)
    try:
        printed.compare(going.frontier())
    except OSError:
        if interrupt is None:
            raise  # else the terminal is gone that the sweep was started from
    failed = [result for result in going.results if result.error]
    for result in failed:
        tell(f"failed: {label(result.settings)}: {result.error}")
    done, total, _ = going.progress
    if interrupt is not None:
        kept = f" and saved in {folder}: the same command continues" if folder else ""
        tell(f"{name_of(interrupt)}: {done} of {total} runs are done{kept}")
        raise typer.Exit(code_of(interrupt))
    if going.reason:
        stop(going.reason)
    if failed:
        stop(f"{len(failed)} of {total} runs failed")


@app.command()
def plan(
    epsilon: Annotated[float | None, typer.Option(help="The budget ε.")] = None,
    delta: Annotated[float | None, typer.Option(help="The δ of the budget, as 1e-5.")] = None,
    rounds: Annotated[float | None, typer.Option(help="Rounds of the run.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Probability that a client takes part in a round.")
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help=("Noise multiplier z: standard deviation over clipping norm.")),
    ] = None,
    clients: Annotated[int | None, typer.Option(help="Number of clients.")] = None,
    cohort: Annotated[
        float | None, typer.Option(help="Expected clients per round, instead of the rate.")
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(help="Number of model parameters, for the signal-to-noise ratio.")
    ] = None,
) -> None:
    """Work out the one of ε, δ, rounds, rate and noise that is left out, for client-level DP."""
    try:
        found = make_plan(
            epsilon=epsilon,
            delta=delta,
            rounds=rounds,
            rate=rate,
            noise_multiplier=noise,
            clients=clients,
            cohort=cohort,
        )
        typer.echo(str(found))
        if parameters is not None:
            ratio = found.signal_to_noise(parameters)
            typer.echo(f"signal to noise of the mean update, at best: {ratio:.3g}")
    except ValueError as error:
        refuse(_with_options(str(error)))


app.command()(command_lab.lab)
app.command("app")(command_app.page)


def _with_options(message: str) -> str:
    """Return a message about arguments of `plan` with the names that they have in a shell."""
    message = message.replace("noise_multiplier", "noise")
    if message.startswith("leave out"):
        return re.sub(r"\b(epsilon|noise|rounds|rate|delta)\b", r"--\1", message)
    return re.sub(r"^(epsilon|noise|rounds|rate|delta|clients|cohort)(?= = |: )", r"--\1", message)


# Scenarios ---------------------------------------------------------------------------------------


def _scenario(name: str) -> Scenario:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in known:
        refuse(f"no scenario is called {name!r}{nearest(name, known)}")
    return known[name]
