"""Clients measure in units that are not quite the same."""

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


class Scaling(Skew):
    """Multiply each feature by a factor drawn per client, log-normal with median 1."""

    keeps_privacy: ClassVar[bool] = True

    spread: Annotated[
        float,
        Field(
            ge=0,
            le=5,
            title="Spread",
            description=(
                "standard deviation s, over clients, of the logarithm of the factor: 0 leaves "
                "features unchanged"
            ),
            json_schema_extra={"slider": [0, 2, 0.05], "formula": "x · exp(s·z_i), z_i ~ N(0, 1)"},
        ),
    ] = 0.3

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return scaled features, targets as they are."""
        factor = np.exp(self.spread * who.own.standard_normal(x.shape[1:]))
        return (x * factor).astype(np.float32), y

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse ids."""
        yield from super().check(setup)
        if setup.data.vocabulary:
            yield self._unfit(setup, NO_NUMBERS)
