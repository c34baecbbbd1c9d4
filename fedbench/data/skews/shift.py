"""Some clients' instruments are off by a constant."""

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


class Shift(Skew):
    """Add to each feature a constant drawn per client, normal with standard deviation σ.

    Standardised features are shifted in units of their standard deviation. This is the covariate
    shift of Kairouz et al. 2021 (arXiv:1912.04977), section 3.1.
    """

    keeps_privacy: ClassVar[bool] = True
    std: Annotated[
        float,
        Field(
            ge=0,
            title="σ",
            description=(
                "standard deviation σ, over clients, of the constant that is added: 0 leaves "
                "features unchanged"
            ),
            json_schema_extra={"slider": [0, 3, 0.05], "formula": "x + σ·z_i, z_i ~ N(0, 1)"},
        ),
    ] = 0.5

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return shifted features, targets as they are."""
        return (x + self.std * who.own.standard_normal(x.shape[1:])).astype(np.float32), y

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse ids."""
        yield from super().check(setup)
        if setup.data.vocabulary:
            yield self._unfit(setup, NO_NUMBERS)
