"""Files of tables: what they are, by their first bytes, and their cells as they are written."""

from __future__ import annotations

import csv
import gzip
import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fedbench.data.own import encodings
from fedbench.data.own.cells import EXACT, WHOLE, ZEROS
from fedbench.data.own.doubts import Doubt, TableError
from fedbench.data.own.layout import Layout, Separator, layout, looks_like_data, refuse_bad_names

if TYPE_CHECKING:
    import pandas as pd

GIGABYTE = 1e9
SAMPLE = 2**17  # bytes by which a text is judged
SPARE = "\0"  # begins the name of a column that has none
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
CHUNK = 1 << 24  # bytes that are looked through at once
SURE = 15  # digits that any float has


@dataclass(frozen=True)
class How:
    """How a file is to be read; what is "auto", None or empty is found out."""

    encoding: str = "auto"
    separator: Separator = "auto"
    header: bool | None = None
    sheet: str = ""
    decimal: str = "."
    largest: float = 1.0


Found = tuple["pd.DataFrame", tuple[Doubt, ...]]


@dataclass(frozen=True)
class File:
    """A table as it stands in a file, and what should be known of how it was read.

    In a text file `texts` reads columns again as they are written, and `signed` says that the sign
    or zeros at the beginning of a whole number are lost in the columns of numbers.
    """

    frame: pd.DataFrame
    doubts: tuple[Doubt, ...] = ()
    texts: Callable[[Sequence[str]], pd.DataFrame] | None = None
    signed: bool = False

    def as_written(self, named: Collection[str]) -> pd.DataFrame:
        """Return the table with the `named` columns as texts where numbers do not tell these."""
        if self.texts is None:
            return self.frame
        lost = [
            name
            for name, kind in self.frame.dtypes.items()
            if name in named and (kind.kind in "fb" or (kind.kind in "iu" and self.signed))
        ]
        return self.frame.assign(**self.texts(lost)) if lost else self.frame


def load(place: Path, how: How) -> File:
    """Return the table in a file and what should be known of how it was read.

    Raises TableError that names the setting at fault, OSError where the file cannot be read.
    """
    with place.open("rb") as file:
        start = file.read(8)
    if start[:4] == b"PAR1":
        return File(_parquet(place))
    if start[:4] == ZIP and _is_excel(place, how):
        return File(*_excel(place, how))
    if start[:4] == ZIP or start[:2] == GZIP:
        return _text(place, _unpacked(place, how), how)
    if start == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise TableError(
            "path", f"{place.name!r} is an old Excel file (.xls); save it as .xlsx or CSV"
        )
    if place.suffix.lower() in (".parquet", ".pq", ".xlsx"):
        kind = "an Excel" if place.suffix.lower() == ".xlsx" else "a Parquet"
        raise TableError("path", f"{str(place)!r} is not {kind} file")
    return _text(place, None, how)


def _is_excel(place: Path, how: How) -> bool:
    with _archive(place) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            return False
        _refuse_large(place, sum(each.file_size for each in archive.infolist()), how)
        return True


def _unpacked(place: Path, how: How) -> bytes | None:
    """Return what is packed in a file, None where nothing is."""
    with place.open("rb") as file:
        start = file.read(4)
    if start[:2] == GZIP:
        return _unzipped(place, how)
    if start != ZIP:
        return None
    with _archive(place) as archive:
        return _member(place, archive, how)


