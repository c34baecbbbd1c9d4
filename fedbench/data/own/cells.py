"""What the cells of a column hold: numbers, texts or times, and which of them are missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench.data.own.doubts import Doubt, TableError

if TYPE_CHECKING:
    import pandas as pd

# Texts that mean a missing cell whatever else is in a column.
MISSING_WORDS = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NULL", "null", "?")
)
MOSTLY = 0.5  # of the cells, from which on a notation is that of the column
# Numbers with other marks than those that were named, a sign of unit or currency, or a bound.
COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
GROUPED = re.compile(r"[+-]?\d{1,3}([,.' \u00a0\u202f])\d{3}(\1\d{3})*([.,]\d+)?")
SIGNED = re.compile(
    r"[<>≤≥~≈]?=?\s*[$€£¥]?\s*[+-]?\d[\d.,' \u00a0\u202f]*([eE][+-]?\d+)?"
    r"\s*[^\W\d_]{0,4}[%°$€£¥+*]?"
)
ZEROS = re.compile(r"[+-]?0\d+")
DATES = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}\.\d{1,2}\.\d{2,4}|\d{1,2}[-/]\d{1,2}[-/]\d{2,4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
DOTTED = r"^\d{1,2}\.\d{1,2}\.\d{4}"
SLASHED = r"^(\d{1,2})/(\d{1,2})/\d{4}"
EXACT = 2**53  # whole numbers from which on floats skip some
LOOKED = 1000  # cells by which dates are known


@dataclass(frozen=True)
class Notation:
    """How numbers and missing cells are written.

    `missing` are texts, or "column=text" for one column alone, besides `MISSING_WORDS`.
    """

    decimal: str = "."
    thousands: str = ""
    missing: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that are named in `missing`."""
        return tuple(each.partition("=")[0].strip() for each in self.missing if of_a_column(each))

    def number(self) -> re.Pattern[str]:
        """Return what a number looks like; groups of digits are whole or not there."""
        mark, point = self.thousands, re.escape(self.decimal)
        group = "[ \u00a0\u202f]" if mark == " " else re.escape(mark)
        whole = rf"(\d+|\d{{1,3}}({group}\d{{3}})+)" if mark else r"\d+"
        return re.compile(rf"[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?")

    def values(self, texts: list[str]) -> NDArray[np.float64]:
        """Return texts as numbers, NaN where one is none."""
        import pandas as pd

        if self.decimal == "." and not self.thousands:
            plain: Any = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
            return plain.astype(np.float64).to_numpy()
        pattern, drop = self.number(), {ord(self.decimal): "."}
        if self.thousands:
            drop |= {ord(mark): None for mark in self.thousands.replace(" ", " \u00a0\u202f")}
        return np.array(
            [float(t.translate(drop)) if pattern.fullmatch(t) else np.nan for t in texts],
            dtype=np.float64,
        )


PLAIN = Notation()


def cleaned(frame: pd.DataFrame, notation: Notation) -> tuple[pd.DataFrame, tuple[Doubt, ...]]:
    """Return a table whose missing cells are missing and whose numbers are numbers.

    What was read as missing is said, by column and count. Texts with leading zeros stay texts.
    """
    names = [str(name).strip() for name in frame.columns]
    frame = frame.set_axis(names, axis=1).reset_index(drop=True)
    if len(set(names)) < len(names):
        return frame, ()  # which is refused when the table is looked at
    doubts, changed = [], {}
    for name in names:
        before = frame[name]
        column, found = _cleaned(before, name, notation)
        if column is not before:
            changed[name] = column
        if found:
            count, words = sum(found.values()), ", ".join(map(repr, sorted(found)[:5]))
            doubts.append(Doubt(f"{name!r}: {count:,} cells that say {words} are read as missing"))
    return (frame.assign(**changed) if changed else frame), tuple(doubts)


def _cleaned(column: Any, name: str, notation: Notation) -> tuple[Any, dict[str, int]]:
    import pandas as pd

    own = [each.partition("=")[2].strip() for each in notation.missing if _of(each, name)]
    words = {each.strip() for each in notation.missing if not of_a_column(each)} | {*own}
    if is_number(column):
        wanted = notation.values([*words]) if words else np.empty(0)
        hit = column.isin(wanted[~np.isnan(wanted)]).to_numpy()
        if not hit.any() or column.dtype == bool:
            return column, {}
        counts = {f"{value:g}": int((column == value).sum()) for value in wanted}
        return column.astype(np.float64).mask(hit), {k: n for k, n in counts.items() if n}
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        return column, {}
    codes, uniques = pd.factorize(column)  # missing cells have the code -1
    texts = ["" if each is None else str(each).strip() for each in uniques]
    gone = np.array([text in MISSING_WORDS or text in words for text in texts], dtype=bool)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    found: dict[str, int] = {}
    for k in np.flatnonzero(gone):
        if texts[k]:
            found[texts[k]] = found.get(texts[k], 0) + int(counts[k])
    rest = [text for text, drop in zip(texts, gone, strict=True) if not drop]
    if rest and not any(map(ZEROS.fullmatch, rest)):
        values = np.full(len(texts) + 1, np.nan)
        values[:-1][~gone] = notation.values(rest)
        if not np.isnan(values[:-1][~gone]).any():
            return pd.Series(values[codes], index=column.index), found
    if not gone.any() and all(
        isinstance(each, str) and each == text for each, text in zip(uniques, texts, strict=True)
    ):
        return column, found
    kept: Any = pd.array([*texts, ""], dtype="string")
    kept[np.append(gone, True)] = pd.NA
    return pd.Series(kept.take(codes), index=column.index), found


