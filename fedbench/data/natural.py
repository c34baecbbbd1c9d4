"""Clients given by a column of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.partition import Clients, Owners, Split
from fedbench.data.source import Dataset, Source

NAMED = 3  # a client's name lists all its values up to this many


class Natural(Split):
    """One client for each value of a column, such as a hospital, a zone or a person.

    A client without a training row, because all its rows are held out or there are none, is
    refused: no partition makes up data.
    """

    display: ClassVar[str] = "By column"
    keeps_holders: ClassVar[bool] = True

    column: Annotated[
        str,
        Field(
            title="Column",
            description="column that names the holder of each row; empty for the data set's own",
        ),
    ] = ""

    def count(self, source: Source) -> int:
        """Return how many values the column has; 0 if there is no such column."""
        natural = source.natural
        return natural.get(self._column(natural), 0)

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a column that the data do not have."""
        source: Source = setup.data
        natural = source.natural
        if not natural:
            # of a table the person can name the column; a set that has none is split at random
            able = "client" in type(source).model_fields
            choose = "choose that column as client, or split" if able else "split"
            yield Problem(
                ".kind",
                f"{source.kind()} has no column that names the holder of a row, such as a "
                f"hospital; {choose} at random with IID or Dirichlet",
                self.kind(),
            )
        elif self._column(natural) not in natural:
            known = ", ".join(map(repr, natural))
            yield Problem(
                ".column",
                f"{source.kind()} has no column {self.column!r} to split by; it has {known}",
                self.column,
            )

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
    """A number of clients, each of which groups several values of a column, such as regions.

    Values are assigned in order of their number of rows, largest first, each to the client with
    the fewest rows so far, so that clients end up with similar sizes.
    """

    display: ClassVar[str] = "By column, grouped"

    clients: Clients = 5
    noun: Annotated[
        str,
        Field(
            title="Clients are called",
            description="what a client is, such as cinema: clients are named cinema 1, cinema 2 "
            "and so on; empty to name each by its values",
        ),
    ] = ""

    def count(self, source: Source) -> int:
        """Return `clients`."""
        return self.clients

    @property
    def samples_needed(self) -> int:
        """Return the smallest number of training samples: one per client."""
        return self.clients

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse an unknown column and more clients than it has values."""
        yield from super().check(setup)
        natural = setup.data.natural
        column = self._column(natural)
        if column in natural and self.clients > natural[column]:
            yield Problem(
                ".clients",
                f"{self.clients} clients need as many values of {column!r}, which has "
                f"{natural[column]}; choose fewer clients",
                self.clients,
            )

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the client that each row's value belongs to."""
        name, group = self._column(data.columns), self._group(data)
        return group[data.columns[name].codes], group[data.test_columns[name].codes]

    def client_names(self, data: Dataset) -> tuple[str, ...]:
        """Return each client's number after `noun`, or the values that it groups."""
        if self.noun:
            return tuple(f"{self.noun} {client + 1}" for client in range(self.clients))
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
    # no two clients share a value, so the first one identifies the client
    few = len(values) <= NAMED
    return " + ".join(values) if few else f"{values[0]} and {len(values) - 1} more"
