"""The IPython widgets of fedbench."""

import sys
from importlib.util import find_spec

from fedbench_widgets.routing import find_the_way
from fedbench_widgets.warming import warm

if find_spec("anywidget") is None or find_spec("ipywidgets") is None:
    raise ModuleNotFoundError(
        "the workbench needs anywidget and ipywidgets: pip install 'fedbench-workbench[lab]'"
    )

if "ipykernel" in sys.modules:
    warm()  # first of all, so that it runs beside the imports below and the page's drawing
    find_the_way()

from fedbench_widgets.workbench import Workbench

__all__ = ["Workbench"]
