"""The latest state of a run, and the folder that a loaded run was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fedbench.experiment import Experiment
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import nn

    from fedbench.schedules import Progress


@dataclass(frozen=True, eq=False)
class End:
    """The latest state of a run: its current settings, and the state after the last round."""

    experiment: Experiment
    progress: Progress


class Origin(Protocol):
    """The files that a history was read from; what else is in them is read when asked for."""

    @property
    def summary(self) -> dict[str, Any]:
        """What the run came to, as it was saved."""
        ...

    @property
    def metrics(self) -> dict[str, bool] | None:
        """The metrics of the run, None if it ended before it began."""
        ...

    def read(self) -> tuple[Experiment, End | None]:
        """Return what the run began with, and its end, None if it ended before it began."""
        ...

    def module(self, end: End, params: Tree) -> nn.Module:
        """Return a module with `params`, and with what is never trained as it was saved."""
        ...
