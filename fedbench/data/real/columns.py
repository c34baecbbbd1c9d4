"""From the columns of a published table to features: categories, indicators and numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fedbench.data.files import DataFileError, File
from fedbench.data.source import Column, Raw
from fedbench.data.values import Features, refuse_bad_values, standardised


def categories(
    file: File, name: str, values: NDArray[np.generic], meaning: Mapping[str, str]
) -> Column:
    """Return a column of categories: what the code of each row means.

    Several codes may mean the same; names stand in the order of `meaning`. A code that it does not
    explain raises DataFileError.
    """
    names = tuple(dict.fromkeys(meaning.values()))
    found, places = np.unique(values.astype(str), return_inverse=True)
    unknown = [str(code) for code in found if str(code) not in meaning]
    if unknown:
        raise DataFileError(
            f"{file.path}: {name!r} is {unknown[0]!r}, which is none of {', '.join(meaning)}"
        )
    codes = np.array([names.index(meaning[str(code)]) for code in found], dtype=np.int64)
    return Column(names, codes[places])


def indicators(column: Column) -> NDArray[np.float32]:
    """Return 1 where a row has a category and 0 elsewhere, float32[N, categories]."""
    return np.eye(len(column.names), dtype=np.float32)[column.codes]


def indicator_names(name: str, column: Column) -> tuple[str, ...]:
    """Return what the indicators of a column are called."""
    return tuple(f"{name}: {category}" for category in column.names)


def expect(file: File, what: str, found: object, published: object) -> None:
    """Raise DataFileError if a count is not the one that the publishers state."""
    if found != published:
        raise DataFileError(f"{file.path}: {what}: {found}, not {published} as published")


def scaled_numbers(raw: Raw, held: NDArray[np.bool_], numbers: int) -> Features:
    """Return the features with the first `numbers` of them standardised by the training rows.

    The others are indicators and stay 0 or 1: over its standard deviation, that of a rare category
    would be the loudest of all.
    """
    refuse_bad_values(raw.card, "raw", raw.x, raw.y)
    x = raw.x.astype(np.float32)
    x[:, :numbers] = standardised(raw.x[:, :numbers], ~held)
    return x
