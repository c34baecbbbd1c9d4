"""The command line of `fedbench`: one module a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

import fedbench
from fedbench.cli import app, lab, new, plan, report, run, scenarios, sweep
from fedbench.cli.exits import (
    FAILED,
    SIGNALS,
    Signalled,
    code_of,
    leave,
    name_of,
    signals_raised,
    tell,
)

# By name, in the order in which `fedbench --help` lists them.
COMMANDS: dict[str, Callable[..., Any]] = {
    "new": new.new,
    "scenarios": scenarios.scenarios,
    "run": run.run,
    "resume": run.resume,
    "report": report.report,
    "sweep": sweep.sweep,
    "plan": plan.plan,
    "lab": lab.lab,
    "app": app.page,
}

application = typer.Typer(
    name="fedbench",
    help="Federated learning under privacy: write an experiment, run it, watch it.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _command in COMMANDS.items():
    application.command(_name)(_command)


def main() -> None:
    """Run the command line."""
    with signals_raised():
        try:
            application()
        except SystemExit as end:
            if isinstance(end.code, int) and end.code > SIGNALS:
                leave(end.code)
            raise
        except (KeyboardInterrupt, Signalled) as interrupt:
            tell(f"{name_of(interrupt)}: ended")
            leave(code_of(interrupt))
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


@application.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
