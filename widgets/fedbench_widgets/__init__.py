"""The IPython widgets of fedbench."""

from fedbench_widgets.workbench import Workbench

__all__ = ["Workbench"]
