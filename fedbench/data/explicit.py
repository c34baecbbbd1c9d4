"""A partition that somebody made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, ValidationError, model_validator

from fedbench.config.problems import Problem, refuse
from fedbench.config.setup import Setup
from fedbench.data.label_skew import by_counts
from fedbench.data.partition import Owners, Split, alike
from fedbench.data.source import Dataset, Source

Count = Annotated[int, Field(ge=0)]


class Explicit(Split):
    """Give client i counts[i][k] training rows of class k, or of the k-th tenth of the target.

    The seed decides which rows. Rows beyond the counts are unused; test rows of each class are
    shared out in proportion.
    """

    display: ClassVar[str] = "Given counts"

    leaves_out: ClassVar[bool] = True
    keeps_holders: ClassVar[bool] = True
    counts: Annotated[
        tuple[tuple[Count, ...], ...],
        Field(
            min_length=1,
            title="Counts",
            description=(
                "clients × classes: number of training samples of each class that each client holds"
            ),
        ),
    ] = ((1,),)
    names: Annotated[
        tuple[str, ...],
        Field(title="Names", description="names of the clients, empty to number them"),
    ] = ()

    @model_validator(mode="after")
    def _whole(self) -> Explicit:
        errors = []
        for client, row in enumerate(self.counts):
            if len(row) != len(self.counts[0]):
                reason = f"it has {len(row)} classes and the first client has {len(self.counts[0])}"
                errors.append(refuse(f"counts.{client}", reason, row))
            elif not sum(row):
                reason = "a client needs at least one training sample; leave it out or give it some"
                errors.append(refuse(f"counts.{client}", reason, row))
        if self.names and len(self.names) != len(self.counts):
            reason = f"there are {len(self.counts)} clients and {len(self.names)} names"
            errors.append(refuse("names", reason, self.names))
        if errors:
            raise ValidationError.from_exception_data("Explicit", errors)
        return self

    @property
    def samples_needed(self) -> int:
        """Return the sum of all counts."""
        return sum(map(sum, self.counts))

    def count(self, source: Source) -> int:
        """Return the number of rows of `counts`."""
        return len(self.counts)

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse more samples than there are; classes are looked at when rows are dealt out."""
        available = setup.data.training_samples
        if available is not None and self.samples_needed > available:
            yield Problem(
                ".counts",
                f"they add up to {self.samples_needed} training samples and {setup.data.kind()} "
                f"has {available}",
                self.counts,
            )

    def describe(self) -> str:
        """Return that somebody made it."""
        return "by hand"

    def client_names(self, data: Dataset) -> tuple[str, ...]:
        """Return `names`."""
        return self.names

    def owners(self, data: Dataset, rng: np.random.Generator) -> tuple[Owners, Owners]:
        """Return the owners by `counts`. Raises ValueError where the data have other classes."""
        counts, names = np.array(self.counts), data.strata_names
        train, test = data.strata()
        if counts.shape[1] != len(names):
            raise ValueError(
                f"partition.counts: {counts.shape[1]} classes are given and {data.card.name} "
                f"has {len(names)}"
            )
        there = np.bincount(train, minlength=len(names))
        for k in np.flatnonzero(counts.sum(axis=0) > there):
            raise ValueError(
                f"partition.counts: {counts[:, k].sum()} training samples of class "
                f"{names[k]!r} are asked for and {data.card.name} has {there[k]}; ask for "
                f"{counts[:, k].sum() - there[k]} fewer"
            )
        owners = by_counts(train, counts, rng)
        return owners, alike(train, owners, test, len(counts), rng)
