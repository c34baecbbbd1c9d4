"""Some clients measure less precisely than others."""

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


class FeatureNoise(Skew):
    """Add Gaussian noise to the features, from none at the first client to σ at the last.

    The k-th of N clients gets σ·k/(N-1). Source: Li et al. 2022, NIID-Bench (arXiv:2102.02079),
    where the variance grows this way.
    """

    keeps_privacy: ClassVar[bool] = True
    std: Annotated[
        float,
        Field(
            ge=0,
            title="σ",
            description=(
                "standard deviation σ of the noise at the last client: 0 is none, 1 is as "
                "large as a standardised feature"
            ),
            json_schema_extra={
                "slider": [0, 3, 0.05],
                "formula": "x + N(0, s_k²), s_k = σ·k/(N − 1), k = 0 … N − 1",
            },
        ),
    ] = 0.5

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return features with noise, targets as they are."""
        std = self.std * who.client / max(1, who.clients - 1)
        noise = who.rows.standard_normal(x.shape, dtype=np.float32)
        return (x + std * noise).astype(np.float32), y

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse ids."""
        yield from super().check(setup)
        if setup.data.vocabulary:
            yield self._unfit(setup, NO_NUMBERS)
