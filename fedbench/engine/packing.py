"""A training context as worker processes get it: by value, by name, and arrays by file."""

from __future__ import annotations

import io
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


def packed(context: TrainingContext, engine: Engine, arrays: Arrays) -> bytes:
    """Return a context and its engine as bytes for a worker; arrays of data go to files."""
    classes = [type(part) for part in _parts(context, engine)]
    own = {base.__module__ for cls in classes for base in cls.__mro__}
    modules = users_modules(classes)
    # Modules may have been edited and reloaded since a worker last imported them, so they are sent
    # by value. A module that holds something that cannot be pickled is sent by name instead.
    fewer = [module for module in modules if module.__name__ in own]
    for by_value in (modules, fewer):
        try:
            return _pickled((context, engine), arrays, by_value)
        except Exception:  # pickling user code can raise anything; the next attempt sends less
            if not by_value:
                raise
    return _pickled((context, engine), arrays, [])


def _pickled(parts: Any, arrays: Arrays, by_value: list[ModuleType]) -> bytes:
    stream = io.BytesIO()
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        _Pickler(stream, arrays).dump(parts)
    finally:
        for module in by_value:
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
