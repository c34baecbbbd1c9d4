"""`fedbench new`: an experiment file that explains itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedbench.cli.exits import refuse
from fedbench.cli.scenarios import named
from fedbench.config.template import template


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
        text = template(named(scenario)(real=real))
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