def _parquet(place: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(place)
    except ImportError as error:
        raise TableError(
            "path", "Parquet needs pyarrow: pip install 'fedbench-workbench[parquet]', or use CSV"
        ) from error
    except Exception as error:  # pyarrow has many
        raise TableError(
            "path", f"{str(place)!r} is not a Parquet file, or it is damaged; write it again"
        ) from error


def _excel(place: Path, how: How) -> Found:
    import pandas as pd

    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise TableError(
            "path", "Excel needs openpyxl: pip install 'fedbench-workbench[excel]', or use CSV"
        ) from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of styles, which are of no use here
            book = load_workbook(place, read_only=True, data_only=True)
            sheets = {each.title: _cells(each) for each in book.worksheets}
            book.close()
    except Exception as error:  # of a damaged file nearly anything
        raise TableError(
            "path", f"{str(place)!r} cannot be read as an Excel file; save it again, or as CSV"
        ) from error
    filled = [name for name, rows in sheets.items() if rows]
    if how.sheet and how.sheet not in sheets:
        known = ", ".join(map(repr, sheets))
        raise TableError("sheet", f"there is no sheet {how.sheet!r}; there are {known}")
    if not how.sheet and len(filled) > 1:
        known = ", ".join(map(repr, filled))
        raise TableError("sheet", f"{place.name!r} has several sheets; choose one of {known}")
    rows = sheets[how.sheet] if how.sheet else sheets[filled[0]] if filled else []
    if not rows:
        raise TableError("path", f"{str(place)!r} is empty")
    width = max(map(len, rows))
    rows = [[*row, *[None] * (width - len(row))] for row in rows]
    first = ["" if cell is None else str(cell).strip() for cell in rows[0]]
    shown = [["" if cell is None else str(cell) for cell in row] for row in rows[1:200]]
    if how.header is None and looks_like_data(first, shown):
        raise TableError(
            "header",
            f"the first row of {place.name!r} looks like data; pass header=False if no row names "
            "the columns, header=True if it is the names",
        )
    if how.header is False:
        first = [f"column {k + 1}" for k in range(width)]
    refuse_bad_names(name for name in first if name)
    names = _spare(first)
    frame = pd.DataFrame(rows[how.header is not False :], columns=names, dtype=object)
    return _named(frame.infer_objects())


def _cells(sheet: Any) -> list[list[Any]]:
    """Return the rows of a sheet that hold anything, each up to its last cell."""
    rows = []
    for row in sheet.iter_rows(values_only=True):
        cells = list(row)
        while cells and cells[-1] in (None, ""):
            cells.pop()
        if cells:
            rows.append(cells)
    return rows


def _text(place: Path, content: bytes | None, how: How) -> File:
    """Return the table in a text file, or in `content` if it was packed."""
    start = _start(place, content)
    known = encodings.found(str(place), start) if how.encoding == "auto" else (how.encoding, None)
    try:
        return _split(place, content, start, *known, how)
    except UnicodeError as error:
        if how.encoding != "auto" or not known[0].startswith("utf-8"):
            raise TableError(
                "encoding", f"{str(place)!r} is not in {known[0]}; choose another encoding"
            ) from error
    # the start is ASCII, and further on there are letters
    whole = place.read_bytes() if content is None else content
    letters = b"\n".join(line for line in whole.splitlines() if not line.isascii())[:SAMPLE]
    return _split(place, content, start, *encodings.legacy(str(place), letters), how)


def _start(place: Path, content: bytes | None) -> bytes:
    if content is None:
        with place.open("rb") as file:
            start = file.read(SAMPLE)
    else:
        start = content[:SAMPLE]
    if start[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise TableError("path", f"{str(place)!r} is a web page, not a table")
    if start.startswith(b"%PDF"):
        raise TableError("path", f"{str(place)!r} is a PDF, not a table; export it as CSV or Excel")
    if not start.strip(b" \r\n\t\0\xef\xbb\xbf\xff\xfe"):
        raise TableError("path", f"{str(place)!r} is empty")
    return start


def _split(
    place: Path, content: bytes | None, start: bytes, encoding: str, doubt: Doubt | None, how: How
) -> File:
    import pandas as pd

    sample = _lines(start, encoding)
    found = layout(str(place), sample, how.separator, how.header)
    refuse_bad_names(name for name in found.names if name)
    names = _spare([*found.names, *[""] * max(0, found.surplus)])

    def cells(content: bytes | None, **more: Any) -> Any:
        return pd.read_csv(
            place if content is None else io.BytesIO(content),
            sep=found.separator,
            encoding=encoding,
            compression=None,
            skipinitialspace=True,
            skiprows=found.skipped,
            header=0 if found.header else None,
            names=names,
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
            decimal=how.decimal,
            index_col=False,
            **more,
        )

    try:
        # pandas would drop what no column stands above, and only warn
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = cells(content)
    except pd.errors.ParserWarning:
        _too_long(place)
    except pd.errors.EmptyDataError:
        raise TableError("path", f"{str(place)!r} has no rows") from None
    except pd.errors.ParserError as error:
        _no_table(place, error)
    beyond: Any = frame[names[len(found.names) :]]
    surplus = beyond.notna().to_numpy().any(axis=1)
    if surplus.any():
        _too_long(place, int(surplus.argmax()) + 1 + found.header)
    ragged = frame.iloc[:, len(found.names) - 1].isna().any()
    line = _short_row(place, content, encoding, found) if ragged else 0
    frame, doubts = _named(frame)
    rows = len(frame)

    def texts(wanted: Sequence[str]) -> pd.DataFrame:
        origin = {name: _called(name) for name in names if _called(name) in wanted}
        read = cells(_unpacked(place, how), usecols=list(origin), dtype="string")
        if len(read) != rows:
            raise TableError("path", f"{str(place)!r} changed while it was read; read it again")
        return read.rename(columns=origin)

    signed = _signed(_chunks(place, content, encoding), found.separator)
    numbers = [name for name in frame.columns if _may_be_codes(frame[name], signed)]
    if numbers:
        read = texts(numbers)
        codes = [name for name in numbers if _are_codes(read[name].dropna().unique())]
        frame = frame.assign(**read[codes])
    said = [doubt] if doubt else []
    if line:
        said.append(
            Doubt(
                "some rows have fewer cells than there are columns, and the others are read as "
                f"missing; the first such row ends in line {line}"
            )
        )
    return File(frame, (*said, *doubts), texts, signed)


def _lines(start: bytes, encoding: str) -> str:
    """Return the whole lines of a sample, with \\n at their ends."""
    import codecs

    text = codecs.getincrementaldecoder(encoding)().decode(start)
    text = text.lstrip("\ufeff\r\n").replace("\r\n", "\n").replace("\r", "\n")
    return text[: text.rfind("\n") + 1] if len(start) == SAMPLE and "\n" in text else text


def _spare(names: Any) -> list[str]:
    """Return the names, and one to be replaced for each column that has none."""
    return [name or f"{SPARE}{k}" for k, name in enumerate(names)]


def _named(frame: pd.DataFrame) -> Found:
    """Leave out empty columns without a name, and name the one that is left of them."""
    unnamed = [name for name in frame.columns if str(name).startswith(SPARE)]
    empty = [name for name in unnamed if bool(np.all(frame[name].isna()))]
    frame = frame.drop(columns=empty)
    refuse_bad_names("" if str(name).startswith(SPARE) else str(name) for name in frame.columns)
    left = {name: _called(name) for name in unnamed if name not in empty}
    frame = frame.rename(columns=left)
    doubts = []
    if empty:
        doubts.append(Doubt(f"{len(empty)} empty columns without a name are left out"))
    for name in left.values():
        doubts.append(Doubt(f"a column without a name is called {name!r}"))
    return frame, tuple(doubts)


def _called(name: str) -> str:
    """Return what a column is called, by its place if it has no name."""
    return f"column {int(name[1:]) + 1}" if name.startswith(SPARE) else name


def _may_be_codes(column: Any, signed: bool) -> bool:
    """Return whether digits may have been lost of a column that was read as numbers."""
    if column.dtype.kind in "iu":
        return signed
    if column.dtype.kind != "f":
        return False
    present = column.to_numpy()
    present = present[~np.isnan(present)]
    if not signed and not (np.abs(present) >= EXACT).any():
        return False
    return bool((np.isfinite(present) & (present == np.floor(present))).all())


def _are_codes(texts: Any) -> bool:
    """Return whether some texts have leading zeros, or all are whole and some of many digits."""
    if any(map(ZEROS.fullmatch, texts)):
        return True
    return all(map(WHOLE.fullmatch, texts)) and any(len(text) > SURE for text in texts)


def _chunks(place: Path, content: bytes | None, encoding: str) -> Iterator[bytes]:
    """Return the text in parts, in an encoding in which ASCII is what it is."""
    with place.open("rb") if content is None else io.BytesIO(content) as file:
        if encoding.startswith(("utf-16", "utf-32")):
            text = io.TextIOWrapper(file, encoding=encoding, newline="")
            while letters := text.read(CHUNK):
                yield letters.encode(errors="replace")
            return
        while part := file.read(CHUNK):
            yield part


def _signed(parts: Iterator[bytes], separator: str) -> bool:
    """Return whether a cell begins with a plus sign or zeros before other digits."""
    blank, signs = np.frombuffer(b" ", np.uint8), np.frombuffer(b"+-", np.uint8)
    marks = separator.encode() if len(separator) == 1 else b" \t"
    ends = np.frombuffer(marks + b'"\n\r', np.uint8)
    before = b"\n" * 4
    for part in parts:
        text = np.frombuffer(before + part, np.uint8)
        before = text[-4:].tobytes()
        digit = (text >= ord("0")) & (text <= ord("9"))
        at = np.flatnonzero(((text[:-1] == ord("0")) | (text[:-1] == ord("+"))) & digit[1:])
        at = at[at >= 3]
        at -= np.isin(text[at - 1], signs)
        if np.isin(text[at - 1], ends).any():
            return True
        at = at[np.isin(text[at - 1], blank)] - 1
        if np.isin(text[at - 1], ends).any():
            return True
    return False


def _short_row(place: Path, content: bytes | None, encoding: str, found: Layout) -> int:
    """Return the first line of a row that has fewer cells than there are names, 0 for none."""
    file: Any = io.BytesIO(content) if content is not None else place.open("rb")
    with io.TextIOWrapper(file, encoding=encoding, newline="") as lines:
        for _ in range(found.skipped):
            next(lines)
        if len(found.separator) > 1:  # blanks
            rows: Any = enumerate((line.split() for line in lines), start=1)
        else:
            reader = csv.reader(lines, delimiter=found.separator, skipinitialspace=True)
            rows = ((reader.line_num, row) for row in reader)
        with suppress(csv.Error):
            for line, row in rows:
                if row and len(row) < len(found.names):
                    return line + found.skipped
    return 0


def _too_long(place: Path, row: int = 0) -> NoReturn:
    where = f" (the first in line {row})" if row else ""
    raise TableError(
        "path",
        f"rows of {str(place)!r} have more cells than its first row has names{where}; name every "
        "column, and take away separators at the ends of lines",
    ) from None


def _no_table(place: Path, error: Exception) -> NoReturn:
    if numbers := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error)):
        columns, line, cells = numbers.groups()
        why = f"line {line} has {cells} cells and there are {columns} columns; correct that line"
    elif "EOF inside string" in str(error):
        why = "a quotation mark is opened and never closed; correct or delete it"
    else:
        why = "its lines cannot be split into cells; name the separator and encoding"
    raise TableError("path", f"{str(place)!r} is not a table: {why}") from error


