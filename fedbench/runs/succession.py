"""Whether a run may go on with other data than it began with."""

from __future__ import annotations

from dataclasses import fields

from fedbench.data import Card, Natural
from fedbench.experiment import Experiment


def refusal(before: Experiment, after: Experiment) -> str | None:
    """Return why a run of `before` cannot go on as `after`, whose data are others, or None.

    What is measured must be measured alike, and each client must be who it was: its states and what
    was spent of its privacy go on. Rates of sampling may change, since every round is accounted for
    by its own.
    """
    if before.data == after.data:
        return None
    if found := after.data.follows(before.data):
        return f"data.{found[0]}: {found[1]}"
    if not isinstance(after.partition, Natural):
        return (
            f"partition: {after.partition.kind()} splits all rows anew when new ones arrive, "
            "so clients would not keep their rows; choose Natural"
        )
    try:
        old, new = before.federation(), after.federation()
    except ValueError as error:  # a client may be left without a row
        return str(error)
    for name in (each.name for each in fields(Card)):
        was, now = getattr(old.card, name), getattr(new.card, name)
        if was != now:
            return f"data: {name} was {was!r} and would become {now!r}"
    if old.names != new.names:
        changed = next(
            (pair for pair in zip(old.names, new.names, strict=False) if pair[0] != pair[1]),
            (f"{old.clients} clients", f"{new.clients}"),
        )
        return f"partition: {changed[0]!r} would become {changed[1]!r}; clients must stay the same"
    return None
