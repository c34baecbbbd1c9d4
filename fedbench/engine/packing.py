"""What other processes get: user classes by value or by name, and arrays by file."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from dataclasses import fields
from types import ModuleType
from typing import Any

import cloudpickle
import numpy as np

from fedbench.config.sources import users_modules
from fedbench.config.spec import Spec
from fedbench.engine.context import TrainingContext
from fedbench.engine.engine import Engine
from fedbench.engine.shared import Arrays

SHARED = 1 << 16  # bytes from which an array travels as a file

_registering = threading.Lock()  # cloudpickle knows the modules to send in a set of its own


def packed(context: TrainingContext, engine: Engine, arrays: Arrays) -> bytes:
    """Return a context and its engine as bytes for a worker; arrays of data go to files."""
    return by_value(
        (context, engine), _parts(context, engine), lambda stream: _Pickler(stream, arrays)
    )


def by_value(
    thing: Any,
    parts: Iterable[Spec],
    pickler: Callable[[io.BytesIO], cloudpickle.Pickler] = cloudpickle.Pickler,
) -> bytes:
    """Pickle what holds `parts`, with the code of user classes where that can be pickled.

    Modules may have been edited and reloaded since another process imported them. One that holds
    something that cannot be pickled is sent by name instead.
    """
    classes = [type(part) for part in parts]
    own = {base.__module__ for cls in classes for base in cls.__mro__}
    modules = users_modules(classes)
    fewer = [module for module in modules if module.__name__ in own]
    for sent in (modules, fewer):
        try:
            return _pickled(thing, pickler, sent)
        except Exception:  # pickling user code can raise anything; the next attempt sends less
            if not sent:
                raise
    return _pickled(thing, pickler, [])


def _pickled(
    thing: Any, pickler: Callable[[io.BytesIO], cloudpickle.Pickler], sent: list[ModuleType]
) -> bytes:
    stream = io.BytesIO()
    with _registering:
        for module in sent:
            cloudpickle.register_pickle_by_value(module)
        try:
            pickler(stream).dump(thing)
        finally:
            for module in sent:
                cloudpickle.unregister_pickle_by_value(module)
    return stream.getvalue()


class _Pickler(cloudpickle.Pickler):
    """Carries classes that were defined in a notebook; arrays of data go by file."""

    def __init__(self, stream: io.BytesIO, arrays: Arrays) -> None:
        super().__init__(stream)
        self._arrays = arrays

    def persistent_id(self, obj: Any) -> str | None:
        if isinstance(obj, np.ndarray) and obj.nbytes >= SHARED and not obj.dtype.hasobject:
            return self._arrays.path(obj)
        return None


def _parts(context: TrainingContext, engine: Engine) -> list[Spec]:
    """Return all parts that a worker will use."""
    held = [engine, *(getattr(context, item.name) for item in fields(context))]
    held += context.pipeline.stages
    return [part for each in held if isinstance(each, Spec) for part in each.parts()]
