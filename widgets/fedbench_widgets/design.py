"""Changes to the partition by hand: what the map sends, as a partition on the form."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import ValidationError

from fedbench.data import Explicit, Partitioner
from fedbench.experiment import Experiment

MOST = 100  # clients; more are too narrow to be met by a hand
DEPTH = 200  # changes that can be undone


class Shaped(Protocol):
    """The form, as far as its partition goes."""

    def reshape(self, partition: Partitioner) -> None:
        """Show another partition."""

    def shaped(self) -> Partitioner | None:
        """Return the partition shown, None while something in it is wrong."""
        ...


class Design:
    """Puts what the map sends on the form, and remembers what was there before.

    `token` names the last message that was dealt with, whether it changed anything or not.
    """

    def __init__(self, form: Shaped) -> None:
        self.token = ""
        self._form = form
        self._steps: list[tuple[Partitioner, Partitioner]] = []  # before and after each change

    @property
    def undoable(self) -> bool:
        """Return whether the partition is still what the last change by hand made."""
        return bool(self._steps) and self._steps[-1][1] == self._form.shaped()

    def heard(self, _: object, content: dict[str, Any], __: object) -> None:
        """Take a message of the map; what is no partition changes nothing."""
        if "design" in content:
            wanted = content["design"]
            self.token = str(wanted["token"])
            self._change(wanted)
        elif "undo" in content:
            self.token = str(content["undo"])
            self._undo()

    def _change(self, wanted: dict[str, Any]) -> None:
        before = self._form.shaped()
        try:
            made = Explicit.from_dict({"counts": wanted["counts"], "names": wanted["names"]})
        except ValidationError:  # nothing that the map itself would send
            made = before
        if made is None:
            return
        if before is not None:
            keep = self._steps if self.undoable else []
            self._steps = [*keep, (before, made)][-DEPTH:]
        self._form.reshape(made)

    def _undo(self) -> None:
        now = self._form.shaped()
        if self.undoable:
            now, _ = self._steps.pop()
        if now is not None:
            self._form.reshape(now)


def why_fixed(partition: Partitioner, clients: int) -> str:
    """Return why a hand cannot change this partition, or nothing where it can."""
    if partition.shares_rows:
        return "Clients share rows in this partition, so none can be moved."
    if clients > MOST:
        return f"To edit by hand, choose at most {MOST} clients."
    return ""


def by_hand(experiment: Experiment) -> Explicit | None:
    """Return the experiment's partition as counts, None where it has none that fit on the map."""
    try:
        if why_fixed(experiment.partition, experiment.clients):
            return None
        data = experiment.federation()
    except ValueError:
        return None
    return Explicit(counts=tuple(map(tuple, data.counts().tolist())), names=data.names)
