"""A training context as worker processes get it: by value, by name, and arrays by file."""

from __future__ import annotations

import io
import sys
from dataclasses import fields
from types import ModuleType
from typing import Any

import cloudpickle
import numpy as np

from fedbench.config.sources import is_installed
from fedbench.config.spec import Spec
from fedbench.engine.context import TrainingContext
from fedbench.engine.engine import Engine
from fedbench.engine.shared import Arrays

SHARED = 1 << 16  # bytes from which an array travels as a file


def packed(context: TrainingContext, engine: Engine, arrays: Arrays) -> bytes:
    """Return a context and its engine as bytes for a worker; arrays of data go to files."""
    modules = _edited(context, engine)
    try:
        return _pickled((context, engine), arrays, modules)
    except Exception:  # something beside the classes does not travel: they go by name then
        if not modules:
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


def _edited(context: TrainingContext, engine: Engine) -> list[ModuleType]:
    """Return the modules of classes that are no installed package's.

    They may have been edited and loaded again since a worker last looked: what they are now travels
    with the context.
    """
    held = [engine, *(getattr(context, item.name) for item in fields(context))]
    held += context.pipeline.stages
    parts = [part for each in held if isinstance(each, Spec) for part in each.parts()]
    names = {cls.__module__ for part in parts for cls in type(part).__mro__}
    found = []
    for name in sorted(names - {"__main__"}):
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if module is None or file is None or name.partition(".")[0] == "fedbench":
            continue
        if not is_installed(file):
            found.append(module)
    return found
