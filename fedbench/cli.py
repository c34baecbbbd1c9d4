"""The command line: the commands of `fedbench`, those of some length from modules of their own."""

from __future__ import annotations

import sys
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

import fedbench
from fedbench import command_app, command_lab, command_report, experiment_file, printed
from fedbench.exits import FAILED, INTERRUPTED, refuse, stop
from fedbench.experiment import Experiment
from fedbench.overrides import OverrideError, override, several
from fedbench.problems import nearest, problems
from fedbench.runs import Session
from fedbench.runs.further import further
from fedbench.runs.rounds import Rounds
from fedbench.runs.store import StoreError, prepare, resume as resumed, save
from fedbench.scenarios import SCENARIOS, Scenario
from fedbench.study import SweepError
from fedbench.study.grid import label, refuse_code
from fedbench.study.plan import plan as make_plan
from fedbench.study.sweep import sweep as make_sweep
from fedbench.template import template
from fedbench.watching import follow, watch

app = typer.Typer(
    name="fedbench",
    help="Federated learning under privacy: write an experiment, run it, watch it.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a setting, as in --set training.lr=0.5; 'none' turns one off. "
        "May be given again.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]
Profiled = Annotated[
    bool, typer.Option("--profile", help="Show where the time of a round is spent.")
]
Imports = Annotated[
    bool,
    typer.Option("--allow-imports", help="Allow kind = 'module:Class' to import your code."),
]


def main() -> None:
    """Run the command line."""
    app()


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


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="An experiment as TOML; see `fedbench new`.")],
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; by default the next free runs/NAME."),
    ] = None,
    quiet: Quiet = False,
    profile: Profiled = False,
    allow_imports: Imports = False,
) -> None:
    """Run an experiment and save its results."""
    if allow_imports:
        sys.path.insert(0, str(Path.cwd()))  # where `python -m` would look for a module as well
    experiment = experiment_file.read(file, changes or [], allow_imports)
    for text in experiment.cautions():
        typer.echo(f"caution: {text}", err=True)
    try:
        Rounds(experiment)
    except ValueError as error:
        refuse(str(error))
    try:
        folder = prepare(out or _free(Path("runs") / file.stem), experiment)
    except StoreError as error:
        refuse(str(error))
    _carry_out(Session(experiment), folder, quiet, profile)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="The results of a run; see `fedbench run`.")],
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; by default the next free FOLDER-2, -3, ..."),
    ] = None,
    quiet: Quiet = False,
    profile: Profiled = False,
    allow_imports: Imports = False,
) -> None:
    """Go on with a saved run: what it spent of its privacy stays spent."""
    if allow_imports:
        sys.path.insert(0, str(Path.cwd()))
    try:
        now = resumed(folder, allow_imports=allow_imports).experiment
        data, wanted = now.to_dict(), {}
        for change in changes or []:
            override(data, change, allow_imports=allow_imports)
        asked = Experiment.from_dict(data, allow_imports=allow_imports)
        for change in changes or []:
            path = _group(change.partition("=")[0].strip().removesuffix(".kind"), now)
            wanted[path] = reduce(getattr, path.split("."), asked)
        session = resumed(folder, allow_imports=allow_imports, **wanted)
        if reason := (ahead := further(session)).reason:
            given = " ".join(f"--set {change}" for change in ahead.changes)
            refuse(f"{reason}; give {given} to continue" if given else reason)
        place = prepare(out or _free(folder), session.history.experiment)
    except ValidationError as error:
        refuse(*map(str, problems(error)))
    except (StoreError, OverrideError, ValueError) as error:
        refuse(str(error))
    _carry_out(session, place, quiet, profile)


def _group(path: str, now: Experiment) -> str:
    """Return the path of a setting, or of the group that it is in where there is none yet."""
    names = path.split(".")
    for count in range(1, len(names)):
        if reduce(getattr, names[:count], now) is None:
            return ".".join(names[:count])
    return path


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
    if allow_imports:
        sys.path.insert(0, str(Path.cwd()))
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
        typer.echo(f"caution: {text}", err=True)
    interrupted = follow(going, quiet)
    printed.compare(going.frontier())
    for result in going.results:
        if result.error:
            typer.echo(f"failed: {label(result.settings)}: {result.error}", err=True)
    if interrupted:
        done, total, _ = going.progress
        kept = f" and saved in {folder}: the same command continues" if folder else ""
        typer.echo(f"{done} of {total} runs are done{kept}", err=True)
        raise typer.Exit(INTERRUPTED)
    if all(result.error for result in going.results):
        raise typer.Exit(FAILED)


@app.command()
def plan(
    epsilon: Annotated[float | None, typer.Option(help="The budget ε.")] = None,
    delta: Annotated[float | None, typer.Option(help="The δ of the budget, as 1e-5.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of the run.")] = None,
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
        refuse(str(error))


app.command()(command_lab.lab)
app.command("app")(command_app.page)


# Scenarios ---------------------------------------------------------------------------------------


def _scenario(name: str) -> Scenario:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in known:
        refuse(f"no scenario is called {name!r}{nearest(name, known)}")
    return known[name]


# Running -----------------------------------------------------------------------------------------


def _carry_out(session: Session, folder: Path, quiet: bool, profiled: bool) -> None:
    """Run a session to its end, save it and print what it came to."""
    try:
        interrupted = watch(session, quiet)
        save(session, folder)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (StoreError, OSError) as error:
        stop(f"the results cannot be saved: {error}")
    printed.report(session, folder)
    if profiled:
        printed.profile(session.history)
    if session.failure is not None:
        stop(session.failure.message)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    ahead = further(session)
    words = " ".join(["fedbench resume", str(folder), *(f"--set {each}" for each in ahead.changes)])
    goes_on = "" if ahead.reason and not ahead.changes else f"continue with `{words}`, "
    typer.echo(
        f"\nNext: change a setting with --set, {goes_on}or read the "
        f"run back in Python with\n  fedbench.load({str(folder)!r})"
    )


def _free(folder: Path) -> Path:
    number = 1
    while (
        found := folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
    ).exists():
        number += 1
    return found
