"""Changes to an experiment that are still text, such as `training.lr=0.5`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from fedbench.config.problems import nearest
from fedbench.config.spec import Part, Spec
from fedbench.config.template import group_of, several_of

RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


class OverrideError(ValueError):
    """A change that names no setting, or has no value."""


def override(
    root: type[Spec], data: dict[str, Any], change: str, *, allow_imports: bool = False
) -> None:
    """Make the change PATH=VALUE to the plain data of a `root`, in place.

    VALUE is TOML, or a bare word that stands for itself; `none` turns a setting off. See `assign`
    for the rest.
    """
    path, equals, text = change.partition("=")
    if not equals:
        raise OverrideError(f"{change!r} has no value; write it as PATH=VALUE")
    if not path.strip():
        raise OverrideError(f"{change!r} names no setting; write it as PATH=VALUE")
    assign(root, data, path.strip(), parsed(text.strip()), allow_imports=allow_imports)


def assign(
    root: type[Spec], data: dict[str, Any], path: str, value: Any, *, allow_imports: bool = False
) -> None:
    """Set one setting of the plain data of a `root`, in place; `value` is plain data too.

    A new `kind` keeps the settings that it shares with the old one. Of a list of parts,
    `skews.0.std` means the first, and `skews` the whole, as in `skews=[{kind = "FeatureNoise"}]`.
    Raises OverrideError for a path that cannot be; whether the value fits is for
    `root.from_dict` to say.
    """
    steps = path.split(".")
    if steps[0] not in root.model_fields:
        raise OverrideError(f"no setting is called {path!r}{_suggestion(root, path)}")
    group = data
    for depth, step in enumerate(steps[:-1]):
        if step not in group and depth == 0:
            group[step] = _now(root, data, step, allow_imports)
        group = _inside(group, step, ".".join(steps[: depth + 1]))
    if not isinstance(group, dict):
        raise OverrideError(f"{path}: name the item of the list, as in {steps[0]}.0.kind")
    if steps[-1] == "kind":
        field = root.model_fields[steps[0]]
        _keep_shared(group, several_of(field) or group_of(field), value)
    group[steps[-1]] = value


def several(change: str) -> tuple[str, list[Any]]:
    """Return the setting and the values of PATH=VALUE,VALUE,…, each as in `override`.

    0..4 stands for the whole numbers from 0 to 4. Raises OverrideError where there is no value.
    """
    path, equals, text = change.partition("=")
    if not (equals and text.strip()):
        raise OverrideError(f"{change!r} has no values; write it as PATH=VALUE,VALUE")
    try:
        return path.strip(), tomllib.loads(f"values = [{text}]")["values"]
    except tomllib.TOMLDecodeError:  # ranges and bare words
        return path.strip(), [value for word in text.split(",") for value in _each(word.strip())]


def _each(word: str) -> list[Any]:
    if ends := RANGE.fullmatch(word):
        first, last = map(int, ends.groups())
        return list(range(first, last + 1))
    return [parsed(word)]


def _inside(group: Any, step: str, path: str) -> Any:
    """Return a group's group, or the part at a place of a list."""
    if isinstance(group, list):
        if not step.isdecimal() or int(step) >= len(group):
            last = f"the list has items 0 to {len(group) - 1}" if group else "the list is empty"
            raise OverrideError(f"{path} is no item of a list of parts; {last}")
        return group[int(step)]
    inner = group.get(step)
    if not isinstance(inner, dict | list):
        raise OverrideError(f"{path} is not a group of settings")
    return inner


def parsed(text: str) -> Any:
    """Return the value that a text on the command line means; see `override`."""
    if text == "none":
        return None
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text  # a bare word stands for itself
    return parsed["value"] if len(parsed) == 1 else text


def _now(root: type[Spec], data: dict[str, Any], group: str, allow_imports: bool) -> Any:
    """Return the settings that a group has when the file does not mention it."""
    try:
        value = getattr(root.from_dict(data, allow_imports=allow_imports), group)
    except ValidationError:
        return {}
    if isinstance(value, tuple) and all(isinstance(each, Spec) for each in value):
        return [each.to_dict() for each in value]
    return value.to_dict() if isinstance(value, Spec) else {}


def _keep_shared(group: dict[str, Any], family: type[Spec] | None, kind: Any) -> None:
    """Drop the settings that another kind does not have: the user did not ask for them."""
    if family is None:
        return
    member = family.choices().get(str(kind), family)
    for name in [name for name in group if name not in member.model_fields]:
        del group[name]


def _suggestion(root: type[Spec], path: str) -> str:
    known = list(_paths(root))
    last = path.rpartition(".")[2]
    same = [each for each in known if each.rpartition(".")[2] == last]
    return nearest(
        same[0] if same else path, known, ("; `fedbench new` writes a file with all of them")
    )


def _paths(group: type[Spec]) -> Iterator[str]:
    for name, field in group.model_fields.items():
        inner, family = group_of(field), several_of(field)
        if family is not None:
            yield name
            members = family.choices().values()
            inside = (f"{name}.0.{path}" for each in members for path in _paths(each))
            yield from dict.fromkeys(inside)
        elif inner is None:
            yield name
        elif issubclass(inner, Part):
            yield f"{name}.kind"
            members = inner.choices().values()
            yield from dict.fromkeys(f"{name}.{path}" for each in members for path in _paths(each))
        else:
            yield from (f"{name}.{path}" for path in _paths(inner))
