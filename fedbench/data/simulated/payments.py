"""Card payments, of which few are frauds, at banks that have not all seen the same frauds."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import (
    LICENCE,
    MADE,
    SimulationSeed,
    knob,
    shares,
    sigmoid,
)
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, Raw, TimeSplit

NUMBERS = ("amount (log €)", "from home (log km)", "since the last (log min)")
SHOPS = ("groceries", "fuel", "travel", "electronics", "cash", "games")
FEATURES = (*NUMBERS, "hour, sine", "hour, cosine", "online", "first time there", *SHOPS)
PATTERNS = ("tested card", "stolen card", "copied card", "taken account")
# Of an honest payment and of each pattern of fraud: mean and deviation of the three numbers, the
# usual hour and how sharply it is kept to, the shares online and for the first time, and of shops.
MEAN = np.array(
    [[3.2, 1.5, 6.0], [1.4, 1.8, 3.2], [4.5, 2.2, 4.0], [4.2, 4.2, 5.2], [4.9, 1.5, 5.2]]
)
SPREAD = np.array(
    [[1.0, 1.2, 1.5], [0.7, 1.3, 1.2], [0.9, 1.1, 1.4], [0.7, 1.1, 1.5], [0.9, 1.2, 1.5]]
)
HOUR = np.array([14.0, 12.0, 17.0, 3.0, 2.0])
SHARP = np.array([1.2, 0.1, 1.0, 1.5, 1.5])  # κ of a von Mises distribution
ONLINE = np.array([0.3, 0.95, 0.1, 0.05, 0.95])
NEW = np.array([0.15, 0.7, 0.6, 0.7, 0.7])
SHOP = np.array(
    [
        [0.40, 0.15, 0.10, 0.10, 0.15, 0.10],
        [0.05, 0.05, 0.10, 0.30, 0.02, 0.48],
        [0.08, 0.12, 0.05, 0.50, 0.20, 0.05],
        [0.05, 0.10, 0.10, 0.05, 0.65, 0.05],
        [0.04, 0.03, 0.53, 0.25, 0.05, 0.10],
    ]
)
YEAR, SPREADS = 365.0, 292.0  # days; from when on every bank meets every pattern


class Payments(World, TimeSplit):
    """Whether a card payment is fraud, one in a hundred, at the banks that issued the cards.

    Fraud follows four patterns. Until day 292 of a year each bank sees only some of them, and in
    the last fifth, the test set, all: patterns that are new to one bank are known to others.
    Payments are drawn as honest or from a pattern, with features independent given which, so that
    the probability of fraud given features, bank and day follows from Bayes' rule: this is the
    `truth`.
    """

    holder: ClassVar[str] = "bank"
    total: ClassVar[str] = "payments"
    stream: ClassVar[int] = 6
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(FEATURES),)
    ranked: ClassVar[bool] = True
    banks: Annotated[
        int,
        Field(
            ge=1,
            le=500,
            title="Banks",
            description="number of banks that issue cards",
            json_schema_extra={"slider": [1, 50, 1]},
        ),
    ] = 8
    payments: Annotated[
        int,
        Field(
            ge=1000,
            le=5_000_000,
            title="Payments",
            description="number of payments, all banks together",
            json_schema_extra={"slider": [1000, 1_000_000, 1000], "scale": "log"},
        ),
    ] = 40_000
    prevalence: Annotated[
        float,
        Field(
            ge=0.001,
            le=0.5,
            title="Prevalence",
            description="share of fraudulent payments, at an average bank",
            json_schema_extra={"slider": [0.001, 0.1, 0.001], "scale": "log"},
        ),
    ] = 0.01
    regions: Annotated[
        float,
        knob(
            "Regional spread",
            "standard deviation, over banks, of the log odds of fraud, and of honest payments' "
            "means in units of their deviation",
        ),
    ] = 0.4
    unseen: Annotated[
        int,
        Field(
            ge=0,
            le=3,
            title="Unseen",
            description=(
                "number of the four fraud patterns that a bank first sees in the last fifth "
                "of the year"
            ),
            json_schema_extra={"slider": [0, 3, 1]},
        ),
    ] = 2
    world_seed: SimulationSeed = 0

    def table(self) -> Raw:
        """Return 13 features of each payment, fraud (1) or not (0), and its true probability."""
        rng = self._chance()
        count = self.payments
        bank = np.repeat(np.arange(self.banks), shares(self.banks, count, 0.8, rng))
        # days at even distances: the latest fifth begins at the same day in every world
        day = YEAR * (rng.permutation(count) + 0.5) / count
        middle = np.log(self.prevalence / (1 - self.prevalence))
        rate = sigmoid(middle + self.regions * rng.standard_normal(self.banks))
        shift = self.regions * SPREAD[0] * rng.standard_normal((self.banks, len(NUMBERS)))
        prior = _prior(bank, day, rate, self.unseen)
        kind = (rng.random((count, 1)) > prior.cumsum(1)[:, :-1]).sum(1)
        honest = kind == 0
        numbers = MEAN[kind] + SPREAD[kind] * rng.standard_normal((count, len(NUMBERS)))
        numbers += np.where(honest[:, None], shift[bank], 0.0)
        angle = 2 * np.pi * HOUR[kind] / 24 + rng.vonmises(0.0, SHARP[kind])
        online, new = rng.random(count) < ONLINE[kind], rng.random(count) < NEW[kind]
        shop = (rng.random((count, 1)) > SHOP[kind].cumsum(1)[:, :-1]).sum(1)
        density = _density(numbers, shift[bank], angle, online, new, shop)
        fraud = (prior[:, 1:] * density[:, 1:]).sum(1)
        x = np.column_stack(
            [numbers, np.sin(angle), np.cos(angle), online, new, np.eye(len(SHOPS))[shop]]
        )
        return Raw(
            self._card(),
            x.astype(np.float32),
            (~honest).astype(np.int64),
            {"bank": Column(self._names(), bank)},
            time=day,
            truth=fraud / (fraud + prior[:, 0] * density[:, 0]),
        )

    def _card(self) -> Card:
        return Card(
            name="Payments",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=FEATURES,
            target="fraud",
            classes=("no", "yes"),
            client=self.holder,
            traps=(
                "simulated: features are independent given the pattern of fraud",
                f"{self.prevalence:.1%} of payments are fraud: accuracy misleads, look at the "
                "AUC and the loss",
                "payments are not linked by card: nothing is held out by card",
                "the best score knows the bank, and which patterns have reached it",
            ),
        )


def _prior(
    bank: NDArray[np.int64], day: NDArray[np.float64], rate: NDArray[np.float64], unseen: int
) -> NDArray[np.float64]:
    """Return the probability of an honest payment and of each pattern, before features, [N, 5].

    Patterns that are met are equally frequent. Banks take turns in which they have not met, so that
    of four banks each pattern is known to some.
    """
    known = (bank[:, None] + np.arange(len(PATTERNS))) % len(PATTERNS) >= unseen
    known |= (day >= SPREADS)[:, None]
    fraud = rate[bank][:, None] * known / known.sum(1, keepdims=True)
    return np.column_stack([1 - rate[bank], fraud])


def _density(
    numbers: NDArray[np.float64],
    shift: NDArray[np.float64],
    angle: NDArray[np.float64],
    online: NDArray[np.bool_],
    new: NDArray[np.bool_],
    shop: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the density of each payment if it were honest, or of each pattern, float[N, 5].

    Up to a factor that is the same for all five.
    """
    found = np.empty((len(shop), len(MEAN)))
    for kind in range(len(MEAN)):
        mean = MEAN[kind] + (shift if kind == 0 else 0.0)
        bell = np.exp(-0.5 * (((numbers - mean) / SPREAD[kind]) ** 2).sum(1)) / SPREAD[kind].prod()
        turn = SHARP[kind] * np.cos(angle - 2 * np.pi * HOUR[kind] / 24)
        found[:, kind] = bell * np.exp(turn) / np.i0(SHARP[kind]) * SHOP[kind, shop]
        found[:, kind] *= np.where(online, ONLINE[kind], 1 - ONLINE[kind])
        found[:, kind] *= np.where(new, NEW[kind], 1 - NEW[kind])
    return found
