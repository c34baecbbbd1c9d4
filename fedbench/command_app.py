"""`fedbench app`: the workbench as a web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fedbench import experiment_file
from fedbench.exits import stop

Theme = Literal["light", "dark"]


def page(
    file: Annotated[
        Path | None, typer.Argument(help="An experiment as TOML to begin with; see `fedbench new`.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    theme: Annotated[Theme, typer.Option(help="Colours of the page.")] = "light",
) -> None:
    """Serve the workbench as a plain web page."""
    try:
        from fedbench.page import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "voila":
            raise
        stop("Voila is not installed; get it with: pip install 'fedbench-workbench[app]'")
    experiment = None if file is None else experiment_file.read(file, [], allow_imports=False)
    try:
        serve(experiment, port, browser, theme)
    except OSError as error:
        stop(f"port {port} cannot be had: {error.strerror or error}")
