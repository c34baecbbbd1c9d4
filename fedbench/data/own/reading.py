"""Tables of one's own: found, measured, read, and refused where a column means nothing."""

from __future__ import annotations

import codecs
import csv
import hashlib
import warnings
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import pandas as pd

GIGABYTE = 1e9
SAMPLE = 2**16  # bytes that tell the separator
SEPARATORS = ",;\t|"
FRAME = "frame:"  # the path of a DataFrame, before its digest
PARQUET = (".parquet", ".pq")
SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", *PARQUET)

Stamp = tuple[int, int]  # when a file was last written, in ns, and its size

_frames: dict[str, pd.DataFrame] = {}


class TableError(ValueError):
    """A table cannot be used; `field` names the setting, the message says what helps."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def keep(frame: pd.DataFrame) -> str:
    """Remember a DataFrame and return the path that names it in this process, by its content."""
    from pandas.core.util.hashing import hash_pandas_object

    digest = hashlib.sha256()
    digest.update(repr([(str(name), str(kind)) for name, kind in frame.dtypes.items()]).encode())
    try:
        digest.update(hash_pandas_object(frame, index=False).to_numpy().tobytes())
    except TypeError as error:
        raise TableError("path", f"cells must be numbers, texts or dates: {error}") from error
    path = f"{FRAME}{digest.hexdigest()[:16]}"
    _frames.setdefault(path, frame.copy())
    return path


def stamp(path: str) -> Stamp | None:
    """Return when a file was written and its size, None where there is none."""
    if not path or path.startswith(FRAME):
        return None
    try:
        found = Path(path).expanduser().stat()
    except (OSError, ValueError):  # a path may hold what no file system takes
        return None
    return found.st_mtime_ns, found.st_size


def read(path: str, largest: float, decimal: str = ".") -> pd.DataFrame:
    """Return the table at `path`, every cell as the file has it; at most `largest` gigabytes.

    `decimal` is the mark before the fraction in a CSV file. The same table is read once. Raises
    TableError that names the setting at fault.
    """
    if not path:
        raise TableError("path", "no table is chosen; give the path of a CSV or Parquet file")
    if path.startswith(FRAME):
        if path not in _frames:
            raise TableError(
                "path",
                f"{path} was a DataFrame in another process; save it to a file and give its path",
            )
        return _frames[path]
    written = stamp(path)
    if written is None or not Path(path).expanduser().is_file():
        raise TableError("path", f"there is no file {path!r} (looked in {Path.cwd()})")
    size = written[1] / GIGABYTE
    if size > largest:
        raise TableError(
            "path",
            f"{path!r} has {size:.2f} GB, and reading it takes several times that memory; use "
            f"a sample of its rows, or raise largest from {largest:g}",
        )
    return _read(path, written, decimal)


@lru_cache(maxsize=1)
def _read(path: str, written: Stamp, decimal: str) -> pd.DataFrame:
    place = Path(path).expanduser()
    try:
        frame = _parquet(place) if place.suffix.lower() in PARQUET else _csv(place, decimal)
    except OSError as error:
        raise TableError("path", f"{path!r} cannot be read: {error}") from error
    if not len(frame):
        raise TableError("path", f"{path!r} has no rows")
    return frame


def _parquet(place: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(place)
    except ImportError as error:
        raise TableError(
            "path", "Parquet needs pyarrow: pip install 'fedbench-workbench[parquet]', or use CSV"
        ) from error
    except OSError:
        raise
    except Exception as error:  # pyarrow has many
        raise TableError("path", f"{str(place)!r} is not a Parquet file: {error}") from error


def _csv(place: Path, decimal: str) -> pd.DataFrame:
    import pandas as pd

    packed = "gzip" if place.suffix.lower() == ".gz" else None
    start = _start(place, packed)
    separator = _separator(start)
    _refuse_bad_names(next(csv.reader([start.partition("\n")[0]], delimiter=separator), []))
    try:
        # pandas would drop what no column stands above, and only warn
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            return pd.read_csv(
                place,
                sep=separator,
                encoding="utf-8-sig",
                compression=packed,
                skipinitialspace=True,
                keep_default_na=False,
                # an empty cell and the usual words for it; "None" may be a category
                na_values=["", "NA", "NaN", "nan", "N/A", "n/a", "NULL", "null", "?"],
                low_memory=False,
                decimal=decimal,
                index_col=False,
            )
    except UnicodeDecodeError:
        _not_utf8(place)
    except pd.errors.ParserWarning:
        raise TableError(
            "path",
            f"rows of {str(place)!r} have more cells than its first row has names; name every "
            "column, and take away separators at the ends of lines",
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError("path", f"{str(place)!r} is not a table: {error}") from error


def _start(place: Path, packed: str | None) -> str:
    import gzip

    with gzip.open(place) if packed else place.open("rb") as file:
        begin = file.read(SAMPLE)
    head = begin[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise TableError("path", f"{str(place)!r} is a web page, not a table")
    if not begin.strip():
        raise TableError("path", f"{str(place)!r} is empty")
    if b"\0" in begin:
        raise TableError("path", f"{str(place)!r} is not text; use a CSV or Parquet file")
    try:
        # the sample may end within a character
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(begin)
    except UnicodeDecodeError:
        _not_utf8(place)
    return text.lstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n")


def _not_utf8(place: Path) -> NoReturn:
    raise TableError("path", f"{str(place)!r} is not in UTF-8; save it so") from None


def _separator(start: str) -> str:
    line = start.partition("\n")[0]
    try:
        return csv.Sniffer().sniff(start[: start.rfind("\n") + 1] or start, SEPARATORS).delimiter
    except csv.Error:
        return max(SEPARATORS, key=line.count)


def _refuse_bad_names(names: list[str]) -> None:
    trimmed = [name.strip() for name in names]
    for name, count in Counter(trimmed).items():
        if count > 1:
            what = (
                f"{count} columns are called {name!r}" if name else f"{count} columns have no name"
            )
            raise TableError("path", f"{what}; every column needs its own name")