def of_a_column(word: str) -> bool:
    """Return whether a missing text is `column=text`."""
    return "=" in word.strip().strip("=")


def _of(word: str, name: str) -> bool:
    return of_a_column(word) and word.partition("=")[0].strip() == name


def gaps(column: Any) -> NDArray[np.bool_]:
    """Return where a column has no value, bool[N]."""
    return np.asarray(column.isna(), dtype=bool)


def row_of(column: Any, wrong: NDArray[np.bool_]) -> int:
    """Return the first row that is wrong, counted from 1 below the names."""
    return int(column.index[int(np.flatnonzero(wrong)[0])]) + 1


def shown(value: Any) -> str:
    """Return a cell as one would type it, cut where it is long."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        value = int(value)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def is_number(column: pd.Series) -> bool:
    """Return whether every cell of a column is a number by its type."""
    import pandas as pd

    if pd.api.types.is_complex_dtype(column):
        return False
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def numbers(column: pd.Series, notation: Notation = PLAIN) -> NDArray[np.float64]:
    """Return a column as float64[N], NaN where a cell is missing or no number."""
    import pandas as pd

    if is_number(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    codes, uniques = pd.factorize(texts(column))
    return np.append(notation.values([str(each) for each in uniques]), np.nan)[codes]


def texts(column: pd.Series) -> pd.Series:
    """Return a column as text, whole numbers without a point; missing cells stay missing."""
    import pandas as pd

    if pd.api.types.is_float_dtype(column):
        present: Any = column.dropna()
        if (present % 1 == 0).all() and (abs(present) < EXACT).all():
            column = column.astype("Int64")
    return column.astype("string").str.strip()


def is_date(column: pd.Series) -> bool:
    """Return whether most of the first cells of a column look like dates."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if is_number(column):
        return False
    first: Any = column.dropna().head(LOOKED).astype(str).str.strip()
    return len(first) > 0 and sum(bool(DATES.match(each)) for each in first) > MOSTLY * len(first)


def moments(column: Any, name: str) -> NDArray[np.float64]:
    """Return numbers as they are, and dates as seconds.

    Dates are ISO's, or with dots and the day first, or with slashes where it is clear which is the
    day. Raises TableError for a cell that is none, or a column that could be either.
    """
    import pandas as pd

    if is_number(column):
        found = numbers(column)
        bad = ~np.isfinite(found)
    else:
        try:
            when = pd.to_datetime(column, errors="coerce", utc=True, **_written(column, name))
        except TableError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise TableError(
                "time", f"{name!r} holds no dates that can be read; write them as in 2024-01-31"
            ) from error
        bad = gaps(when)
        # microseconds hold every year that a date can have
        found = when.to_numpy(dtype="datetime64[us]").astype(np.int64) / 1e6
    if bad.any():
        cell = shown(column[bad].iloc[0])
        raise TableError(
            "time",
            f"{name!r} is {cell} in row {row_of(column, bad)}, which is not a "
            f"time ({np.count_nonzero(bad)} such rows); write numbers, or dates as in 2024-01-31",
            cell,
        )
    if (found == found[0]).all():
        raise TableError("time", f"{name!r} is the same in every row: no rows are the latest")
    return found


def _written(column: Any, name: str) -> dict[str, Any]:
    """Return how the dates of a column are to be read."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return {}
    present = column.dropna().astype(str)
    if present.str.match(DOTTED).all():
        return {"dayfirst": True, "format": "mixed"}
    parts = present.str.extract(SLASHED)
    if parts.isna().any(axis=None):
        return {"format": "ISO8601"}
    first, second = (parts[k].astype(int).max() for k in (0, 1))
    if first <= 12 and second <= 12:
        cell = shown(present.iloc[0])
        raise TableError(
            "time",
            f"{name!r} holds dates as in {cell}, where day and month are "
            "ambiguous; write them as in 2024-01-31",
            cell,
        )
    return {"dayfirst": bool(first > 12), "format": "mixed"}
