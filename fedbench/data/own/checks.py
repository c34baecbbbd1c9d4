"""What is odd about the columns of a table: far values, codes, copies, answers given away."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Task
from fedbench.data.own.cells import (
    DIGITS,
    DOUBTFUL_WORDS,
    WHOLE,
    Notation,
    is_number,
    numbers,
    shown,
    texts,
    written,
)
from fedbench.data.own.doubts import Doubt

FAR = 10.0  # standard deviations from the median, those of the middle half
FAR_LOGS = 6.0  # the same of logarithms, for columns that are never negative
STAND_INS = (0, -1, -9, -99, -999, -9999, 99, 999, 9999, 99999)  # written for a missing number
# Times that are written for a missing one: numbers and days, these as days since 1970.
TIME_STAND_INS = {*STAND_INS, 1900, 2099, 2999, 19000101, 19700101, 20991231, 29991231, 99991231}
DATE_STAND_INS = {
    date.fromisoformat(each).toordinal() - date(1970, 1, 1).toordinal()
    for each in (
        *("0001-01-01", "1111-11-11", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01"),
        *("1901-01-01", "1970-01-01", "2099-12-31", "2100-01-01", "2222-02-22", "2999-12-31"),
        *("3000-01-01", "9999-01-01", "9999-09-09", "9999-12-31"),
    )
}
DAY = 86_400  # seconds
LONE_TIMES = 3.0  # spans of all others, from which on a gap between times is said
APART = 0.5  # standard deviations between such a number and the nearest other
NORMAL_IQR = 1.349  # quartile range of a normal distribution, in standard deviations
SOME = 20  # different values, or rows, from which on a column is judged by them
CODES = re.compile(
    r"(^|[\W_])(zip|plz|post(al)?(_?code)?|postcode|code|icd\d*|fips|phone|tel)($|[\W_])", re.I
)
IDS = re.compile(
    r"(^|[\W_])(id|ids|nr|no|number|key|mrn|case|index|uuid|ssn)($|[\W_])|(?-i:[a-z]I[Dd])$", re.I
)
LEAK = 0.999  # correlation with the target that is too good
COPY = 1 - 1e-9  # correlation of two columns that say the same
SAMPLE = 10_000  # rows by which columns are compared
MISSING = "missing"
# as spreadsheets write what has many digits; a code has no sign
SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+\d{2,}")
ROUNDED = "different ones may have become the same; have the source write them as texts"
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def number_doubts(name: str, values: NDArray[np.float64], whole: bool) -> list[Doubt]:
    """Return what is odd about a column of numbers; `whole` says that it has no fractions."""
    values = values[~np.isnan(values)]
    different = np.unique(values)
    found = [*_far(name, values, different)]
    if len(different) < SOME or not whole:
        return found
    digits = {len(str(int(abs(value)))) for value in (different[0], different[-1])}
    years = different[0] >= 1800 and different[-1] <= 2100
    same = len(digits) == 1 and max(digits) >= 4 and different[0] > 0 and not years
    close = different[0] in (0, 1) and different[-1] - different[0] < len(values)
    if CODES.search(name) or same:
        found.append(
            Doubt(
                f"{name!r} looks like a code and is read as a number; pass categories=({name!r},) "
                f"to read it as a category, or ignore=({name!r},)"
            )
        )
    elif len(different) == len(values) and (IDS.search(name) or close) and not years:
        found.append(
            Doubt(
                f"{name!r} looks like an ID: each row has another whole number; pass "
                f"ignore=({name!r},) if it is one"
            )
        )
    return found


def _far(name: str, values: NDArray[np.float64], different: NDArray[np.float64]) -> Iterator[Doubt]:
    if len(different) < SOME / 2:
        return
    spread = _spread(values)
    far = np.abs(values - np.median(values)) > FAR * spread
    if far.any() and different[0] >= 0:
        logs = np.log1p(values / (np.median(values) or 1.0))
        far &= np.abs(logs - np.median(logs)) > FAR_LOGS * _spread(logs)
    said: set[float] = set()
    if far.any():
        said = {float(value) for value in np.unique(values[far])}
        low, high = min(said), max(said)
        rest = values[~far]
        ends = [f"min {low:g}"] if low < rest.min() else []
        ends += [f"max {high:g}"] if high > rest.max() else []
        far_off = high if high > rest.max() else low
        yield Doubt(
            f"{name!r} has {np.count_nonzero(far)} values beyond {FAR:g} SD "
            f"({', '.join(ends)}; the others are {rest.min():g} to {rest.max():g}); if they are "
            f"not real, pass missing_values=('{name}={written(far_off)}',)"
        )
    for at, beside in ((0, 1), (-1, -2)):
        value, near = different[at], different[beside]
        if value in STAND_INS and value not in said and abs(value - near) >= APART * spread:
            count = np.count_nonzero(values == value)
            rest = different[1:] if at == 0 else different[:-1]
            yield Doubt(
                f"{name!r} is {value:g} in {count} rows, far from the others ({rest[0]:g} to "
                f"{rest[-1]:g}); if that means missing, pass missing_values=('{name}={value:g}',)"
            )


def _spread(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of the middle half, or of all where that has none."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) / NORMAL_IQR or float(values.std()) or 1.0


def doubtful_words(column: Any) -> dict[str, int]:
    """Return which texts of a column may mean a missing cell, and how many cells say each."""
    counts = texts(column).value_counts()
    return {str(k): int(n) for k, n in counts.items() if str(k).casefold() in DOUBTFUL_WORDS}


def word_doubts(name: str, column: Any, kept: Sequence[str]) -> list[Doubt]:
    """Return a doubt for each text that may mean a missing cell, unless the column is `kept`."""
    found = {} if name in kept else doubtful_words(column)
    return [
        Doubt(
            f"{name!r}: {count:,} cells say {word!r}, which counts as a value; if that means "
            f"missing, pass missing_values=('{name}={word}',), else categories=({name!r},)"
        )
        for word, count in found.items()
    ]


def same_but_for_case(name: str, values: Sequence[str]) -> list[Doubt]:
    """Return a doubt where values differ only by upper and lower case or by blanks."""
    alike: dict[str, list[str]] = defaultdict(list)
    for value in values:
        alike["".join(value.split()).casefold()].append(value)
    pairs = [each for each in alike.values() if len(each) > 1]
    if not pairs:
        return []
    cells = tuple(repr(value) for value in pairs[0][:2])
    return [
        Doubt(
            f"{name!r} has values that differ only by case or blanks ({' and '.join(cells)}), "
            f"{len(pairs)} such groups: they count as different; write them alike if they are not",
            cells,
        )
    ]


def same_numbers(name: str, values: Sequence[str]) -> list[Doubt]:
    """Return a doubt where texts that are different are one number, as 1 and 1.0 are."""
    alike: dict[float, list[str]] = defaultdict(list)
    for value in values:
        if WHOLE.fullmatch(value):
            alike[int(value[:DIGITS])].append(value)
        elif NUMBER.fullmatch(value):
            alike[float(value)].append(value)
    pairs = [each for each in alike.values() if len(each) > 1]
    if not pairs:
        return []
    cells = tuple(repr(value) for value in pairs[0][:2])
    return [
        Doubt(
            f"{name!r} has values that are the same number ({' and '.join(cells)}), {len(pairs)} "
            "such groups: they count as different; write them alike if they are not",
            cells,
        )
    ]


def rounded_names(name: str, column: Any) -> list[Doubt]:
    """Return a doubt where names are numbers that were rounded before they came here."""
    if not (cell := rounded_name(column)):
        return []
    return [
        Doubt(
            f"{name!r} has names that are rounded numbers, such as {cell}: {ROUNDED}",
            (cell,),
        )
    ]


def if_rounded(column: Any) -> str:
    """Return the end of a message that a column has one value: why this may be so."""
    cell = rounded_name(column)
    return f"; it is a rounded number: {ROUNDED}" if cell else ""


def rounded_name(column: Any) -> str:
    """Return a cell with fewer digits than it was meant to have, empty where there is none."""
    if column.dtype.kind == "f":
        values = column.to_numpy(np.float64, na_value=np.nan)
        kind = getattr(column.dtype, "numpy_dtype", column.dtype)
        large = values[np.abs(values) >= 2 ** (np.finfo(kind).nmant + 1)]
        return written(large[0]) if len(large) else ""
    if is_number(column):
        return ""
    return next(filter(SCIENTIFIC.fullmatch, texts(column).dropna().unique()), "")


def copied_columns(
    frame: Any, numeric: Sequence[str], rest: Sequence[str], notation: Notation
) -> list[Doubt]:
    """Return a doubt for each feature that says the same as one before it."""
    found, few = [], frame.iloc[:: max(1, len(frame) // SAMPLE)]
    if len(few) < SOME:
        return []
    if numeric:
        x = np.column_stack([numbers(few[name], notation) for name in numeric])
        gap = np.isnan(x)
        x = np.where(gap, 0.0, x - np.where(gap.all(0), 0.0, _mean(x, gap)))
        norm = np.sqrt((x**2).sum(0))
        r = (x.T @ x) / np.outer(norm, norm).clip(min=1e-300)
        for k, name in enumerate(numeric):
            same = [
                j
                for j in np.flatnonzero(np.abs(r[:k, k]) > COPY).tolist()
                if norm[k] and (gap[:, j] == gap[:, k]).all()
            ]
            if same:
                found.append(_copy(name, numeric[same[0]]))
    codes = {name: texts(few[name]).factorize()[0] for name in rest}
    for k, name in enumerate(rest):
        same = [each for each in rest[:k] if np.array_equal(codes[each], codes[name])]
        if same and codes[name].max() > 0:
            found.append(_copy(name, same[0]))
    return found


def _mean(x: NDArray[np.float64], gap: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(gap, 0.0, x).sum(0) / np.maximum((~gap).sum(0), 1)


def _copy(name: str, other: str) -> Doubt:
    return Doubt(f"{name!r} says the same as {other!r} in other units or words; ignore one of them")


def leaks(
    frame: Any,
    numeric: Sequence[str],
    rest: Sequence[str],
    target: str,
    task: Task,
    notation: Notation,
) -> list[Doubt]:
    """Return a doubt for each column that gives the target away."""
    codes = texts(frame[target]).factorize()[0] if task == "classification" else None
    y = numbers(frame[target], notation) if codes is None else codes.astype(np.float64)
    found = []
    for name in numeric:
        x = numbers(frame[name], notation)
        known = ~np.isnan(x)
        x, own = x[known], y[known]
        # of large numbers that are all the same a standard deviation may be left by rounding
        if len(x) and np.ptp(x) > 0 < np.ptp(own) and _tells(x, own, codes is not None):
            found.append(_leak(name, target))
    for name in rest:
        if codes is not None and _sure(texts(frame[name]).fillna(MISSING).factorize()[0], codes):
            found.append(_leak(name, target))
    return found


def _tells(x: NDArray[np.float64], y: NDArray[np.float64], classes: bool) -> bool:
    x = x - x.mean()  # large numbers that differ little
    if abs(np.corrcoef(x, y)[0, 1]) > LEAK:
        return True
    if not classes:
        return False
    different, codes = np.unique(x, return_inverse=True)
    return len(different) <= SOME < len(x) / 5 and _sure(codes, y.astype(np.intp))


def _sure(levels: NDArray[np.intp], codes: NDArray[np.intp]) -> bool:
    """Return whether who knows the level knows the class."""
    table = np.zeros((levels.max() + 1, codes.max() + 1))
    np.add.at(table, (levels, codes), 1)
    return table.max(axis=1).sum() / len(codes) > LEAK > table.sum(axis=0).max() / len(codes)


def _leak(name: str, target: str) -> Doubt:
    return Doubt(
        f"{name!r} alone predicts {target!r}: if it is only known afterwards, add it to ignore"
    )


def copied_rows(known: Any, telling: list[str]) -> list[Doubt]:
    """Return a doubt where rows are copies of others; `telling` columns are compared first."""
    # rows that differ in the columns that tell most apart differ: the others need no look
    if not known.duplicated(subset=telling).any():
        return []
    copy = known.duplicated()
    if not (count := int(copy.sum())):
        return []
    row = int(known.index[copy.to_numpy().argmax()]) + 1
    return [
        Doubt(
            f"{count} rows are duplicates of others: some will be both trained on and tested (the "
            f"first is row {row}); remove them, or name a unit that keeps them together"
        )
    ]


def class_doubts(target: str, counts: dict[str, int]) -> list[Doubt]:
    """Return what is odd about the classes, by how many rows each has."""
    found = [*same_but_for_case(target, list(counts)), *same_numbers(target, list(counts))]
    single = [name for name, count in counts.items() if count == 1]
    if single:
        found.append(
            Doubt(
                f"{len(single)} of {len(counts)} classes of {target!r} have a single row, such as "
                f"{single[0]!r}: it is trained on and never tested"
            )
        )
    if len(counts) > SOME:
        found.append(
            Doubt(
                f"{target!r} has {len(counts)} classes, with {min(counts.values())} rows at least "
                f"and {max(counts.values())} at most; if they are not classes, name another target"
            )
        )
    return found


def time_doubts(name: str, when: NDArray[np.float64], column: Any) -> list[Doubt]:
    """Return what is odd about times: some far from all others, or many rows of the same one."""
    found = list(_far_times(name, when, column))
    different, counts = np.unique(when, return_counts=True)
    if len(when) < SOME or counts.max() <= 0.05 * len(when):
        return found
    return [
        *found,
        Doubt(
            f"{name!r} is coarse: {len(different)} different times, the commonest in "
            f"{counts.max():,} of {len(when):,} rows; rows of one time stay together, so the test "
            "share may differ from the one asked for"
        ),
    ]


def _far_times(name: str, when: NDArray[np.float64], column: Any) -> Iterator[Doubt]:
    """Return a doubt for the times on either side of a gap that is wider than all others."""
    different, counts = np.unique(when, return_counts=True)
    stand_ins = TIME_STAND_INS if is_number(column) else DATE_STAND_INS
    unit = 1 if is_number(column) else DAY
    while len(different) > 2:
        widths = np.diff(different)
        at = int(widths.argmax()) + 1
        first = (at, counts[:at].sum()) <= (len(different) - at, counts[at:].sum())
        few, rest = (slice(at), slice(at, None)) if first else (slice(at, None), slice(at))
        far, near = different[few], different[rest]
        second, widest = np.sort(widths)[-2:]
        usual = len(far) == 1 and far[0] // unit in stand_ins and widest > second
        if not usual and widest <= LONE_TIMES * (np.ptp(near) or np.inf):
            return
        cells = [_time_cell(column, when, time) for time in (far[0], far[-1], near[0], near[-1])]
        lone = cells[0] if len(far) == 1 else f"{cells[0]} to {cells[1]}"
        yield Doubt(
            f"{name!r} is {lone} in {counts[few].sum():,} of {len(when):,} rows, far from the "
            f"others ({cells[2]} to {cells[3]}), and the latest rows are the test set: if that "
            "means missing, or was written in another unit, correct those cells or delete the rows",
            tuple(dict.fromkeys(sorted(cells, key=len, reverse=True))),
        )
        different, counts = near, counts[rest]


def _time_cell(column: Any, when: NDArray[np.float64], time: float) -> str:
    cell = column.iloc[int(np.flatnonzero(when == time)[0])]
    return repr(shown(cell) if is_number(column) else str(cell))


def example(column: Any) -> str:
    """Return the first cell of a column as text."""
    return shown(column.iloc[0])
