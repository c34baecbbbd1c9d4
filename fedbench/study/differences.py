"""How experiments differ: the settings in which some are unlike others, and their words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedbench.config.spec import Part, Spec
from fedbench.data import Table
from fedbench.experiment import Experiment

BUDGET = "privacy.epsilon"
NAMED = 2  # settings that a name has room for


def differences(specs: Sequence[Any], prefix: str = "") -> list[str]:
    """Return the dotted paths in which some of `specs` differ, in the order of their fields.

    Where they are of different kinds, or no groups of settings, that is one difference.
    """
    if all(each == specs[0] for each in specs[1:]):
        return []
    kinds = {type(each) for each in specs}
    if len(kinds) > 1 or not isinstance(specs[0], Spec):
        return [prefix]
    found = []
    for name in type(specs[0]).model_fields:
        path = f"{prefix}.{name}" if prefix else name
        found += differences([getattr(each, name) for each in specs], path)
    return found


def title_of(experiment: Experiment, path: str) -> str:
    """Return what the form calls a setting; of a kind the group's name says it."""
    *groups, name = path.removesuffix(".kind").split(".")
    return str(type(at(experiment, ".".join(groups))).model_fields[name].title)


def titles(experiment: Experiment, paths: Sequence[str]) -> list[str]:
    """Return what the form calls some settings; of two that it calls alike, with their group."""
    bare = [title_of(experiment, path) for path in paths]
    found = []
    for path, title in zip(paths, bare, strict=True):
        group = path.rpartition(".")[0]
        twice = bare.count(title) > 1 and group
        found.append(f"{title_of(experiment, group)} · {title}" if twice else title)
    return found


def at(experiment: Experiment, path: str) -> Any:
    """Return the value at a dotted path, the experiment itself for an empty one."""
    value: Any = experiment
    for step in path.split(".") if path else ():
        value = value[int(step)] if step.isdecimal() else getattr(value, step)
    return value


def shown(value: Any) -> str:
    """Return a setting as short text: a part by its name and what is not as usual."""
    if isinstance(value, Spec):
        return " ".join(value.code().removeprefix("fb.").removesuffix("()").split())
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def cells(experiments: Sequence[Experiment], path: str) -> list[str]:
    """Return the value of a setting of each, as it stands under its title.

    A part is its kind, and what of it is neither as usual nor the same with all of them.
    """
    values = [at(each, path) for each in experiments]
    if path == "privacy":
        return [value.describe() or "none" for value in values]
    if path == "data.path":  # of tables alone
        files = [Path(value).name for value in values]
        known = dict.fromkeys(zip(files, values, strict=True))
        alike = [name for name, _ in known]
        return [
            name if alike.count(name) < 2 else f"{name} ({Path(value).parent.name})"
            for name, value in zip(files, values, strict=True)
        ]
    return [_cell(value, [each for each in values if isinstance(each, Spec)]) for value in values]


def _cell(value: Any, others: Sequence[Spec]) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " + ".join(map(shown, value)) or "none"
    if not isinstance(value, Part):
        return shown(value)
    if isinstance(value, Table) and value.path:
        return Path(value.path).name
    fields = type(value).model_fields
    own = {
        name: getattr(value, name)
        for name, field in fields.items()
        if getattr(value, name) != field.get_default(call_default_factory=True, validated_data={})
        and any(getattr(each, name, None) != getattr(value, name) for each in others)
    }
    inside = ", ".join(f"{fields[name].title} {shown(each)}" for name, each in own.items())
    kind = value.display_name()
    return f"{kind}, {inside}" if inside else kind


def words(experiment: Experiment, path: str, cell: str) -> str:
    """Return a cell so that it says by itself what it is of."""
    value, title = at(experiment, path), title_of(experiment, path)
    if path == BUDGET and value is not None:
        return f"ε ≤ {cell}"
    if cell == "none":
        return f"no {title.lower()}"
    return cell if isinstance(value, Spec) else f"{title} {cell}"


def names(experiments: Sequence[Experiment], numbers: Sequence[int]) -> list[str]:
    """Return a short name for each experiment by what tells it from the others.

    What is promised comes first, then the algorithm. Where that tells nothing apart, the numbers
    of the runs do.
    """
    first = ("privacy", "strategy")
    paths = sorted(
        differences(experiments),
        key=lambda path: (*(not path.startswith(each) for each in first), path.count(".")),
    )[:NAMED]
    columns = [cells(experiments, path) for path in paths]
    found = [
        ", ".join(words(each, path, column[k]) for path, column in zip(paths, columns, strict=True))
        for k, each in enumerate(experiments)
    ]
    return [
        f"run {number}" if not name else f"{name} · run {number}" if found.count(name) > 1 else name
        for name, number in zip(found, numbers, strict=True)
    ]
