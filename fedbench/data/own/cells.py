"""What the cells of a column hold: numbers, texts or times, and which of them do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench.data.own.reading import TableError

if TYPE_CHECKING:
    import pandas as pd

NUMERIC = 0.9  # of the cells of a column, from which on the others are mistakes
# Digits with marks: a decimal comma, thousands, or a percent sign.
MARKED = r"^[+-]?\d[\d.,'\u00a0 ]*[,'%\u00a0 ][\d.,'\u00a0 ]*%?$"
COMMA = r"^[+-]?\d+(?:\.\d{3})*,\d+$"
ISO = r"^\d{4}-\d{1,2}-\d{1,2}"
DOTTED = r"^\d{1,2}\.\d{1,2}\.\d{4}"
SLASHED = r"^(\d{1,2})/(\d{1,2})/\d{4}"
EXACT = 2**53  # whole numbers from which on floats skip some


def gaps(column: Any) -> NDArray[np.bool_]:
    """Return where a column has no value, bool[N]."""
    return np.asarray(column.isna(), dtype=bool)


def row_of(column: Any, wrong: NDArray[np.bool_]) -> int:
    """Return the first row that is wrong, counted from 1 below the names."""
    return int(column.index[int(np.flatnonzero(wrong)[0])]) + 1


def shown(value: Any) -> str:
    """Return a cell as one would type it, cut where it is long."""
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def is_number(column: pd.Series) -> bool:
    """Return whether every cell of a column is a number by its type."""
    import pandas as pd

    if pd.api.types.is_complex_dtype(column):
        return False
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def numbers(column: pd.Series) -> pd.Series:
    """Return a column as float64, NaN where a cell is missing or no number."""
    import pandas as pd

    parsed: Any = column if column.dtype == bool else pd.to_numeric(column, errors="coerce")
    return parsed.astype(np.float64)


def texts(column: pd.Series) -> pd.Series:
    """Return a column as text, whole numbers without a point; missing cells stay missing."""
    import pandas as pd

    if pd.api.types.is_float_dtype(column):
        present: Any = column.dropna()
        if (present % 1 == 0).all() and (abs(present) < EXACT).all():
            column = column.astype("Int64")
    return column.astype("string").str.strip()


def holds_numbers(column: pd.Series, name: str, setting: str) -> bool:
    """Return whether a column is to be read as numbers.

    Raises TableError at `setting` where most of it is, and some of it is not, or where numbers are
    written so that they would be taken for texts.
    """
    if is_number(column):
        return True
    present: Any = column.dropna()
    if not len(present):
        return False
    wrong = gaps(numbers(present))
    share = 1 - float(wrong.mean())
    if 1 > share >= NUMERIC:
        raise TableError(
            setting,
            f"{name!r} holds numbers but {shown(present[wrong].iloc[0])} in row "
            f"{row_of(present, wrong)} ({np.count_nonzero(wrong)} such cells); correct or "
            "empty them, or add the column to ignore",
        )
    if share < 1:
        _refuse_marks(texts(present), name, setting)
    return share == 1


def _refuse_marks(present: Any, name: str, setting: str) -> None:
    marked = np.asarray(present.str.match(MARKED), dtype=bool)
    if marked.mean() < NUMERIC:
        return
    comma = np.asarray(present.str.match(COMMA), dtype=bool)
    remedy = "set decimal=','" if comma.mean() >= NUMERIC else "write them as in 1234.5"
    raise TableError(
        "decimal" if comma.mean() >= NUMERIC else setting,
        f"{name!r} holds numbers that are written as in {shown(present[marked].iloc[0])}; "
        f"{remedy}, or add the column to ignore",
    )


def is_date(column: pd.Series) -> bool:
    """Return whether the first cells of a column look like dates."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    first: Any = column.dropna().head(20).astype(str)
    return len(first) > 0 and bool(first.str.match("|".join((ISO, DOTTED, SLASHED))).all())


def moments(column: Any, name: str) -> NDArray[np.float64]:
    """Return numbers as they are, and dates as seconds.

    Dates are ISO's, or with dots and the day first, or with slashes where it can be told which is
    the day. Raises TableError for a cell that is none, or a column that could be either.
    """
    import pandas as pd

    if is_number(column):
        found = numbers(column).to_numpy()
        bad = ~np.isfinite(found)
    else:
        when = pd.to_datetime(column, errors="coerce", utc=True, **_written(column, name))
        bad = gaps(when)
        found = when.to_numpy(dtype="datetime64[ns]").astype(np.int64) / 1e9
    if bad.any():
        raise TableError(
            "time",
            f"{name!r} is {shown(column[bad].iloc[0])} in row {row_of(column, bad)}, which is "
            f"not a time ({np.count_nonzero(bad)} such rows); write numbers, or dates as in "
            "2024-01-31",
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
        raise TableError(
            "time",
            f"{name!r} holds dates as in {shown(present.iloc[0])}, where day and month are "
            "ambiguous; write them as in 2024-01-31",
        )
    return {"dayfirst": bool(first > 12), "format": "mixed"}
