"""plotly figures of plain tables: runs, frontiers and partitions."""

from fedbench.figures.comparison import comparison_figure
from fedbench.figures.frontier import frontier_figure, map_figure, setting_figure
from fedbench.figures.history import history_figure
from fedbench.figures.partition import partition_figure
from fedbench.figures.shown import show

__all__ = [
    "comparison_figure",
    "frontier_figure",
    "history_figure",
    "map_figure",
    "partition_figure",
    "setting_figure",
    "show",
]
