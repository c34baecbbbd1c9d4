"""Options that several commands take."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

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


def _importable(allowed: bool) -> bool:
    """Let modules of the current folder be imported, as under `python -m`, if that is allowed."""
    if allowed:
        sys.path.insert(0, str(Path.cwd()))
    return allowed


Imports = Annotated[
    bool,
    typer.Option(
        "--allow-imports",
        help="Allow kind = 'module:Class' to import your code.",
        callback=_importable,
    ),
]


def out_of(default: str) -> Any:
    """Return the option of the folder for results, which is `default` where it is not given."""
    text = f"Folder for the results; by default the next free {default}."
    return typer.Option(help=text, parser=_folder, metavar="PATH")


def _folder(text: str) -> Path:
    """Return a path; an empty text, as of a variable that is not set, is no folder."""
    if not text.strip():
        raise typer.BadParameter("it is empty; name a folder, or leave the option out")
    return Path(text)