def _refuse_large(place: Path, size: int, how: How) -> None:
    if size > how.largest * GIGABYTE:
        raise TableError(
            "path",
            f"{str(place)!r} has {size / GIGABYTE:.2f} GB once it is unpacked; take a sample of "
            f"its rows, or raise largest from {how.largest:g}",
        )


def _unzipped(place: Path, how: How) -> bytes:
    most = int(how.largest * GIGABYTE)
    try:
        with gzip.open(place) as file:
            content = file.read(most + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TableError("path", f"{str(place)!r} is damaged and cannot be unpacked") from error
    _refuse_large(place, len(content), how)
    return content


def _archive(place: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(place)
    except zipfile.BadZipFile as error:
        raise TableError("path", f"{str(place)!r} is damaged and cannot be unpacked") from error


def _member(place: Path, archive: zipfile.ZipFile, how: How) -> bytes:
    inside = [
        each
        for each in archive.infolist()
        if not each.is_dir() and not each.filename.startswith(("__MACOSX", "."))
    ]
    if len(inside) != 1:
        raise TableError(
            "path", f"{str(place)!r} holds {len(inside)} files; unpack it and name one of them"
        )
    _refuse_large(place, inside[0].file_size, how)
    try:
        with archive.open(inside[0]) as file:
            return file.read(int(how.largest * GIGABYTE) + 1)
    except Exception as error:  # damaged or encrypted: of many kinds
        raise TableError(
            "path", f"{str(place)!r} cannot be unpacked; unpack it yourself"
        ) from error
