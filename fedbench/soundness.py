"""Asks each part of an experiment what it refuses and what should be known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fedbench.config.kinds import is_user_class
from fedbench.config.problems import Problem
from fedbench.config.rebuilding import not_rebuilt
from fedbench.config.setup import located
from fedbench.config.spec import Spec, specs_in
from fedbench.privacy.proof import unproven

if TYPE_CHECKING:
    from fedbench.experiment import Experiment

# The order in which the parts tell what is wrong: what others depend on comes first.
ASKED = (
    *("skews", "sampling", "devices", "model", "training", "target", "strategy", "attack"),
    *("aggregator", "privacy", "channel", "schedule", "engine"),
)


def refusals(experiment: Experiment) -> Iterator[Problem]:
    """Yield what each part refuses, as far as that can be told while others are wrong."""
    found = list(_asked(experiment, "data"))
    found = found or [
        Problem(name, reason, part.kind())
        for name in type(experiment).model_fields
        for group in specs_in(getattr(experiment, name))
        for part in group.parts()
        if is_user_class(type(part)) and (reason := not_rebuilt(part))
    ]
    yield from found
    if found:  # what else there is to say may depend on them
        return
    dealt = list(_asked(experiment, "partition"))
    yield from dealt
    for name in ASKED:
        if not (dealt and name in ("skews", "sampling")):
            yield from _asked(experiment, name)


def cautions(experiment: Experiment) -> list[str]:
    """Return what is allowed but should be known before a run."""
    names = dict.fromkeys(("data", "partition", "privacy", *ASKED))
    parts = (part for name in names for _, part in _placed(experiment, name))
    return [text for part in parts for text in part.warn(experiment)]


def _asked(experiment: Experiment, name: str) -> Iterator[Problem]:
    for path, part in _placed(experiment, name):
        yield from located(unproven(part, experiment), path)
        yield from located(part.check(experiment), path)


def _placed(experiment: Experiment, name: str) -> Iterator[tuple[str, Spec]]:
    """Yield the groups of settings in a field with their paths."""
    value = getattr(experiment, name)
    for place, part in enumerate(specs_in(value)):
        yield (f"{name}.{place}" if isinstance(value, tuple) else name), part
