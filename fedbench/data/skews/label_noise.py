"""Some clients label carelessly."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.skews.skew import Holder, Rows, Skew
from fedbench.data.values import Features


class LabelNoise(Skew):
    """Spoil training targets, none at the first client and most at the last.

    A target is spoilt with probability rate·k/(N-1) at the k-th of N clients: a class becomes any
    other class, a number is moved by a normal one of the spread of all targets. Test targets stay
    true.
    """

    rate: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            title="Rate",
            description=(
                "share r of the training targets that is wrong at the last client: 0 is "
                "none, 1 all of them"
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
