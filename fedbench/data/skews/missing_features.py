"""Some clients never measured some things."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.skews.skew import NO_NUMBERS, Holder, Rows, Skew
from fedbench.data.values import Features


class MissingFeatures(Skew):
    """Blank a random share of each client's features, in training and test rows alike.

    A blank is 0, which is the mean of a standardised feature.
    """

    keeps_privacy: ClassVar[bool] = True
    share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            title="Missing share",
            description=(
                "probability that a client lacks a feature: 0 is none missing, 0.9 nearly all"
            ),
            json_schema_extra={"slider": [0, 0.9, 0.05]},
        ),
    ] = 0.2

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return features of which some are 0, targets as they are."""
        there = who.own.random(x.shape[1:]) >= self.share
        return (x * there).astype(np.float32), y

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse ids."""
        yield from super().check(setup)
        if setup.data.vocabulary:
            yield self._unfit(setup, NO_NUMBERS)
