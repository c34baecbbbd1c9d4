"""Some clients label carelessly."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.skews.skew import Holder, Rows, Skew
from fedbench.data.values import Features


class LabelNoise(Skew):
    """Corrupt training targets, none at the first client and most at the last.

    At the k-th of N clients a target is corrupted with probability rate·k/(N-1): a class becomes
    any other class; a number gets Gaussian noise as wide as all targets. Test targets are
    unchanged.
    """

    keeps_privacy: ClassVar[bool] = True

    rate: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            title="Corrupted share",
            description=(
                "share r of wrong training targets at the last client: 0 is none, 1 is all"
            ),
            json_schema_extra={
                "slider": [0, 1, 0.01],
                "formula": "P[wrong] = r·k/(N − 1) at client k = 0 … N − 1",
            },
        ),
    ] = 0.4

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return features as they are, training targets of which some are wrong."""
        if not who.training:
            return x, y
        rate = self.rate * who.client / max(1, who.clients - 1)
        wrong = who.rows.random(len(y)) < rate
        if who.card.task == "regression":  # targets are standardised: their spread is 1
            moved = y.astype(np.float64) + wrong * who.rows.standard_normal(len(y))
            return x, moved.astype(np.float32)
        classes = len(who.card.classes)
        other = (y.astype(np.int64) + who.rows.integers(1, classes, size=len(y))) % classes
        return x, np.where(wrong, other, y)
