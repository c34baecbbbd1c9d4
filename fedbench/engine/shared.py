"""Tensors in files that several processes map: nothing is copied through a pipe."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import tempfile
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
    """A file with room for one tree at a time, which grows as it must; see `Memory`."""

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
        length = self.path.stat().st_size if self.path.exists() else 0
        if self._map is None or len(self._map) < max(size, length):
            with self.path.open("r+b" if self.path.exists() else "w+b") as file:
                length = max(size + size // 4, length, ALIGN)
                file.truncate(length)
                self._map = mmap.mmap(file.fileno(), length)
        return self._map


class Memory:
    """Makes files that are written over and over, and frees them together.

    On Linux they have no place on a disk, whose writing back would stop those who write, and none
    in /dev/shm, which many containers limit to 64 MB and where they would outlive a process that is
    killed. Elsewhere they are temporary files in `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._open = folder, []
        self._count = itertools.count()

    def file(self) -> Path:
        """Return the path of a new, empty file, by which other processes find it too."""
        if not hasattr(os, "memfd_create"):
            path = self._folder / f"shelf-{next(self._count)}"
            path.touch()
            return path
        self._open.append(os.memfd_create("fedbench"))
        return Path(f"/proc/{os.getpid()}/fd/{self._open[-1]}")

    def free(self) -> None:
        """Give the files back, once nobody maps them any more."""
        while self._open:
            os.close(self._open.pop())


class Arrays:
    """Arrays written to files, each once for as long as it lives.

    They lie on the disk, and on Linux under no name there: whatever ends this process, nothing is
    left behind.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[int, tuple[Any, str]] = {}

    def path(self, array: NDArray[Any]) -> str:
        """Return the path at which other processes find an array; it is written at first."""
        key = id(array)
        if key not in self._files:
            file = tempfile.NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115
            np.save(file, array, allow_pickle=False)
            file.flush()
            path = file.name
            if Path("/proc/self/fd").exists():
                os.unlink(path)
                path = f"/proc/{os.getpid()}/fd/{file.fileno()}"
            self._files[key] = file, path
            weakref.finalize(array, self._forget, key)
        return self._files[key][1]

    def _forget(self, key: int) -> None:
        file, _ = self._files.pop(key)
        file.close()
        with contextlib.suppress(OSError):
            os.unlink(file.name)


def _view(room: mmap.mmap, dtype: str, shape: tuple[int, ...], start: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(room, dtype=dtype, count=count, offset=start).reshape(shape)
