"""Files that are whole or not there, and folders that one process at a time writes into."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout


def write(path: Path, content: bytes | str) -> None:
    """Replace the file at `path` by `content`, in one step: a reader sees the old or the new file.

    The file gets the permissions that the process gives new files. Raises OSError, and then the old
    file is still there.
    """
    data = content.encode() if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


class Claim:
    """The right to write something, held by one process at a time.

    It is a lock on the file at `path`, which the operating system releases when the process ends,
    however it ends. Raises OSError where the lock file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path, timeout=0, thread_local=False)

    def take(self) -> bool:
        """Return whether the claim is held now; it is not where another holds it."""
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """Give the claim up; does nothing where it is not held."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self.path.unlink()  # while it is held: who opened it before sees that it is gone
            self._lock.release()

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
