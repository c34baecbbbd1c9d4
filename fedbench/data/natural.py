"""Clients as the data themselves tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.partition import Clients, Owners, Split
from fedbench.data.source import Dataset, Source

NAMED = 3  # values that a client is still named by, one and all


class Natural(Split):
    """One client for each value of a column, such as a hospital, a zone or a person.

    A client that has no training row, because all of its rows are held out or there are none, is
    refused: no partition invents data.
    """

    column: Annotated[
        str,
        Field(
            title="Column",
            description="which column tells who holds a row, empty for the one that the data name",
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

    def client_names(self, data: Dataset) -> tuple[str, ...]:
        """Return the values of the column."""
        return data.columns[self._column(data.columns)].names

    def _column(self, known: Mapping[str, object]) -> str:
        return self.column or next(iter(known), "")


class GroupedNatural(Natural):
    """A number of clients, each of which gathers several values of a column, such as regions.

    Values go, the one with most rows first, to whichever client holds fewest rows so far, so that
    the clients come to be of near-equal size.
    """

    clients: Clients = 5

    def count(self, source: Source) -> int:
        """Return `clients`."""
        return self.clients

    @property
    def samples_needed(self) -> int:
        """Return how many training samples there must be at least: one a client."""
        return self.clients

    def refuses(self, source: Source) -> tuple[str, str] | None:
        """Refuse an unknown column and more clients than it has values."""
        if reason := super().refuses(source):
            return reason
        values = super().count(source)
        if self.clients <= values:
            return None
        return "clients", (
            f"{self.clients} clients cannot be made of {values} values of "
            f"{self._column(source.natural)!r}; take fewer clients"
        )

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the client that gathers the value of each row."""
        train, test = super().owners(data, rng)
        group = self._group(data)
        return group[train], group[test]

    def client_names(self, data: Dataset) -> tuple[str, ...]:
        """Return the values that each client gathers, the first of them where there are many."""
        names, group = super().client_names(data), self._group(data)
        return tuple(
            _together([names[k] for k in np.flatnonzero(group == client)])
            for client in range(self.clients)
        )

    def _group(self, data: Dataset) -> NDArray[np.int64]:
        column = data.columns[self._column(data.columns)]
        rows = np.bincount(column.codes, minlength=len(column.names))
        group, held = np.empty(len(rows), dtype=np.int64), np.zeros(self.clients)
        for value in np.argsort(-rows, kind="stable"):
            group[value] = held.argmin()
            held[group[value]] += rows[value]
        return group


def _together(values: list[str]) -> str:
    # no value is with two clients: the first one tells them apart
    few = len(values) <= NAMED
    return " + ".join(values) if few else f"{values[0]} and {len(values) - 1} more"
