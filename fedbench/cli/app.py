"""`fedbench app`: the workbench as a web page."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Literal

import typer

from fedbench.cli import experiment_file
from fedbench.cli.exits import stop

Theme = Literal["light", "dark"]


def page(
    file: Annotated[
        Path | None, typer.Argument(help="An experiment as TOML to start with; see `fedbench new`.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to serve on; 0 for any free one.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    theme: Annotated[Theme, typer.Option(help="Colours of the page.")] = "light",
) -> None:
    """Serve the workbench as a plain web page."""
    try:
        importlib.import_module("voila.app")
    except Exception as error:  # its code, or that of what it needs, which may raise anything
        stop(f"{_failed(error)}; get it with: pip install 'fedbench-workbench[app]'")
    from fedbench.cli.page import serve

    experiment = None if file is None else experiment_file.read(file, [], allow_imports=False)
    try:
        serve(experiment, port, browser, theme)
    except OSError as error:
        stop(f"port {port} is not available: {error.strerror or error}")


def _failed(error: Exception) -> str:
    """Return in a line why Voila cannot be had."""
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == "voila":
        return "Voila is not installed"
    why = " ".join(str(error).split())
    return f"Voila is installed but cannot be imported: {type(error).__name__}: {why}"
