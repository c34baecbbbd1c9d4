"""What ε leaves out, and settings with which it means little: what to know of a private run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fedbench.config.declared import undeclared
from fedbench.config.kinds import is_user_class
from fedbench.config.setup import Setup

if TYPE_CHECKING:
    from fedbench.data import Source

GROUP = "by group privacy (kε, k·e^((k−1)ε)·δ)"
FULL = "this δ would even allow publishing"


def large_delta(delta: float, limit: float, of: str, what: str) -> Iterator[str]:
    """Say where δ is not below one over the number `of` those whose data `what` would be."""
    if 0 < limit <= delta:
        yield (
            f"privacy.delta = {delta:g} is not below 1/{of} = {limit:.2g}: {FULL} {what}; choose a "
            "much smaller δ"
        )


def sampled(setup: Setup) -> Iterator[str]:
    """Say what noise the sampling of clients costs or saves."""
    sampling = setup.sampling
    if setup.clients <= 1:
        return
    if sampling.everyone:
        yield (
            "sampling = Everyone: every client spends ε in every round; Poisson sampling "
            "needs less noise for the same ε"
        )
    elif reason := undeclared(sampling):
        if not is_user_class(type(sampling)):
            reason = "Poisson sampling needs less noise for the same ε"
        yield (
            f"sampling = {sampling.kind()}: sampling does not amplify privacy, and each "
            f"client spends ε in every round that it takes part in; {reason}"
        )


def shared_rows(setup: Setup, covered: str) -> Iterator[str]:
    """Say that a row that several clients hold counts several times; see `Private.beyond`."""
    if setup.partition.shares_rows:
        yield (
            f"partition = {setup.partition.kind()}: a row is held by {_holders(setup)}, "
            f"and ε covers {covered}; what k clients hold is protected only {GROUP}"
        )


def overlapping(data: Source) -> Iterator[str]:
    """Say that a reading that is part of several examples counts several times."""
    if data.overlap > 1:
        yield (
            f"data = {data.kind()}: one reading is part of up to {data.overlap} examples, and ε "
            f"covers one example; a reading is protected only {GROUP}, k = {data.overlap}"
        )


def computed_from_rows(data: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is computed from training rows before any noise, and what of it shows one row.

    No ε covers it. A table that is not there any more may have had all of it.
    """
    try:
        return data.fitted, data.exposed
    except (ValueError, OSError):
        return ("scales, levels and medians",), ()


def uncovered_fit(data: Source) -> Iterator[str]:
    """Say what is computed from training rows before any noise."""
    fitted, exposed = computed_from_rows(data)
    if fitted:
        unusual = f"; one unusual row can show in {_listed(exposed)}" if exposed else ""
        yield (
            f"data = {data.kind()}: ε does not cover {_listed(fitted)}, computed from "
            f"the training rows before any noise{unusual}"
        )


def examples(setup: Setup) -> float:
    """Return how many examples all clients train on; looks at the data if they are at hand."""
    try:
        if not setup.data.missing:  # a caution is no reason to download anything
            return float(setup.federation().sizes.sum())
    except (ValueError, OSError):  # the run will say what is wrong with them
        pass
    return setup.data.training_samples or math.inf


def _holders(setup: Setup) -> str:
    try:
        rows = setup.data.training_samples
        if rows is None and not setup.data.missing:
            rows = len(setup.data.load().y)
    except (ValueError, OSError):  # the run will say what is wrong with them
        rows = None
    needed = setup.partition.samples_needed
    if not rows or not needed:
        return "several clients"
    return f"{setup.clients * needed / rows:,.3g} clients on average"


def _listed(names: Sequence[str]) -> str:
    """Return names as in "a, b and c"."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last
