"""What a field of a group of settings may be, in words."""

from __future__ import annotations

import textwrap
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from fedbench.config.problems import bound_shown

WIDTH = 96


def kinds(field: FieldInfo) -> tuple[Any, ...]:
    """Return the types that a field admits."""
    kind = field.annotation
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def limits(field: FieldInfo) -> list[str]:
    """Return what a value of the field may be, its unit, and what it means to leave it out."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = [str(extra["unit"])] if "unit" in extra else []
    absent = [f"off: {extra['none']}"] if "none" in extra else []
    return [*_bounds(field), *unit, *absent]


def section(fields: Mapping[str, FieldInfo]) -> str:
    """Return the `Fields:` section of a docstring: names, types, bounds, defaults and meanings."""
    lines = ["Fields:"]
    for name, field in fields.items():
        admitted = " | ".join(getattr(kind, "__name__", str(kind)) for kind in kinds(field))
        if any(get_origin(kind) in (Literal, tuple) for kind in kinds(field)):
            admitted = str(field.annotation).replace("typing.", "").replace("fedbench.", "")
        default = "required" if field.is_required() else f"default {_default(field)}"
        facts = ", ".join([admitted.replace("NoneType", "None"), *limits(field), default])
        words = f"{name} ({facts})"
        if field.description:
            words += f": {field.description}."
        lines += textwrap.wrap(
            words,
            WIDTH,
            initial_indent="    ",
            subsequent_indent="        ",
            break_long_words=False,
        )
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    default = field.get_default()
    return f"{type(default).__name__}()" if hasattr(default, "to_dict") else repr(default)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for kind in kinds(field):
        if get_origin(kind) is Literal:
            yield f"one of {', '.join(map(str, get_args(kind)))}"
    words: list[str] = []
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(low):
                words.append(f"{bound_shown(low)} or more")
            case annotated_types.Gt(low):
                words.append(f"above {bound_shown(low)}")
            case annotated_types.Le(high):
                words.append(f"at most {bound_shown(high)}")
            case annotated_types.Lt(high):
                words.append(f"below {bound_shown(high)}")
            case _:
                pass  # no bound
    if words:
        yield ", ".join(words)
