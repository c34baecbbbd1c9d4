"""Features as numbers: on a common scale, and none missing, infinite or unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card

# Numbers, or the ids of tokens or columns.
Features = NDArray[np.float32] | NDArray[np.int64]

LARGEST = 1e30  # of a number, and the smallest difference of targets: their squares are summed
SMALLEST = 1e-30
FARTHEST = 1e18  # standardised: squares of larger values are not finite in single precision
NARROW = 1e-9  # a standard deviation, of the mean, from which on it is measured with more care
SAFE = 1e140  # standard deviations up to which squares are finite, and from 1/SAFE on not 0
ROUNDED = 4  # units in the last place by which a constant may differ from itself
COMPARED = 2000  # rows by which it is known whether values have become the same
SLIGHT, REST = 1e-6, 1e-14  # differences that rounding leaves, and of the numbers that it is from


def standardised(
    x: NDArray[np.generic], known: NDArray[np.bool_], groups: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return x[N, ...] less the mean of the `known` rows, over their standard deviation.

    A column that is constant in them is only centred. The unit of a column does not matter, nor a
    large offset: what double precision tells apart is told apart. With `groups` [N] the rows of
    each group are scaled by its own, as a site would that shares no statistics; a group without
    known rows raises ValueError.
    """
    if groups is not None:
        scaled = np.empty(x.shape, dtype=np.float32)
        for group in np.unique(groups):
            mine = groups == group
            scaled[mine] = standardised(x[mine], known[mine])
        return scaled
    if not known.any():
        raise ValueError("standardising needs at least one training row in each group")
    with np.errstate(over="ignore", invalid="ignore"):
        mean = x[known].mean(axis=0, dtype=np.float64)
        std = x[known].std(axis=0, dtype=np.float64)
        plain = (std > NARROW * np.abs(mean)) & (std > 1 / SAFE) & (std < SAFE)
        scaled = ((x - np.where(plain, mean, 0.0)) / np.where(plain, std, 1.0)).astype(np.float32)
    if not np.all(plain):
        flat, out = x.reshape(len(x), -1), scaled.reshape(len(x), -1)
        for k in np.flatnonzero(~plain):
            out[:, k] = _carefully(flat[:, k], known)
    return scaled


def _carefully(column: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Standardise a column whose spread is beside its mean, or beyond the squares of doubles."""
    exact = column.dtype.kind != "f"
    rounding = 0.0 if exact else ROUNDED * float(np.finfo(column.dtype).eps)
    column = column.astype(np.float64)
    own = column[known]
    low, high = own.min(), own.max()
    largest = max(abs(low), abs(high))
    # powers of two change no digit
    power = -int(np.frexp(largest)[1])
    with np.errstate(over="ignore"):
        if high / 2 - low / 2 <= rounding * largest / 2:
            # It carries nothing, and 0 / 0 would be NaN.
            away = column - low
            return np.where(np.abs(away) <= rounding * largest, 0.0, away).astype(np.float32)
        away = np.ldexp(column, power) - np.ldexp(low, power)
        away /= away[known].max()
        return ((away - away[known].mean()) / away[known].std()).astype(np.float32)


def refuse_bad_values(card: Card, part: str, x: Features, y: NDArray[np.generic]) -> None:
    """Raise ValueError for a missing or infinite value or an unknown id, naming row and column."""
    flat = x.reshape(len(x), -1)
    if np.issubdtype(x.dtype, np.integer):
        _refuse_unknown_ids(card, part, flat.astype(np.int64))
    elif card.vocabulary:
        raise ValueError(f"{card.name}: the card has a vocabulary, so {part} x must hold integers")
    elif not np.isfinite(flat).all():  # where they are is asked only if there are any
        bad = np.argwhere(~np.isfinite(flat))
        row, column = bad[0]
        raise ValueError(
            f"{card.name}: {_column(card, column)!r} is {flat[row, column]} in {part} row {row} "
            f"({len(bad)} such values); fill in or drop what is missing before loading"
        )
    if np.issubdtype(y.dtype, np.floating) and not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y))[0])
        raise ValueError(
            f"{card.name}: target {card.target!r} is {y[row]} in {part} row {row}; "
            "drop rows without a target before loading"
        )


def lost_value(x: NDArray[Any], scaled: NDArray[Any]) -> tuple[int, int, str] | None:
    """Return row, column and what is wrong of x[N, D], where its standardised values lost it.

    A value may be so far from the others that single precision has no room for both.
    """
    far = ~(np.abs(scaled) <= FARTHEST)
    if far.any():
        row, column = map(int, np.argwhere(far)[0])
        return row, column, "too far from the training rows for single precision"
    few = np.random.default_rng(0).permutation(len(x))[:COMPARED]
    before, after = np.sort(x[few], axis=0), np.sort(scaled[few], axis=0)  # in the same order
    told, kept = np.diff(before, axis=0) > 0, np.diff(after, axis=0) > 0
    for column in np.flatnonzero(kept.sum(axis=0) <= told.sum(axis=0) / 2).tolist():
        group = np.append(0, np.cumsum(kept[:, column]))
        alike = before[group == np.bincount(group).argmax(), column].astype(np.float64)
        different, of = len(np.unique(alike)), int(told[:, column].sum()) + 1
        if different == 1 or 2 * different < of or 2 * len(alike) < len(few):
            continue
        with np.errstate(over="ignore"):
            away = np.abs(x[:, column].astype(np.float64) - np.median(alike))
        row = int(away.argmax())
        if not _may_be_rounding(alike, float(away[row])):
            why = "so far from the others that single precision cannot tell those apart"
            return row, column, why
    return None


def _may_be_rounding(values: NDArray[np.float64], far: float) -> bool:
    """Return whether values that single precision takes for one may have been meant to be one.

    `far` is how far the number lies that is farthest from them: theirs may be errors of its size.
    """
    span = float(np.ptp(values))
    if span <= ROUNDED * np.finfo(np.float64).eps * np.abs(values).max():
        return True
    return span < SLIGHT and span < REST * far


def refuse_lost_values(card: Card, x: Features, scaled: Features) -> None:
    """Raise ValueError where `scaled` lost what x[N, ...] tells apart, naming column and value."""
    flat = x.reshape(len(x), -1)
    if (found := lost_value(flat, scaled.reshape(flat.shape))) is not None:
        row, column, why = found
        raise ValueError(
            f"{card.name}: {_column(card, column)!r} is {flat[row, column]:g} in raw row {row}, "
            f"{why}; correct that value, or drop the row"
        )


def _refuse_unknown_ids(card: Card, part: str, flat: NDArray[np.int64]) -> None:
    if len(card.vocabulary) not in (1, flat.shape[1]):
        raise ValueError(
            f"{card.name}: {part} x holds integers in {flat.shape[1]} columns and the card has "
            f"{len(card.vocabulary)} vocabulary sizes; give one a column, one for a sequence, or "
            "float32 where the integers are not ids"
        )
    bad = np.argwhere((flat < 0) | (flat >= np.array(card.vocabulary)))
    if len(bad):
        row, column = bad[0]
        size = card.vocabulary[column % len(card.vocabulary)]
        raise ValueError(
            f"{card.name}: {_column(card, column)!r} is {flat[row, column]} in {part} row {row} "
            f"({len(bad)} such values); ids must lie between 0 and {size - 1}"
        )


def _column(card: Card, column: int) -> str:
    return card.features[column] if column < len(card.features) else f"column {column}"
