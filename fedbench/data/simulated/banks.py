"""Banks whose regions differ, whose customers drift, and whose losses are rare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import (
    LICENCE,
    MADE,
    SimulationSeed,
    intercept,
    knob,
    shares,
    sigmoid,
)
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, Raw, TimeSplit

FEATURES = (
    "income (log)",
    "loan (log)",
    "term (years)",
    "age",
    "debt of income",
    "arrears, last year",
    "years at bank (log)",
    "self-employed",
    "payments an hour",
    "amount of usual (log)",
    "night",
    "abroad",
)
EVENTS = ("default", "fraud")
BANDS, BAND_EDGES = ("under 35", "35 to 54", "55 and over"), (35, 55)  # of age
# How each feature, in standard units, raises the log odds of either.
WEIGHTS = {
    "default": np.array([-0.5, 0.35, 0.2, -0.15, 0.6, 0.8, -0.3, 0.3, 0.0, 0.0, 0.0, 0.0]),
    "fraud": np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.1, -0.4, 0.0, 1.0, 0.9, 0.8, 1.2]),
}
RATE = {"default": 0.08, "fraud": 0.01}
MONTHS = 36


class Banks(World, TimeSplit):
    """Whether a loan defaults, or a payment is fraud, at banks of regions that differ.

    The log odds are linear, shifted by bank so that each has the rate of its region. They drift
    with time: some signs of trouble weaken and others strengthen. Rows are in months, and the
    latest are the test set.
    """

    holder: ClassVar[str] = "bank"
    total: ClassVar[str] = "rows"
    stream: ClassVar[int] = 2
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(FEATURES),)
    ranked: ClassVar[bool] = True
    banks: Annotated[
        int,
        Field(
            ge=1,
            le=500,
            title="Banks",
            description="number of banks",
            json_schema_extra={"slider": [1, 100, 1]},
        ),
    ] = 10
    rows: Annotated[
        int,
        Field(
            ge=1000,
            le=5_000_000,
            title="Rows",
            description="number of loans or payments, all banks together",
            json_schema_extra={"slider": [1000, 1_000_000, 1000], "scale": "log"},
        ),
    ] = 20_000
    event: Annotated[
        Literal["default", "fraud"],
        Field(
            title="Event",
            description="what to predict: default (8 % of loans) or fraud (1 % of payments)",
        ),
    ] = "default"
    regions: Annotated[
        float,
        knob(
            "Regional spread",
            "standard deviation, over banks, of the log odds of the event and of customers' means",
        ),
    ] = 0.5
    drift: Annotated[
        float,
        knob(
            "Drift",
            "how far the signs of trouble turn by the last month: 0 is not at all, 1 by half",
        ),
    ] = 0.3
    world_seed: SimulationSeed = 0

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many banks and how many bands of age there are."""
        return {**super().natural, "age band": len(BANDS)}

    def table(self) -> Raw:
        """Return 12 features of each row, whether it happened (1) or not (0), and its true risk."""
        rng = self._chance()
        sizes = shares(self.banks, self.rows, 0.8, rng)
        bank = np.repeat(np.arange(self.banks), sizes)
        month = rng.integers(MONTHS, size=self.rows)
        place = self.regions * rng.standard_normal((self.banks, len(FEATURES)))
        x = place[bank] + rng.standard_normal((self.rows, len(FEATURES)))
        # arrears, self-employment, night and abroad are rare; counts are whole
        for column, share in ((5, 0.15), (7, 0.12), (10, 0.1), (11, 0.06)):
            x[:, column] = rng.random(self.rows) < sigmoid(
                np.log(share / (1 - share)) + place[bank, column]
            )
        x[:, 8] = rng.poisson(np.exp(0.2 * x[:, 8]))
        weights = WEIGHTS[self.event]
        # the drift turns the weights towards others of the same length
        other = rng.permutation(weights[weights != 0])
        turned = np.zeros(len(weights))
        turned[weights != 0] = other
        angle = 0.5 * self.drift * month / (MONTHS - 1)
        score = (1 - angle) * (x @ weights) + angle * (x @ turned)
        truth = np.empty(self.rows)
        rate = RATE[self.event]
        level = np.log(rate / (1 - rate)) + self.regions * rng.standard_normal(self.banks)
        for k, odds in enumerate(level):
            mine = bank == k
            truth[mine] = sigmoid(score[mine] + intercept(score[mine], float(sigmoid(odds))))
        y = (rng.random(self.rows) < truth).astype(np.int64)
        shown = _shown(x)
        band = np.searchsorted(BAND_EDGES, shown[:, FEATURES.index("age")], side="right")
        return Raw(
            self._card(),
            shown,
            y,
            {"bank": Column(self._names(), bank), "age band": Column(BANDS, band)},
            time=month.astype(np.float64),
            truth=truth,
        )

    def _card(self) -> Card:
        return Card(
            name="Banks",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=FEATURES,
            target=self.event,
            classes=("no", "yes"),
            client=self.holder,
            traps=(
                "simulated: its log odds are linear in each month",
                f"{RATE[self.event]:.0%} of rows are positive: accuracy misleads, look at the "
                "AUC and the loss",
                "the signs drift, so training rows are older than test rows",
                "the best score knows the bank and the month of each row",
            ),
        )


def _shown(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the features in units that a person would know."""
    out = x.copy()
    for column, middle, spread in (
        (0, np.log(32_000), 0.5),
        (1, np.log(12_000), 0.8),
        (2, 5.0, 1.5),
        (3, 44.0, 12.0),
        (4, 0.3, 0.1),
        (6, 1.5, 0.7),
        (9, 0.0, 0.6),
    ):
        out[:, column] = middle + spread * x[:, column]
    return out.astype(np.float32)
