"""An experiment as a TOML file that explains itself, written from the fields' own descriptions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

import tomlkit
from pydantic.fields import FieldInfo

from fedbench.config.fields import kinds, limits
from fedbench.config.spec import NONE, Part, Spec

WIDTH = 94
OPENING = (
    "An experiment for fedbench: every setting, with its meaning.",
    "A setting behind a # is off; remove the # to set it.",
)


def template(experiment: Spec) -> str:
    """Return TOML that rebuilds `experiment` and describes each of its fields in comments."""
    plain: list[str] = []
    groups: list[str] = []
    for name, field in type(experiment).model_fields.items():
        group, value = group_of(field), getattr(experiment, name)
        family = several_of(field)
        if family is not None:
            groups += ["", *_heading(field), *_tables(name, family, value)]
        elif group is None:
            plain += ["", *_setting(name, field, experiment.to_dict())]
        else:
            part = value if isinstance(value, Spec) else group()
            table = list(_table(name, part))
            groups += ["", *_heading(field), *(table if part is value else _comment(table))]
    return "\n".join([*_comment(OPENING), *plain, *groups, ""])


def _table(path: str, part: Spec, header: str = "[{}]") -> Iterator[str]:
    """The settings of a group, and after them the tables of the groups within it."""
    yield header.format(path)
    yield from _settings(part)
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, Spec):
            yield from ("", *_heading(field), *_table(f"{path}.{name}", value))


def _tables(name: str, family: type[Part], parts: tuple[Part, ...]) -> Iterator[str]:
    """One table a part; where there is none, how one would look."""
    for place, part in enumerate(parts):
        yield from ([""] if place else [])
        yield from _table(name, part, "[[{}]]")
    if not parts:
        example = next((m for m in family.choices().values() if _needs_nothing(m)), None)
        if example is not None:
            yield from _comment(_table(name, example(), "[[{}]]"))


def _needs_nothing(member: type[Spec]) -> bool:
    return not any(field.is_required() for field in member.model_fields.values())


def _settings(part: Spec) -> Iterator[str]:
    given = part.to_dict()
    if "kind" in given:
        yield _assign("kind", given["kind"])
    for name, field in type(part).model_fields.items():
        if not isinstance(getattr(part, name), Spec):
            yield from _setting(name, field, given)


def _setting(name: str, field: FieldInfo, given: dict[str, Any]) -> Iterator[str]:
    yield from _comment(textwrap.wrap(_describe(field), WIDTH, subsequent_indent="  "))
    if name in given:
        yield _assign(name, given[name])
    else:
        yield from _comment([_assign(name, _example(field))])


def _assign(name: str, value: object) -> str:
    return f"{name} = {tomlkit.item(NONE if value is None else value).as_string()}"


def _comment(lines: Iterable[str]) -> Iterator[str]:
    return (f"# {line}" for line in lines)


def _describe(field: FieldInfo) -> str:
    text = f"{field.title}: {field.description}" if field.description else str(field.title)
    found = limits(field)
    return f"{text} ({'; '.join(found)})" if found else text


def _example(field: FieldInfo) -> object:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    slider = extra.get("slider")
    if isinstance(slider, list):
        return slider[0]
    return next((bound.ge for bound in field.metadata if hasattr(bound, "ge")), 1)


def _heading(field: FieldInfo) -> Iterator[str]:
    yield f"# {_describe(field)}"
    group = several_of(field) or group_of(field)
    if group is not None and issubclass(group, Part):
        for kind, member in group.choices().items():
            about = (member.__doc__ or "").partition("\n")[0]
            yield from _comment(
                textwrap.wrap(
                    f"{kind}: {about}", WIDTH, initial_indent="  ", subsequent_indent="    "
                )
            )


def group_of(field: FieldInfo) -> type[Spec] | None:
    """Return the group of settings that a field holds, or None if it is a single setting."""
    return next((k for k in kinds(field) if isinstance(k, type) and issubclass(k, Spec)), None)


def several_of(field: FieldInfo) -> type[Part] | None:
    """Return the family of a field that holds any number of its members, else None."""
    if get_origin(field.annotation) is not tuple:
        return None
    family = get_args(field.annotation)[0]
    return family if isinstance(family, type) and issubclass(family, Part) else None
