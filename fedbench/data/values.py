"""Features as numbers: on a common scale, and none missing, infinite or unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card

# Numbers, or the ids of tokens or columns.
Features = NDArray[np.float32] | NDArray[np.int64]

CONSTANT = 1e-9  # a standard deviation, of the mean, that is only rounding


def standardised(
    x: NDArray[np.generic], known: NDArray[np.bool_], groups: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return x[N, ...] less the mean of the `known` rows, over their standard deviation.

    With `groups` [N] the rows of each group are scaled by its own, as a site would that shares no
    statistics; a group without known rows raises ValueError.
    """
    if groups is not None:
        scaled = np.empty(x.shape, dtype=np.float32)
        for group in np.unique(groups):
            mine = groups == group
            scaled[mine] = standardised(x[mine], known[mine])
        return scaled
    if not known.any():
        raise ValueError("standardising needs at least one training row in each group")
    mean = x[known].mean(axis=0, dtype=np.float64)
    std = x[known].std(axis=0, dtype=np.float64)
    # A constant column carries nothing, and 0 / 0 would be NaN. Rounding leaves it a standard
    # deviation that is not quite 0, over which it would come to be 1 or -1.
    std = np.where(std <= CONSTANT * np.abs(mean), 1.0, std)
    return ((x - mean) / std).astype(np.float32)


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
