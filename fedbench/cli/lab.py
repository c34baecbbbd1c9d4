"""`fedbench lab`: JupyterLab on a notebook of the workbench."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from fedbench.cli.exits import stop

JUPYTER = Path(__file__).parent / "jupyter"  # JupyterLab's settings where we start it

ABOUT = (
    "# The workbench\n\nRun the cell below, then press **Start**: a hundred simulated phones "
    "learn to recognise digits together,\nwithin a privacy budget, while you watch. All "
    "settings are on the left, or in a narrow\nwindow under **Settings**; change one and "
    "press **Start** again."
)


def lab(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to serve on; 0 for any free one.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab on the workbench notebook."""
    if importlib.util.find_spec("jupyterlab") is None:
        stop("JupyterLab is not installed; get it with: pip install 'fedbench-workbench[lab]'")
    notebook = _workbench()
    # What was trained stays in the saved notebook: by default Jupyter leaves widgets out of it.
    folders = [str(JUPYTER), os.environ.get("JUPYTER_CONFIG_PATH")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))
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
        stop(f"{path} cannot be written here: {error.strerror or error}")
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
