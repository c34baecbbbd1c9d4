"""Data that stay at hand, as many as take little memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from cachetools import LRUCache

KEPT = 64 << 20  # bytes of arrays that a function holds on to

T = TypeVar("T")


class Kept(Generic[T]):
    """A function of hashable arguments that gives the same object again instead of a second one.

    It does so for as long as anybody uses the object, and afterwards while the arrays of all that
    were asked for since take no more than `KEPT` bytes; the latest always stays.
    """

    def __init__(self, make: Callable[..., T]) -> None:
        self.make, self._lock = make, Lock()
        self._alive: WeakValueDictionary[Any, T] = WeakValueDictionary()
        self._held: LRUCache[Any, T] = LRUCache(KEPT, getsizeof=lambda made: min(KEPT, size(made)))

    def __call__(self, *arguments: Hashable) -> T:
        """Return what the function makes of `arguments`, or made of them before."""
        with self._lock:
            made = self._alive.get(arguments)
        if made is None:
            made = self.make(*arguments)
        with self._lock:
            made = self._alive.setdefault(arguments, made)
            self._held[arguments] = made
        return made

    def cache_clear(self) -> None:
        """Forget everything, what is in use as well."""
        with self._lock:
            self._alive.clear()
            self._held.clear()


def size(made: object) -> int:
    """Return how many bytes the arrays among an object's attributes take."""
    return sum(each.nbytes for each in vars(made).values() if isinstance(each, np.ndarray))
