"""`fedbench report`: saved runs as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from fedbench.cli.exits import refuse
from fedbench.cli.options import Imports
from fedbench.config.problems import problems
from fedbench.reporting import ReportError, report as make_report
from fedbench.runs import History
from fedbench.runs.store import StoreError, load


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
    allow_imports: Imports = False,
) -> None:
    """Write a page about saved runs that needs nothing but a browser."""
    try:
        histories = [_read(folder, allow_imports) for folder in folders]
        make_report(histories, out, title=title, force=force)
    except ValidationError as error:
        refuse(*map(str, problems(error)))
    except (StoreError, ReportError) as error:
        refuse(str(error).replace("overwrite it with force", "overwrite it with --force"))
    count = f"{len(folders)} run{'' if len(folders) == 1 else 's'}"
    typer.echo(f"Wrote {out}: {count}. Open it in any browser.")


def _read(folder: Path, allow_imports: bool) -> History:
    """Return the history of a saved run. Raises StoreError where there is none, or no round."""
    saved = load(folder, allow_imports=allow_imports)
    if not saved.summary["rounds"]:
        raise StoreError(f"nothing to report: the run in {folder} has no rounds yet")
    return saved.history
