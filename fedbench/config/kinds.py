"""Kinds: the names by which files choose classes, and the code that those names stand for."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import Any

from fedbench.config.problems import nearest

LOCAL = "<locals>"  # in the name of a class that a function defines: nobody can import it


class KindError(ValueError):
    """A `kind` that names no class that could be used here; `code` is the kind of error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_user_class(cls: type) -> bool:
    """Return whether a class is defined outside fedbench."""
    return cls.__module__.partition(".")[0] != "fedbench"


def kind_of(cls: type) -> str:
    """Return the name of a class in files: `Class`, or `module:Class` outside fedbench."""
    return f"{cls.__module__}:{cls.__qualname__}" if is_user_class(cls) else cls.__name__


def find(family: Any, kind: object, *, allow_imports: bool) -> Any:
    """Return the class of `family` that is called `kind`, which may have to be imported.

    Raises KindError for an unknown name, and for one that would import code without permission.
    """
    known = family.choices()
    if isinstance(kind, str) and kind in known:
        return known[kind]
    if isinstance(kind, str) and ":" in kind:
        if not allow_imports:
            raise KindError(
                "foreign_kind",
                f"{kind!r} names code outside fedbench; load it with allow_imports=True, in a "
                "shell --allow-imports, if you trust where this configuration comes from",
            )
        return _imported(family, kind)
    raise KindError(
        "unknown_kind", f"no {family.__name__} is called {kind!r}{nearest(str(kind), known)}"
    )


def _imported(family: type, kind: str) -> Any:
    module, _, name = kind.partition(":")
    try:
        found = reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        remedy = ""
        if module == "__main__" or LOCAL in name:
            remedy = (
                "; define it in this notebook or script first, or move it to a module, which "
                "can be imported"
            )
        raise KindError("unknown_kind", f"{kind!r} cannot be found: {error}{remedy}") from error
    if not (isinstance(found, type) and issubclass(found, family)) or getattr(found, "family", 0):
        raise KindError("unknown_kind", f"{kind!r} is not a {family.__name__}")
    return found
