"""Whether an object of a user's class is what its written settings would give back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fedbench.config.spec import Part, Spec, exact


def not_rebuilt(spec: Spec) -> str | None:
    """Return why sweeps, saved files and resumed runs could not carry `spec` as it is, or None."""
    cls = type(spec)
    for name in cls.model_fields:
        value = getattr(spec, name)
        if not _writable(value):
            return (
                f"{cls.__name__}.{name} is a {type(value).__name__}, which no file holds: a field "
                "is a number, a text, true or false, a part, or a tuple of such; give the path of "
                "a file, or read the value in a method"
            )
    groups = [base for base in cls.__mro__ if issubclass(base, Spec) and base not in (Spec, Part)]
    if groups[-1].choices().get(cls.kind()) is not cls:
        return (
            f"{cls.__name__} was defined again after this object was made; make the object anew, "
            "so that it is of the class that the name now stands for"
        )
    try:
        again = groups[-1].from_toml(spec.to_toml())
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        return f"{cls.__name__} cannot be made from its own settings: {reason}"
    for name in cls.model_fields:
        mine, read = getattr(spec, name), getattr(again, name)
        if exact(mine) != exact(read):
            return (
                f"{cls.__name__}.{name} = {mine!r} would be {read!r} once it is written to a file "
                "and read again; declare the type of the field"
            )
    if again != spec:
        return (
            f"{cls.__name__} has private attributes that its fields do not determine; make them "
            "fields, or compute them from the fields"
        )
    return None


def _writable(value: Any) -> bool:
    """Return whether TOML has a notation for a setting."""
    if isinstance(value, tuple | list):
        return all(map(_writable, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _writable(item) for key, item in value.items())
    return value is None or isinstance(value, Spec | bool | int | float | str)
