"""Uploaded tables: private copies, removed with the process that made them."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO

from fedbench.data.own.reading import SUFFIXES, TableError

UPLOADS = "fedbench-tables"  # the folder of all processes, among the caches of the user
LOCK = ".lock"
LONGEST = 80  # characters of a name that are kept

_making = threading.Lock()
_held: tuple[Path, IO[bytes], int] | None = None  # this process's folder, its lock, its pid


def keep_upload(name: str, content: bytes) -> Path:
    """Write an uploaded file to this process's private folder and return where.

    The folder has mode 700 and the file 600; both are removed when the process ends, or, where it
    was killed, when the next one starts. The name is untrusted: only letters, digits, dots, dashes
    and underscores of it are kept. Raises TableError for a kind of file that is no table.
    """
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in Path(name).name)[-LONGEST:]
    if not safe.lower().endswith(SUFFIXES):
        raise TableError(
            "path",
            f"{name!r} is not a kind of table that can be read; save it as CSV, Excel (.xlsx) or "
            f"Parquet: {', '.join(SUFFIXES)}",
        )
    place = _private() / hashlib.sha256(content).hexdigest()[:12] / safe.lstrip(".")
    if not place.exists():
        place.parent.mkdir(mode=0o700, exist_ok=True)
        partial = place.with_name(f".{uuid.uuid4().hex}.part")
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        partial.replace(place)
    return place


def remove_stale() -> None:
    """Remove what processes that were killed have left behind."""
    home = _home()
    for place in list(home.iterdir()) if home.is_dir() else []:
        if place.suffix == LOCK:
            lock = place.open("ab")
            if _lock(lock):  # nobody holds it
                shutil.rmtree(place.with_suffix(""), ignore_errors=True)
                place.unlink(missing_ok=True)
            lock.close()
        elif place.is_file():  # of an earlier version, which left them for all to read
            place.chmod(0o600)


def _home() -> Path:
    import pooch

    return Path(pooch.os_cache(UPLOADS))


def _private() -> Path:
    """Return the folder of this process, made when it is first needed."""
    global _held
    with _making:
        if _held is None or _held[2] != os.getpid():
            home = _home()
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.chmod(0o700)
            with suppress(OSError):  # another process removes the same
                remove_stale()
            _held = *_claimed(home), os.getpid()
            atexit.register(_leave)
        return _held[0]


def _claimed(home: Path) -> tuple[Path, IO[bytes]]:
    """Make a folder, locked for as long as this process lives."""
    while True:
        folder = home / uuid.uuid4().hex
        place = folder.with_suffix(LOCK)
        lock = place.open("ab")
        # between the two lines another process may have taken it for stale
        if _lock(lock) and place.exists():
            folder.mkdir(mode=0o700)
            return folder, lock
        lock.close()


def _leave() -> None:
    if _held is not None and _held[2] == os.getpid():
        folder, lock, _ = _held
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()
        folder.with_suffix(LOCK).unlink(missing_ok=True)


def _lock(file: IO[bytes]) -> bool:
    """Lock a file until it is closed or the process ends; return whether nobody else has."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
