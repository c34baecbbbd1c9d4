"""Clients as the data themselves tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from fedbench.data.partition import Owners, Split
from fedbench.data.source import Dataset, Source


class Natural(Split):
    """One client for each value of a column, such as a hospital, a zone or a person.

    A client that has no training row, because all of its rows are held out or there are none, is
    refused: no partition invents data.
    """

    column: Annotated[
        str,
        Field(
            title="Column",
            description="which column tells who holds a row; empty for the one that the data name",
        ),
    ] = ""

    def count(self, source: Source) -> int:
        """Return how many values the column has; 0 if there is no such column."""
        natural = source.natural
        return natural.get(self._column(natural), 0)

    def refuses(self, source: Source) -> tuple[str, str] | None:
        """Refuse a column that the source does not have."""
        natural = source.natural
        if self._column(natural) in natural:
            return None
        if not natural:
            return "kind", f"{source.kind()} does not say who holds a row; choose Dirichlet or IID"
        known = ", ".join(map(repr, natural))
        return "column", f"{source.kind()} has no column {self.column!r} to part rows by: {known}"

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the value of the column."""
        name = self._column(data.columns)
        return data.columns[name].codes, data.test_columns[name].codes

    def names(self, data: Dataset) -> tuple[str, ...]:
        """Return the values of the column."""
        return data.columns[self._column(data.columns)].names

    def _column(self, known: Mapping[str, object]) -> str:
        return self.column or next(iter(known), "")
