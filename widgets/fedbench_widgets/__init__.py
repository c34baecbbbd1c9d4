"""The IPython widgets of fedbench."""

import sys

from fedbench_widgets.routing import find_the_way
from fedbench_widgets.warming import warm

if "ipykernel" in sys.modules:
    warm()  # first of all, so that it runs beside the imports below and the page's drawing
    find_the_way()

from fedbench_widgets.workbench import Workbench

__all__ = ["Workbench"]
