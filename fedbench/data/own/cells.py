"""What the cells of a column hold: numbers, texts or times, and which of them are missing."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan
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
# Texts, in lower case, that may mean one: a class, a holder or a category can be called so too.
DOUBTFUL_WORDS = frozenset(
    (
        *("-", "--", "---", "–", "—", "_", ".", "..", "...", "…", "*", "??", "???", "#", "()"),
        *("na", "n/a", "n.a.", "n.a", "n. a.", "n/d", "n.d.", "n.d", "nd", "nan", "null", "nil"),
        *("none", "unk", "unknown", "not known", "missing", "blank", "(blank)", "empty"),
        *("undefined", "undetermined", "unspecified", "not available", "not applicable"),
        *("not recorded", "not specified", "not stated", "not given", "not reported", "no data"),
        *("no answer", "no value", "#ref!", "#value!", "#div/0!", "#null!", "#name?", "#num!"),
        *("k.a.", "k. a.", "keine angabe", "unbekannt", "fehlt", "inconnu", "desconocido"),
    )
)
MOSTLY = 0.5  # of the cells, from which on a notation is that of the column
# Numbers with other marks than those that were named, a unit, a currency, a bound or a divisor.
COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
SPACES = " \u00a0\u2007\u2009\u202f"
GROUPED = re.compile(rf"[+-]?\d{{1,3}}([,.'{SPACES}])\d{{3}}(\1\d{{3}})*([.,]\d+)?")
BESIDE = r"(USD|EUR|GBP|CHF|Rs\.?|[$€£¥₹])?"
NUMERAL = rf"[+-]?\s*\d[\d.,'{SPACES}]*([eE][+-]?\d+)?"
SIGNED = re.compile(
    rf"[<>≤≥~≈±]?=?\s*\(?{BESIDE}\s*{NUMERAL}\s*[%°]?[^\W\d_]{{0,4}}[%°$€£¥₹+*-]?\)?"
)
RATIO = re.compile(r"\d+([.,]\d+)?(\s*[/:]\s*\d+([.,]\d+)?){1,2}\s*[^\W\d_]{0,4}")
MEASURED = re.compile(rf"{NUMERAL}(?P<unit>[^\d\s].{{0,19}})")
DASHES = dict.fromkeys(map(ord, "−‒–﹣－"), "-")  # before a number, they are a minus
BRACKETED = re.compile(rf"\(\s*((\d[\d.,'{SPACES}]*)?[\d.])\s*\)")  # a loss, in accounts
ZEROS = re.compile(r"[+-]?0\d+")
WHOLE = re.compile(r"[+-]?\d+")
FLOATS = re.compile(r"-?(0|[1-9]\d*)\.0")  # whole numbers, as floats are written
DATES = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}\.\d{1,2}\.\d{2,4}|\d{1,2}[-/]\d{1,2}[-/]\d{2,4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
DOTTED = r"^\d{1,2}\.\d{1,2}\.\d{4}"
SLASHED = r"^(\d{1,2})/(\d{1,2})/\d{4}"
EXACT = 2**53  # whole numbers from which on floats skip some
INT64, UINT64 = 2**63, 2**64
DIGITS = 400  # of a whole number that are read; a float has no more than 309
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
        group = f"[{SPACES}]" if mark == " " else re.escape(mark)
        whole = rf"(\d+|\d{{1,3}}({group}\d{{3}})+)" if mark else r"\d+"
        return re.compile(rf"[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?")

    def values(self, texts: list[str]) -> NDArray[np.float64]:
        """Return texts as numbers, NaN where one is none."""
        import pandas as pd

        texts = list(map(signed, texts))
        if self.decimal == "." and not self.thousands:
            plain: Any = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
            return plain.astype(np.float64).to_numpy()
        pattern = self.number()
        return np.array(
            [float(self.plain(t)) if pattern.fullmatch(t) else np.nan for t in texts],
            dtype=np.float64,
        )

    def plain(self, text: str) -> str:
        """Return a number as Python writes it: with a point, and no mark of thousands."""
        drop: dict[int, str | None] = {ord(self.decimal): "."}
        if self.thousands:
            drop |= {ord(mark): None for mark in self.thousands.replace(" ", SPACES)}
        return text.translate(drop)

    def named(self, word: str) -> float | None:
        """Return the number that a text names, in this notation or with a point; None for none."""
        word = signed(word)
        text = self.plain(word) if self.number().fullmatch(word) else word
        if WHOLE.fullmatch(text):
            return int(text[:DIGITS])
        with suppress(ValueError):
            return None if isnan(value := float(text)) else value
        return None

    def whole(self, texts: Sequence[str]) -> list[int] | None:
        """Return texts as whole numbers, exactly; None unless each is written with digits alone."""
        found = []
        for text in map(self.plain, map(signed, texts)):
            if not WHOLE.fullmatch(text):
                return None
            found.append(int(text[:DIGITS]))
        return found

    def are_codes(self, texts: Sequence[str]) -> bool:
        """Return whether digits are codes: with leading zeros, or more than any number has."""
        if any(map(ZEROS.fullmatch, map(signed, texts))):
            return True
        return any(inexact(number) for number in self.whole(texts) or ())


PLAIN = Notation()


def signed(text: str) -> str:
    """Return a text with a minus as it is typed, be it a dash or the brackets of accounts."""
    if text.isascii() and not text.startswith("("):
        return text
    if match := BRACKETED.fullmatch(text):
        return f"-{match[1]}"
    return text.translate(DASHES)


def marked(cells: Sequence[str]) -> list[str]:
    """Return those of some different texts that are numbers with something beside them.

    That is a short unit or sign, a divisor, or any words that come with several numbers.
    """
    plain = list(map(signed, cells))
    found = list(map(MEASURED.fullmatch, plain))
    units = Counter(match["unit"] for match in found if match)
    return [
        cell
        for cell, text, match in zip(cells, plain, found, strict=True)
        if SIGNED.fullmatch(text) or RATIO.fullmatch(text) or (match and units[match["unit"]] > 1)
    ]


def inexact(number: int) -> bool:
    """Return whether a whole number fits neither a float nor 64 bits."""
    try:
        return not -INT64 <= number < UINT64 and int(float(number)) != number
    except OverflowError:
        return True


@dataclass(frozen=True)
class Cleaned:
    """A table whose missing cells are missing and whose numbers are numbers, and what was odd.

    `nested` are columns whose cells hold several values each, which are shown as texts here.
    """

    frame: pd.DataFrame
    doubts: tuple[Doubt, ...] = ()
    nested: tuple[str, ...] = ()


def cleaned(frame: pd.DataFrame, notation: Notation, named: Collection[str] = ()) -> Cleaned:
    """Return a table whose missing cells are missing and whose numbers are numbers.

    What was read as missing is said, by column and count. Codes stay texts: digits with leading
    zeros, or more of them than a number has. So does each of the `named` columns, which say what
    something is called, unless its numbers give back the texts.
    """
    names, doubts = _names(frame.columns)
    frame = frame.set_axis(names, axis=1).reset_index(drop=True)
    if len(set(names)) < len(names):
        return Cleaned(frame)  # which is refused when the table is looked at
    changed, nested = {}, []
    for name in names:
        before: Any = frame[name]
        if holds_several(before):
            nested.append(name)
            changed[name] = before.astype(str)
            continue
        column, found = _cleaned(before, name, notation, name in named)
        if column is not before:
            changed[name] = column
            if is_number(column) and not is_number(before):
                doubts += negatives(name, before)
        if found:
            count, words = sum(found.values()), ", ".join(map(repr, sorted(found)[:5]))
            doubts.append(Doubt(f"{name!r}: {count:,} cells that say {words} are read as missing"))
        if before.dtype.kind == "m":
            doubts.append(Doubt(f"{name!r} holds durations, which are read as seconds"))
    frame = frame.assign(**changed) if changed else frame
    return Cleaned(frame, tuple(doubts), tuple(nested))


def negatives(name: str, column: Any) -> list[Doubt]:
    """Return a doubt where numbers in brackets are read as negative."""
    present = texts(column).dropna()
    losses: Any = present[present.str.fullmatch(BRACKETED.pattern)]
    if not len(losses):
        return []
    cell = shown(losses.iloc[0])
    return [
        Doubt(
            f"{name!r}: {len(losses):,} numbers in brackets, such as {cell}, are read as negative, "
            f"as in accounts; pass categories=({name!r},) to read the column as texts",
            (cell,),
        )
    ]


def _names(columns: Any) -> tuple[list[str], list[Doubt]]:
    """Return what the columns are called; one without a name is called by its place."""
    import pandas as pd

    absent = [k for k, name in enumerate(columns) if np.ndim(name) == 0 and pd.isna(name)]
    if len(absent) > 1:
        raise TableError(
            "path", f"{len(absent)} columns have no name; every column needs its own name"
        )
    names = [str(name).strip() for name in columns]
    doubts = []
    for k in absent:
        names[k] = f"column {k + 1}"
        doubts.append(Doubt(f"a column without a name is called {names[k]!r}"))
    return names, doubts


def holds_several(column: Any) -> bool:
    """Return whether a cell holds several values, as a list does."""
    import pandas as pd

    kind = column.dtype
    if isinstance(kind, pd.ArrowDtype):
        return any(word in str(kind) for word in ("list<", "struct<", "map<"))
    if not isinstance(kind, np.dtype) or kind.kind != "O":
        return False
    try:
        set(column.to_numpy())
    except TypeError:  # what can change cannot be compared, such as a list
        return True
    return False


def _cleaned(column: Any, name: str, notation: Notation, named: bool) -> tuple[Any, dict[str, int]]:
    import pandas as pd

    own = [each.partition("=")[2].strip() for each in notation.missing if _of(each, name)]
    words = {each.strip() for each in notation.missing if not of_a_column(each)} | {*own}
    if column.dtype.kind == "m":
        column = column.dt.total_seconds()
    if is_number(column):
        return _without(column, words, notation)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_complex_dtype(column):
        return column, {}
    codes, uniques = pd.factorize(column)  # missing cells have the code -1
    texts = ["" if each is None else str(each).strip() for each in uniques]
    sought = {notation.named(word) for word in words} - {None}
    gone = np.array(
        [
            text in MISSING_WORDS
            or text in words
            # a number is the same however it is written, and a code is not
            or (bool(sought) and not ZEROS.fullmatch(text) and notation.named(text) in sought)
            for text in texts
        ],
        dtype=bool,
    )
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    found: dict[str, int] = {}
    for k in np.flatnonzero(gone):
        if texts[k]:
            found[texts[k]] = found.get(texts[k], 0) + int(counts[k])
    rest = [text for text, drop in zip(texts, gone, strict=True) if not drop]
    if (values := _as_numbers(rest, notation, named)) is not None:
        places = np.full(len(texts) + 1, -1)  # the last one is that of missing cells
        places[:-1][~gone] = np.arange(len(rest))
        taken = values.take(places[codes], allow_fill=True)
        return pd.Series(taken, index=column.index), found
    if not gone.any() and all(
        isinstance(each, str) and each == text for each, text in zip(uniques, texts, strict=True)
    ):
        return column, found
    kept: Any = pd.array([*texts, ""], dtype="string")
    kept[np.append(gone, True)] = pd.NA
    return pd.Series(kept.take(codes), index=column.index), found


def _as_numbers(rest: list[str], notation: Notation, named: bool) -> Any:
    """Return different texts as an array of numbers; None where one is none, or they are codes."""
    import pandas as pd

    if not rest or notation.are_codes(rest):
        return None
    values: Any = notation.values(rest)
    if np.isnan(values).any():
        return None
    values = pd.Series(values)
    whole = notation.whole(rest)
    if whole is not None and max(map(abs, whole)) >= EXACT:  # a float would round them
        low, high = min(whole), max(whole)
        if low >= -INT64 and high < INT64:
            values = pd.Series(whole, dtype="Int64")
        elif low >= 0 and high < UINT64:
            values = pd.Series(whole, dtype="UInt64")
    if named and texts(values).tolist() != rest and not all(map(FLOATS.fullmatch, rest)):
        return None
    return values.array


def _without(column: Any, words: set[str], notation: Notation) -> tuple[Any, dict[str, int]]:
    """Return a column of numbers in which those that `words` name are missing."""
    named = {notation.named(word) for word in words}
    sought: list[Any] = sorted(value for value in named if value is not None)
    if column.dtype.kind in "iu":  # of which a float may be a neighbour
        near = (value for value in sought if -INT64 <= value < UINT64)
        sought = [int(value) for value in near if value == int(value)]
    else:
        sought = [float(value) for value in sought if abs(value) <= sys.float_info.max]
    if not sought or column.dtype == bool:
        return column, {}
    hit = column.isin(sought).to_numpy(bool)
    if not hit.any():
        return column, {}
    counts = [(value, int((column == value).sum())) for value in sought]
    found = {written(value): count for value, count in counts if count}
    if column.dtype.kind in "iu" and (abs(column) >= EXACT).any():  # a float would round them
        return column.astype("Int64" if column.max() < INT64 else "UInt64").mask(hit), found
    return column.astype(np.float64).mask(hit), found


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


def written(value: float) -> str:
    """Return a number with all its digits, a whole one without a point."""
    return str(int(value)) if float(value).is_integer() and abs(value) < EXACT else str(value)


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
