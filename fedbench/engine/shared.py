"""Tensors in files that several processes map: nothing is copied through a pipe."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

ALIGN = 64  # bytes: as torch's own allocations, so that vector instructions see no difference

# Name, type, shape and first byte of each tensor: all that another process needs to find them.
Layout = tuple[tuple[str, str, tuple[int, ...], int], ...]


class Shelf:
    """A file with room for one tree at a time, which grows as it must.

    A temporary file and not the system's shared memory, which many containers limit to 64 MB.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map: mmap.mmap | None = None

    def put(self, a: Tree) -> Layout:
        """Write a tree over what was here; return where its tensors are."""
        layout, end = [], 0
        for name, leaf in a.items():
            dtype = str(leaf.dtype).removeprefix("torch.")
            layout.append((name, dtype, tuple(leaf.shape), end))
            end += -(-leaf.numel() * leaf.element_size() // ALIGN) * ALIGN
        room = self._room(end)
        for (_, dtype, shape, start), leaf in zip(layout, a.values(), strict=True):
            _view(room, dtype, shape, start)[...] = leaf.detach().numpy()
        return tuple(layout)

    def get(self, layout: Layout) -> dict[str, Tensor]:
        """Return the tensors at `layout`: views that the next `put` overwrites."""
        import torch

        room = self._room(0) if layout else None
        return {
            name: torch.from_numpy(_view(room, dtype, shape, start))
            for name, dtype, shape, start in layout
            if room is not None
        }

    def _room(self, size: int) -> mmap.mmap:
        """Return the whole file mapped, at least `size` bytes of it."""
        self.path.touch()
        length = self.path.stat().st_size
        if self._map is None or len(self._map) < max(size, length):
            with self.path.open("r+b") as file:
                length = max(size + size // 4, length, ALIGN)
                file.truncate(length)
                self._map = mmap.mmap(file.fileno(), length)
        return self._map


class Arrays:
    """Arrays written to files, each once for as long as it lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[int, str] = {}
        self._count = itertools.count()

    def path(self, array: NDArray[Any]) -> str:
        """Return the file of an array, which is written at first."""
        key = id(array)
        if key not in self._paths:
            path = self._folder / f"array-{next(self._count)}.npy"
            np.save(path, array, allow_pickle=False)
            self._paths[key] = str(path)
            weakref.finalize(array, self._forget, key)
        return self._paths[key]

    def _forget(self, key: int) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._paths.pop(key))


def _view(room: mmap.mmap, dtype: str, shape: tuple[int, ...], start: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(room, dtype=dtype, count=count, offset=start).reshape(shape)
