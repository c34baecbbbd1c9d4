"""Some clients mean something else by the same name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.skews.skew import Holder, Rows, Skew
from fedbench.data.values import Features


class LabelPermutation(Skew):
    """Permute the classes of some clients, in training and test rows alike: concept shift.

    Each client is affected with probability `share`, and then has its own permutation that moves
    every class. No single model can be right for all. Source: Sattler et al. 2020
    (arXiv:1910.01991).
    """

    keeps_privacy: ClassVar[bool] = True
    share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            title="Affected share",
            description=(
                "probability that a client's classes are permuted: 0 is none, 1 is all clients"
            ),
            json_schema_extra={"slider": [0, 1, 0.01]},
        ),
    ] = 0.3

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return features as they are and exchanged classes."""
        if who.own.random() >= self.share:
            return x, y
        order = who.own.permutation(len(who.card.classes))
        places = np.empty_like(order)
        places[order] = np.roll(order, 1)  # one cycle through all classes leaves none in its place
        return x, places[y.astype(np.int64)]

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse targets that are no classes."""
        yield from super().check(setup)
        if setup.data.task != "classification":
            yield self._unfit(setup, "its target has no classes to permute")
