"""Tensors in files that several processes map: nothing is copied through a pipe."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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


def _view(room: mmap.mmap, dtype: str, shape: tuple[int, ...], start: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(room, dtype=dtype, count=count, offset=start).reshape(shape)
