"""What would mend a wrong setting: whatever its message names that the experiment accepts."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from fedbench.config.problems import Problem, problems
from fedbench.config.spec import Part, Spec
from fedbench.config.template import group_of, several_of
from fedbench.experiment import Experiment

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?![\w])")
NAMED = re.compile(r"\b([a-z][\w.]*)(?: = | to )'?([^\s,;:']+?)'?(?=[\s,;:.)]|$)")


@dataclass(frozen=True)
class Remedy:
    """A change that a person may choose: what a button says, and what it does."""

    label: str
    apply: Callable[[], None]


@dataclass(frozen=True)
class Said(Problem):
    """A problem as the form shows it: perhaps with a remedy; `done` where it was just mended."""

    remedy: Remedy | None = None
    done: bool = False


@dataclass(frozen=True)
class Change:
    """Another value at a path of the experiment's plain data, and words for it."""

    path: str
    value: Any
    words: str


def remedy_of(values: Mapping[str, Any], found: list[Problem], problem: Problem) -> Change | None:
    """Return the first change that the experiment accepts, None where nothing simple helps.

    `values` are what the form holds as plain data, `found` all problems that these have. A change
    is accepted where its problem is gone and there are fewer than before.
    """
    for change in _candidates(values, problem):
        left = _problems(changed(values, change))
        if len(left) < len(found) and not any(each.path == problem.path for each in left):
            return change
    return None


def changed(values: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """Return the plain data with one change."""
    made = copy.deepcopy(dict(values))
    *steps, last = change.path.split(".")
    place: Any = made
    for step in steps:
        place = place[int(step)] if step.isdecimal() else place[step]
    place[last] = change.value
    return made


def _problems(values: Mapping[str, Any]) -> list[Problem]:
    try:
        Experiment.from_dict(values)
    except ValidationError as error:
        return problems(error)
    return []


def _candidates(values: Mapping[str, Any], problem: Problem) -> Iterator[Change]:
    """Yield changes to try: what the message names first, then other choices, then none at all."""
    message, path = problem.message, problem.path
    group, _, name = path.rpartition(".")
    for other, word in NAMED.findall(message):
        for whole in (other, f"{path}.{other}", f"{group}.{other}" if group else other):
            if (field := _field(values, whole)) is not None:
                yield _change(whole, field, _value(word))
    spec, optional = _spec(values, group), _field(values, path)
    if name == "kind" or isinstance(_at(values, path), Mapping):
        owner = group if name == "kind" else path
        yield from _kinds(values, owner, message)
    elif optional is not None and spec is not None:
        for value in _values(optional, message):
            if value != _at(values, path):
                yield _change(path, optional, value)
    head, _, rest = path.partition(".")
    field = Experiment.model_fields.get(head)
    if field is None:
        return
    if several_of(field) is not None and rest:
        place = int(rest.partition(".")[0])
        kept = [each for k, each in enumerate(values[head]) if k != place]
        yield Change(head, kept, f"Remove {field.title} {place + 1}")
    elif type(None) in get_args(field.annotation):
        yield Change(head, None, f"Remove {field.title}")


def _kinds(values: Mapping[str, Any], path: str, message: str) -> Iterator[Change]:
    """Yield other members of the family at `path`: first those that the message names."""
    field = Experiment.model_fields.get(path)
    family = group_of(field) if field is not None else None
    if field is None or family is None or not issubclass(family, Part):
        return
    usual, now = field.default, values[path].get("kind")
    known = {kind: cls for kind, cls in family.choices().items() if kind != now}

    def rank(kind: str) -> tuple[int, int]:
        spoken = [message.find(word) for word in (kind, known[kind].display_name())]
        places = [place for place in spoken if place >= 0]
        return (min(places) if places else len(message), kind != getattr(usual, "kind", str)())

    for kind in sorted(known, key=rank):
        yield Change(path, {"kind": kind}, f"Use {known[kind].display_name()}")


def _values(field: FieldInfo, message: str) -> Iterator[Any]:
    kind = field.annotation
    options = get_args(kind) if get_origin(kind) is Literal else ()
    yield from sorted(options, key=lambda each: str(each) not in message)
    if options:
        return
    if kind is bool:
        yield from (True, False)
    if {int, float} & {kind, *get_args(kind)}:
        yield from (_value(number.replace(",", "")) for number in NUMBER.findall(message))
        if not field.is_required() and field.default is not None:
            yield field.default
    if kind is str:
        yield from re.findall(r"'([^']+)'", message)


def _change(path: str, field: FieldInfo, value: Any) -> Change:
    shown = "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return Change(path, value, f"Set {field.title} to {shown}")


def _value(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(word.casefold(), word)


def _at(values: Any, path: str) -> Any:
    for step in path.split("."):
        try:
            values = values[int(step)] if step.isdecimal() else values[step]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _field(values: Mapping[str, Any], path: str) -> FieldInfo | None:
    """Return the field at a path of the experiment that `values` describe."""
    group, _, name = path.rpartition(".")
    spec = _spec(values, group)
    return None if spec is None else spec.model_fields.get(name)


def _spec(values: Mapping[str, Any], path: str) -> type[Spec] | None:
    """Return the class of the group of settings at a path."""
    spec: type[Spec] | None = Experiment
    steps = path.split(".") if path else []
    for k, step in enumerate(steps):
        if spec is None or step.isdecimal():
            return None
        field = spec.model_fields.get(step)
        family = None if field is None else group_of(field)
        given = _at(values, ".".join(steps[: k + 1]))
        kind = given.get("kind") if isinstance(given, Mapping) else None
        if family is not None and issubclass(family, Part) and kind is not None:
            family = family.choices().get(kind, family)
        spec = family
    return spec
