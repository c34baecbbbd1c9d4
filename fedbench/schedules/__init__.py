"""Schedules: what a round is, one per file."""

from fedbench.schedules.accumulator import Accumulator, Totals
from fedbench.schedules.cyclic import Cyclic
from fedbench.schedules.progress import Progress, Selection
from fedbench.schedules.schedule import Federation, Schedule
from fedbench.schedules.synchronous import Synchronous

__all__ = [
    "Accumulator",
    "Cyclic",
    "Federation",
    "Progress",
    "Schedule",
    "Selection",
    "Synchronous",
    "Totals",
]
