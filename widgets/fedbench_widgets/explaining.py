"""What a field and a chosen part mean: the help that the form carries, made from the fields."""

from __future__ import annotations

import re
import zlib

from pydantic.fields import FieldInfo

from fedbench.config.spec import Spec
from fedbench.config.template import limits

# Every explanation that a form carries, by the class that its control has in the page: ipywidgets
# shows the tooltips of few controls, and none of lists and texts.
KNOWN: dict[str, str] = {}
SOURCE = re.compile(r"\bSource: (.+?(?<!\bal))\.(?:\s|$)", re.S)


def says(explanation: str) -> str:
    """Return the class of what is explained so; the page looks it up in `KNOWN`."""
    name = f"fb-says-{zlib.crc32(explanation.encode()):08x}"
    KNOWN[name] = explanation
    return name


def about_field(field: FieldInfo) -> str:
    """Return three lines: one sentence, the formula or nothing, and unit, bounds and default.

    `_` and `^` in a formula lower and raise a letter or a {group}.
    """
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    facts, default = limits(field), field.default
    if isinstance(default, bool | int | float | str) and default != "":
        facts.append(f"default {_written(default)}")
    return _lines(_sentence(field.description or ""), str(extra.get("formula", "")), facts)


def about_part(cls: type[Spec], field: str | None = None) -> str:
    """Return three lines on the chosen member of a family: what it does, nothing, its source.

    `field` says what is chosen, the description of the field that holds it.
    """
    doc = cls.__doc__ or ""
    first = doc.strip().partition("\n")[0]
    what = f"{cls.__name__}: {first}" if first else cls.__name__
    source = SOURCE.search(doc)
    lead = f"{_sentence(field)} " if field else ""
    return _lines(f"{lead}{what}", "", [" ".join(source[1].split())] if source else [])


def _lines(sentence: str, formula: str, facts: list[str]) -> str:
    return "\n".join((sentence, formula, "; ".join(facts)))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
