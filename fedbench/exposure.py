"""What the unit of a privacy guarantee leaves out of a row: shared rows, overlapping examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench.privacy import ExampleLevelDP, Private

if TYPE_CHECKING:
    from fedbench.data import Source
    from fedbench.experiment import Experiment

GROUP = "by group privacy (kε, k·e^((k−1)ε)·δ)"


def beyond_the_unit(experiment: Experiment) -> list[str]:
    """Return a sentence for each reason why one row or reading counts several times.

    ε then covers one of its occurrences. Looks at the data only if they need not be fetched.
    """
    privacy = experiment.privacy
    if not isinstance(privacy, Private):
        return []
    found: list[str] = []
    if experiment.partition.shares_rows:
        who = "one example of one client" if isinstance(privacy, ExampleLevelDP) else "one client"
        found.append(
            f"partition = {experiment.partition.kind()}: a row is held by {_holders(experiment)}, "
            f"and ε covers {who}; what k clients hold is protected only {GROUP}"
        )
    overlap = experiment.data.overlap
    if isinstance(privacy, ExampleLevelDP) and overlap > 1:
        found.append(
            f"data = {experiment.data.kind()}: one reading is part of up to {overlap} examples, "
            f"and ε covers one example; a reading is protected only {GROUP}, k = {overlap}"
        )
    return found


def computed_from_rows(data: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is computed from training rows before any noise, and what of it shows one row.

    No ε covers it. A table that is not there any more may have had all of it.
    """
    try:
        return data.fitted, data.exposed
    except (ValueError, OSError):
        return ("scales, levels and medians",), ()


def _holders(experiment: Experiment) -> str:
    try:
        rows = experiment.data.training_samples
        if rows is None and not experiment.data.missing:
            rows = len(experiment.data.load().y)
    except (ValueError, OSError):  # the run will say what is wrong with them
        rows = None
    needed = experiment.partition.samples_needed
    if not rows or not needed:
        return "several clients"
    return f"{experiment.clients * needed / rows:,.3g} clients on average"
