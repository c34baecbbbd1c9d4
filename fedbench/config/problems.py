"""What is wrong with a configuration: where, in the words of a person, and the value given."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

PLAINLY = {  # pydantic's kinds of error that a hand or a file makes
    "missing": "must be given",
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number"),
    "int_parsing_size": "is too large for a whole number",
    "finite_number": "must be a finite number",
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    "string_type": "must be a text",
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
}


@dataclass(frozen=True)
class Problem:
    """One error in a configuration: where, what, and the value that was given.

    What a part says in its `check` may begin with a dot: the path of a field of its own.
    """

    path: str
    message: str
    value: object

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        shown = self.value is not None and not isinstance(self.value, Mapping | BaseModel)
        given = f" (given: {self.value!r})" if shown else ""
        return f"{where}{self.message}{given}"


def problems(error: ValidationError) -> list[Problem]:
    """Return what `error` says, one `Problem` a line, with dotted paths."""
    return [
        Problem(".".join(str(step) for step in item["loc"]), item["msg"], item["input"])
        for item in error.errors(include_url=False)
    ]


def plainly(item: ErrorDetails) -> str:
    """Return what is wrong with a value, in the words of a person where pydantic has its own."""
    context = item.get("ctx", {})
    if item["type"] not in PLAINLY or "message" in context:  # an inner group has put it plainly
        return item["msg"].removeprefix("Value error, ")
    return PLAINLY[item["type"]].format(**{key: bound_shown(x) for key, x in context.items()})


def bound_shown(value: object) -> str:
    """Return the end of a range as text: 1,000,000 and 1e-06, and 3 for 3.0."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:g}" if abs(value) >= 1e15 else f"{value:,}".removesuffix(".0")


def refuse(path: str, message: str, value: object = None) -> InitErrorDetails:
    """Return one line of a `ValidationError` for a rule over several fields, at a dotted `path`."""
    return error_line("unsound", message, tuple(path.split(".")), value)


def unsound(message: str, kind: str = "unsound") -> PydanticCustomError:
    """Return an error for a validator to raise, which says `message` and nothing else."""
    # The message may hold braces from untrusted text: hand it over as context, not as a template.
    return PydanticCustomError(cast("Any", kind), "{message}", {"message": message})


def error_line(
    kind: str, message: str, loc: tuple[int | str, ...], value: object
) -> InitErrorDetails:
    """Return one line of a `ValidationError`, of a kind and with a message of one's own."""
    return InitErrorDetails(type=unsound(message, kind), loc=loc, input=value)


def expect(value: object, kind: type, argument: str) -> None:
    """Raise TypeError unless an argument of a public function is an object of this class."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        what = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
        shown = what if len(what) < 60 else f"an object of class {type(value).__name__}"
        raise TypeError(f"{argument} = {shown} is not {article} {kind.__name__}")


def nearest(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Return the end of a message: which of some names was meant, else all of them.

    `otherwise` is said in place of the names where they are too many to read.
    """
    known = list(known)
    if not known:
        return ", and there are none"
    if close := difflib.get_close_matches(word, known, n=1):
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if otherwise is None else otherwise


def unheard(cls: type, bases: Iterable[type], more: Iterable[str] = ()) -> list[str]:
    """Return a message for each method of a class that is all but one of its bases' in name.

    `more` are names that are called besides. Such a slip would be code that nobody calls.
    """
    heard = {name for base in bases for name, it in vars(base).items() if callable(it)}
    heard.update(more)
    own = [name for name, it in vars(cls).items() if callable(it) and name not in heard]
    found = []
    for name in own:
        meant = difflib.get_close_matches(name, heard, n=1, cutoff=0.8)
        if meant and not name.startswith("_"):
            found.append(
                f"{cls.__name__}.{name}: fedbench never calls a method of this name; if you "
                f"meant {meant[0]!r}, rename it"
            )
    return found
