"""Figures in notebooks, with pictures for pages that run no scripts."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import plotly.graph_objects as go


def show(figure: go.Figure) -> None:
    """Show a figure in a notebook: the interactive one, and a picture that is stored beside it.

    A page of a repository shows the picture, JupyterLab the figure. Pictures are made by kaleido
    and Chromium; where one of them is missing a warning says so, and the figure comes without.

    Raises ModuleNotFoundError where IPython or nbformat is missing, which every notebook has.
    """
    for module in ("IPython", "nbformat"):
        if find_spec(module) is None:
            raise ModuleNotFoundError(
                f"a figure in a notebook needs {module}: pip install 'fedbench-workbench[lab]'",
                name=module,
            )
    with warnings.catch_warnings():
        # plotly passes options that kaleido's server was to be started with
        warnings.filterwarnings("ignore", message="The kopts argument")
        try:
            figure.show("plotly_mimetype+png")
        except (ValueError, RuntimeError):
            warnings.warn(
                "a figure without its picture, which needs Chromium or Chrome, and kaleido: "
                "pip install 'fedbench-workbench[pictures]'",
                stacklevel=2,
            )
            figure.show("plotly_mimetype")
            return
    _keep_browser()


def _keep_browser() -> None:
    """Let one browser make all pictures of this process: to start one takes seconds."""
    # Only once a picture was made: without Chromium kaleido's server keeps its callers waiting.
    import kaleido

    kaleido.start_sync_server(silence_warnings=True)
