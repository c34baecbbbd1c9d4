"""The data on the form, dealt out to clients: shown in the map, or said why they cannot be."""

from __future__ import annotations

from collections.abc import Callable

from fedbench.experiment import Experiment
from fedbench_widgets.design import Design
from fedbench_widgets.fetching import Fetching
from fedbench_widgets.partition import PartitionMap
from fedbench_widgets.preview import show_nothing, show_partition


class Dealing:
    """Keeps the map of the partition up to date, and knows what is wrong with which data.

    `changed` is called when a download has ended; see `Fetching`.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._fetching = Fetching(changed)
        self._shown: object = None  # what the map shows
        self._wrong: tuple[object, str] = None, ""  # of other data it says nothing

    def show(self, experiment: Experiment, target: PartitionMap, design: Design) -> bool:
        """Show how the data are dealt out; return whether anything changed."""
        what, trouble = _dealt_out(experiment), self._fetching.lacks(experiment.data)
        wanted = what, design.token, design.undoable, trouble
        if wanted == self._shown:
            return False
        self._shown = wanted
        if not trouble:
            try:
                show_partition(experiment, target, design.token, design.undoable)
            except Exception as error:  # the run would fail too; a source may raise anything
                trouble = str(error) or type(error).__name__
        if trouble:
            show_nothing(target, "No data to show.")
        self._wrong = what, trouble
        return True

    def show_none(self, target: PartitionMap) -> None:
        """Empty the map while something is wrong with the data on the form."""
        if self._shown != "nothing":
            self._shown = "nothing"
            show_nothing(target, "No data to show.")

    def trouble(self, experiment: Experiment | None) -> str:
        """Return why the data of an experiment cannot be dealt out, as far as that is known."""
        what, why = self._wrong
        return why if experiment is not None and _dealt_out(experiment) == what else ""


def _dealt_out(experiment: Experiment) -> object:
    """Return what decides which client holds which rows."""
    return experiment.data, experiment.partition, experiment.skews, experiment.seed
