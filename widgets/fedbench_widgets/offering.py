"""What of an experiment can be swept, and which values are offered beside each setting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, get_args

from pydantic.fields import FieldInfo

from fedbench.config.spec import Part, Spec
from fedbench.config.template import group_of
from fedbench.experiment import Experiment
from fedbench.study.grid import grid

BUDGET, BUDGETS = "privacy.epsilon", "0.5, 1, 2, 4, 8, ∞"
FIRST = (BUDGET, "training.lr")  # of which the first that there is is offered first
AROUND = (0.25, 0.5, 1, 2)  # what is offered beside a number as it is now


def offered_fields(experiment: Experiment) -> list[dict[str, str]]:
    """Return every number, and every choice, of what the form holds: path, name, values to offer.

    Only kinds are offered that go with the rest of the experiment.
    """
    fields = list(_numbers(experiment, experiment, "", ""))
    rank = {path: place for place, path in enumerate(FIRST)}
    fields.sort(key=lambda field: rank.get(field["path"], len(rank)))
    return fields


def _numbers(
    experiment: Experiment, spec: Spec, prefix: str, group: str
) -> Iterator[dict[str, str]]:
    for name, field in type(spec).model_fields.items():
        value, path = getattr(spec, name), f"{prefix}{name}"
        title = f"{group}{field.title}"
        if path == "seed" or name.endswith("_seed"):
            continue
        if isinstance(value, Spec):
            if isinstance(value, Part) and not prefix:
                kinds = _choices(experiment, f"{path}.kind", value, group_of(field))
                if len(kinds) > 1:
                    yield {"path": f"{path}.kind", "name": title, "values": ", ".join(kinds)}
            yield from _numbers(experiment, value, f"{path}.", f"{field.title} · ")
        elif _is_number(field):
            yield {"path": path, "name": title, "values": _offered(path, value)}


def _choices(experiment: Experiment, path: str, part: Part, family: type[Spec] | None) -> list[str]:
    """Return the kind of a part, and the first others of its family that can be in its place."""
    own = part.kind()
    known = family.choices() if family is not None and issubclass(family, Part) else {}
    others = (kind for kind in known if kind != own and _sound(experiment, {path: (own, kind)}))
    return [own, *islice(others, 2)]


def _sound(experiment: Experiment, axes: dict[str, Any]) -> bool:
    try:
        grid(experiment, axes)
    except (ValueError, OSError):
        return False
    return True


def _is_number(field: FieldInfo) -> bool:
    kinds = get_args(field.annotation) or (field.annotation,)
    return any(kind in (int, float) for kind in kinds) and bool not in kinds


def _offered(path: str, value: float | None) -> str:
    if path == BUDGET:
        return BUDGETS
    if not value:
        return ""
    whole = isinstance(value, int)
    found = dict.fromkeys(max(1, round(value * by)) if whole else value * by for by in AROUND)
    return ", ".join(f"{each:.12g}" for each in found)
