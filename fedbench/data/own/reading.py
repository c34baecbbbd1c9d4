"""Tables of your own: found, kept, and read once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedbench.data.own.cells import Notation, cleaned, holds_several
from fedbench.data.own.doubts import Doubt, TableError
from fedbench.data.own.formats import GIGABYTE, File, How, load

if TYPE_CHECKING:
    import pandas as pd

FRAME = "frame:"  # the path of a DataFrame, before its digest
SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz", ".zip"),
    *(".parquet", ".pq", ".xlsx"),
)

Stamp = tuple[int, int]  # when a file was last written, in ns, and its size

_frames: dict[str, pd.DataFrame] = {}


@dataclass(frozen=True)
class Reading:
    """A table as it was read: numbers as numbers, missing cells as missing, and what is odd.

    `nested` are columns whose cells hold several values each.
    """

    frame: pd.DataFrame
    doubts: tuple[Doubt, ...] = ()
    nested: tuple[str, ...] = ()


def keep(frame: pd.DataFrame) -> str:
    """Remember a DataFrame and return the path that names it in this process, by its content."""
    import pandas as pd
    from pandas.core.util.hashing import hash_pandas_object

    digest = hashlib.sha256()
    digest.update(repr([(str(name), str(kind)) for name, kind in frame.dtypes.items()]).encode())
    try:
        hashed = hash_pandas_object(frame, index=False)
    except TypeError:  # of lists and the like: whether they matter, the roles of columns tell
        columns = (frame.iloc[:, k] for k in range(frame.shape[1]))
        plain = (each.astype(str) if holds_several(each) else each for each in columns)
        hashed = hash_pandas_object(pd.DataFrame(dict(enumerate(plain))), index=False)
    digest.update(hashed.to_numpy().tobytes())
    path = f"{FRAME}{digest.hexdigest()[:16]}"
    _frames.setdefault(path, frame.copy())
    return path


def recall(path: str) -> pd.DataFrame:
    """Return the DataFrame that `keep` remembered. Raises KeyError for one of another process."""
    return _frames[path]


def stamp(path: str) -> Stamp | None:
    """Return when a file was written and its size, None where there is none."""
    if not path or path.startswith(FRAME):
        return None
    try:
        found = Path(path).expanduser().stat()
    except (OSError, ValueError):  # a path may hold what no file system takes
        return None
    return found.st_mtime_ns, found.st_size


def read(path: str, how: How, notation: Notation, named: tuple[str, ...] = ()) -> Reading:
    """Return the table at `path`; the same table is read once.

    `named` are columns that say what something is called, and stay as they are written. Raises
    TableError that names the setting at fault.
    """
    return _read(path, _found(path, how), how, notation, named)


def column(path: str, how: How, notation: Notation, name: str) -> Any:
    """Return one column as its numbers or texts, None where not exactly one has this name."""
    frame = _loaded(path, _found(path, how), how).frame
    found = [k for k, each in enumerate(frame.columns) if str(each).strip() == name]
    if len(found) != 1:
        return None
    return cleaned(frame.iloc[:, found], notation).frame[name]


def _found(path: str, how: How) -> Stamp | None:
    """Return when the table at `path` was written. Raises TableError where it cannot be read."""
    if not path:
        raise TableError(
            "path", "no table is chosen; give the path of a CSV, Excel or Parquet file"
        )
    if path.startswith(FRAME):
        if path not in _frames:
            raise TableError(
                "path",
                f"{path} was a DataFrame in another process; save it to a file and give its path",
            )
        return None
    written = stamp(path)
    if written is None or not Path(path).expanduser().is_file():
        if written is not None and Path(path).expanduser().is_dir():
            raise TableError("path", f"{path!r} is a folder; give the path of a file in it")
        raise TableError("path", f"there is no file {path!r} (looked in {Path.cwd()})")
    size = written[1] / GIGABYTE
    if size > how.largest:
        raise TableError(
            "path",
            f"{path!r} has {size:.2f} GB, and reading it takes several times that memory; "
            f"use a sample of its rows, or raise largest from {how.largest:g}",
        )
    return written


@lru_cache(maxsize=1)
def _loaded(path: str, written: Stamp | None, how: How) -> File:
    if written is None:
        return File(_frames[path])
    try:
        file = load(Path(path).expanduser(), how)
    except OSError as error:
        raise TableError(
            "path", f"{path!r} cannot be read: {error.strerror or 'an error of the disk'}"
        ) from error
    return file


@lru_cache(maxsize=1)
def _read(
    path: str, written: Stamp | None, how: How, notation: Notation, named: tuple[str, ...]
) -> Reading:
    file = _loaded(path, written, how)
    if not len(file.frame):
        raise TableError("path", f"{path!r} has no rows")
    found = cleaned(file.as_written(named), notation, named)
    return Reading(found.frame, (*file.doubts, *found.doubts), found.nested)
