"""The command line: `fedbench new`, `scenarios`, `run`, `sweep`, `plan` and `lab`."""

from __future__ import annotations

import difflib
import importlib.util
import os
import sys
from functools import reduce
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import quote

import tomlkit
import typer
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

import fedbench
from fedbench import printed
from fedbench.experiment import Experiment
from fedbench.overrides import OverrideError, override, several
from fedbench.runs import Session
from fedbench.runs.rounds import Rounds
from fedbench.runs.store import StoreError, prepare, resume as resumed, save
from fedbench.scenarios import SCENARIOS, Scenario
from fedbench.spec import problems
from fedbench.study import Sweep, SweepError
from fedbench.study.grid import label, refuse_code
from fedbench.study.plan import plan as make_plan
from fedbench.study.sweep import sweep as make_sweep
from fedbench.template import template

WRONG, FAILED, INTERRUPTED = 2, 1, 130  # exit codes; 130 is the shell's own for Ctrl-C

ABOUT = """\
# The workbench

Run the cell below, then press **Start**: a hundred simulated phones learn to read digits together,
under a privacy budget, while you watch. Every setting is on the left; change one and press
**Start** again.\
"""

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
Quiet = Annotated[bool, typer.Option("--quiet", help="Draw no progress bar.")]
Profiled = Annotated[
    bool, typer.Option("--profile", help="Say what the time of a round went into.")
]
Imports = Annotated[
    bool,
    typer.Option("--allow-imports", help="Let kind = 'module:Class' import code of yours."),
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
    real: Annotated[bool, typer.Option("--real", help="Take the scenario's real set.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write an experiment file that explains each of its settings."""
    try:
        text = template(_scenario(scenario)(real=real))
    except ValueError as error:
        _refuse(str(error))
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        _refuse(f"{file} is there already; choose another name, or overwrite it with --force")
    except OSError as error:
        _refuse(f"{file} cannot be written: {error.strerror or error}")
    typer.echo(f"Wrote {file}. Next: fedbench run {file}")


@app.command()
def scenarios(
    name: Annotated[str | None, typer.Argument(help="The scenario to tell about.")] = None,
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
        typer.Option(help="Folder for the results; runs/NAME, the next that is free, if left out."),
    ] = None,
    quiet: Quiet = False,
    profile: Profiled = False,
    allow_imports: Imports = False,
) -> None:
    """Run an experiment and save its results."""
    if allow_imports:
        sys.path.insert(0, str(Path.cwd()))  # where `python -m` would look for a module as well
    experiment = _read(file, changes or [], allow_imports)
    for text in experiment.cautions():
        typer.echo(f"caution: {text}", err=True)
    try:
        Rounds(experiment)
    except ValueError as error:
        _refuse(str(error))
    try:
        folder = prepare(out or _free(Path("runs") / file.stem), experiment)
    except StoreError as error:
        _refuse(str(error))
    _carry_out(Session(experiment), folder, quiet, profile)


@app.command()
def resume(
    folder: Annotated[Path, typer.Argument(help="The results of a run; see `fedbench run`.")],
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results; FOLDER-2 or the next that is free."),
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
            path = change.partition("=")[0].strip().removesuffix(".kind")
            wanted[path] = reduce(getattr, path.split("."), asked)
        session = resumed(folder, allow_imports=allow_imports, **wanted)
        place = prepare(out or _free(folder), session.history.experiment)
    except ValidationError as error:
        _refuse(*map(str, problems(error)))
    except (StoreError, OverrideError) as error:
        _refuse(str(error))
    _carry_out(session, place, quiet, profile)


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="An experiment as TOML; see `fedbench new`.")],
    over: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=VALUES",
            help="Go through the values of a setting, as in --over privacy.epsilon=0.5,1,inf or "
            "--over seed=0..4; an infinite budget is no privacy. May be given again.",
        ),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as for `run`."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the results; what it holds is not run again."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that run side by side; one a core if left out.")
    ] = None,
    quiet: Quiet = False,
    allow_imports: Imports = False,
) -> None:
    """Run an experiment with all combinations of some values, and compare them."""
    if allow_imports:
        sys.path.insert(0, str(Path.cwd()))
    experiment = _read(file, changes or [], allow_imports)
    try:
        axes = dict(map(several, over))
        if len(axes) < len(over):
            _refuse("--over: a setting is there twice; give all of its values at once")
        if not allow_imports:
            refuse_code(axes)
        going = make_sweep(experiment, axes, folder=folder, workers=workers)
    except (ValueError, SweepError) as error:
        _refuse(str(error))
    for text in going.cautions():
        typer.echo(f"caution: {text}", err=True)
    interrupted = _follow(going, quiet)
    printed.compare(going.frontier())
    for result in going.results:
        if result.error:
            typer.echo(f"failed: {label(result.settings)}: {result.error}", err=True)
    if interrupted:
        done, total, _ = going.progress
        kept = f" and kept in {folder}: the same command goes on" if folder else ""
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
        float | None, typer.Option(help="Noise z: its deviation over the clipping norm.")
    ] = None,
    clients: Annotated[int | None, typer.Option(help="How many clients there are.")] = None,
    cohort: Annotated[
        float | None, typer.Option(help="Clients expected in a round; stands for the rate.")
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(help="Parameters of the model, for the signal beside the noise.")
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
        _refuse(str(error))


@app.command()
def lab(
    port: Annotated[int | None, typer.Option(help="Port to serve on.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab on the workbench notebook."""
    if importlib.util.find_spec("jupyterlab") is None:
        _stop("JupyterLab is not installed; get it with: python -m pip install jupyterlab", FAILED)
    notebook = _workbench()
    command = [sys.executable, "-m", "jupyterlab"]
    command.append(f"--LabApp.default_url=/lab/tree/{quote(notebook.as_posix())}")
    if port is not None:
        command.append(f"--port={port}")
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers often run as root, which Jupyter takes if told
    # Jupyter takes this process's place, so that Ctrl-C and its question reach it undisturbed.
    os.execv(sys.executable, command)


# Reading an experiment ---------------------------------------------------------------------------


def _scenario(name: str) -> Scenario:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in known:
        _refuse(f"no scenario is called {name!r}{_nearest(name, list(known))}")
    return known[name]


def _read(file: Path, changes: list[str], allow_imports: bool) -> Experiment:
    try:
        data = tomlkit.parse(file.read_text(encoding="utf-8")).unwrap()
    except OSError as error:
        _refuse(f"{file} cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        _refuse(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}")
    except TOMLKitError as error:
        line = getattr(error, "line", None)
        _refuse(f"{file}{'' if line is None else f':{line}'}: {error}")
    try:
        for change in changes:
            override(data, change, allow_imports=allow_imports)
        return Experiment.from_dict(data, allow_imports=allow_imports)
    except ValidationError as error:
        _refuse(*map(str, problems(error)))
    except OverrideError as error:
        _refuse(str(error))


# Running -----------------------------------------------------------------------------------------


def _carry_out(session: Session, folder: Path, quiet: bool, profiled: bool) -> None:
    """Run a session to its end, save it and print what it came to."""
    try:
        interrupted = _watch(session, quiet)
        save(session, folder)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (StoreError, OSError) as error:
        _stop(f"the results cannot be saved: {error}", FAILED)
    printed.report(session, folder)
    if profiled:
        printed.profile(session.history)
    if session.failure is not None:
        _stop(session.failure.message, FAILED)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    typer.echo(
        f"\nNext: change a setting with --set, go on with `fedbench resume {folder}`, or read the "
        f"run back in Python with\n  fedbench.load({str(folder)!r})"
    )


def _free(folder: Path) -> Path:
    number = 1
    while (
        found := folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
    ).exists():
        number += 1
    return found


def _watch(session: Session, quiet: bool) -> bool:
    """Run to the end and return whether Ctrl-C ended it; a second one goes through."""
    from tqdm import tqdm

    hidden = quiet or not sys.stderr.isatty()
    total = session.experiment.rounds
    interrupted = False
    with tqdm(total=total, unit="round", disable=hidden, leave=False) as bar:
        session.start()
        while session.state in ("running", "stopping"):
            try:
                session.wait(0.1)
                bar.update(len(session.history) - bar.n)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                session.stop()
                typer.echo("stopping after this round; Ctrl-C again to leave at once", err=True)
    return interrupted


def _follow(going: Sweep, quiet: bool) -> bool:
    """Wait for a sweep's end and return whether Ctrl-C cancelled it."""
    from tqdm import tqdm

    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=len(going.points), unit="run", disable=hidden, leave=False) as bar:
        try:
            while going.wait(0.1) == "running":
                bar.update(going.progress.done - bar.n)
        except KeyboardInterrupt:
            going.cancel()
            return True
    return False


# The workbench notebook --------------------------------------------------------------------------


def _workbench() -> Path:
    """Return a workbench notebook below the current folder; write one where there is none."""
    shipped = Path("notebooks/workbench.ipynb")
    if _is_workbench(shipped):
        return shipped
    number = 1
    while True:
        path = Path("workbench.ipynb" if number == 1 else f"workbench-{number}.ipynb")
        if _is_workbench(path):
            return path
        if not path.exists():
            break
        number += 1
    try:
        path.write_text(workbench_notebook(), encoding="utf-8")
    except OSError as error:
        _stop(f"{path} cannot be written here: {error.strerror or error}", FAILED)
    return path


def _is_workbench(path: Path) -> bool:
    try:
        return "from fedbench_widgets import Workbench" in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def workbench_notebook() -> str:
    """Return the notebook that opens the workbench, as JSON text."""
    from nbformat import v4, writes

    about = v4.new_markdown_cell(ABOUT, id="about")
    code = v4.new_code_cell(
        "from fedbench_widgets import Workbench\n\nwb = Workbench()\nwb", id="workbench"
    )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = v4.new_notebook(cells=[about, code], metadata={"kernelspec": kernel})
    return writes(notebook) + "\n"


# Saying no ---------------------------------------------------------------------------------------


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _refuse(*lines: str) -> NoReturn:
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(WRONG)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
