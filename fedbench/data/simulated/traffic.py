"""Sensors on the roads of several operators, and the speeds that they see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import LICENCE, MADE, SimulationSeed, knob
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, Raw, TimeSplit

STEP = 5  # minutes
DAY = 24 * 60 // STEP
PAST = 12  # steps: an hour
START = np.datetime64("2024-02-01T00:00", "m")
FIRST_DAY = 3  # 1 February 2024 was a Thursday, counted from Monday as 0
# Motorways, main roads and streets: their speed when empty, and their load at the peak, in parts of
# their capacity.
FREE = np.array([110.0, 65.0, 40.0])  # km/h
PEAK = np.array([1.3, 1.1, 0.9])
SLOWING = 0.6  # of the curve of the Bureau of Public Roads (1964), which says 0.15: roads of cities
LASTS = 6  # steps that an incident lasts, on average
TAKES = (0.3, 0.7)  # of the speed, from an incident to the next
MEMORY, WANDER = 0.95, 0.06  # of a step on the next; standard deviation, of the speed


class Traffic(World, TimeSplit):
    """The speed at road sensors, some minutes ahead, from their last hour and the time of day.

    Operators own motorways, main roads and streets, which slow down with their load by the curve of
    the Bureau of Public Roads (1964); incidents begin and end at random, and all speeds fluctuate.
    The process has memory: `truth` is the mean of the speed given the full state at the moment of
    prediction, including any current incident and its severity, but not later incidents. The latest
    fifth is the test set.
    """

    holder: ClassVar[str] = "operator"
    stream: ClassVar[int] = 5
    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (PAST + 2,)
    overlap: ClassVar[int] = PAST + 1  # as one of the speeds before, or the one to predict
    operators: Annotated[
        int,
        Field(
            ge=1,
            le=200,
            title="Operators",
            description="number of road operators",
            json_schema_extra={"slider": [1, 50, 1]},
        ),
    ] = 6
    sensors: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            title="Sensors per operator",
            description="number of sensors of each operator",
            json_schema_extra={"slider": [1, 20, 1]},
        ),
    ] = 4
    days: Annotated[
        int,
        Field(
            ge=2,
            le=180,
            title="Days",
            description="number of days of data, from Thursday, 1 February 2024",
            json_schema_extra={"slider": [2, 60, 1]},
        ),
    ] = 14
    ahead: Annotated[
        int,
        Field(
            ge=1,
            le=12,
            title="Steps ahead",
            description="number of steps of five minutes to predict ahead",
            json_schema_extra={"slider": [1, 12, 1], "unit": "steps of 5 min"},
        ),
    ] = 3
    incidents: Annotated[
        float,
        Field(
            ge=0,
            le=24,
            title="Incidents",
            description="incidents per day at each sensor; each takes 30 to 70 % of the speed",
            json_schema_extra={"slider": [0, 12, 0.5], "unit": "a day"},
        ),
    ] = 2.0
    mix: Annotated[
        float,
        knob("Mix", "how far operators differ in their roads and peak hours: 0 is alike"),
    ] = 1.0
    world_seed: SimulationSeed = 0

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many operators there are, and how many sensors of all together."""
        return {**super().natural, "sensor": self.operators * self.sensors}

    def table(self) -> Raw:
        """Return 12 earlier speeds and the time of day, the speed in km/h and its true mean."""
        rng = self._chance()
        steps, count = self.days * DAY, self.operators * self.sensors
        usual = _usual(self.operators, self.sensors, steps, self.mix, rng)
        begins = self.incidents / DAY
        left = _incidents(count, steps, begins, rng)
        drift = _wander(count, steps, rng)
        speed = usual * left * (1 + drift)
        # incidents and wandering are independent: the mean of their product is that of their means
        now = slice(PAST - 1, steps - self.ahead)
        expected = _expected_left(left[:, now], self.ahead, begins)
        expected *= 1 + MEMORY**self.ahead * drift[:, now]
        later = np.arange(now.start, now.stop) + self.ahead
        past = sliding_window_view(speed, PAST, axis=1)[:, : len(later), ::-1]
        angle = 2 * np.pi * (later % DAY) / DAY
        clock = np.broadcast_to(np.stack([np.sin(angle), np.cos(angle)], -1), (*past.shape[:2], 2))
        sensor = np.repeat(np.arange(count), len(later))
        return Raw(
            self._card(),
            np.concatenate([past, clock], axis=2).reshape(-1, PAST + 2).astype(np.float32),
            speed[:, later].reshape(-1).astype(np.float32),
            self._columns(sensor),
            time=np.tile((START + STEP * later).astype(np.float64), count),
            truth=(usual[:, later] * expected).reshape(-1),
        )

    def _columns(self, sensor: NDArray[np.int64]) -> dict[str, Column]:
        operators = self._names()
        each = range(1, self.sensors + 1)
        sensors = tuple(f"{operator}, sensor {k}" for operator in operators for k in each)
        return {
            "operator": Column(operators, sensor // self.sensors),
            "sensor": Column(sensors, sensor),
        }

    def _card(self) -> Card:
        minutes = [STEP * (self.ahead + k) for k in range(PAST)]
        return Card(
            name="Traffic",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=(
                *(f"speed {k} min before" for k in minutes),
                "time, sine",
                "time, cosine",
            ),
            target="speed",
            target_unit="km/h",
            latest=f"speed {minutes[0]} min before",
            client=self.holder,
            traps=(
                "simulated: roads are independent of each other, so no jam spreads to the next "
                "sensor",
                "the twelve speeds of an hour are nearly equal: learning rates above 0.02 diverge "
                "for linear models",
                "the best score knows the road, the weekday and whether an incident is on, but "
                "not when the next one begins",
            ),
        )


def _usual(
    operators: int, sensors: int, steps: int, mix: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the speed of each sensor and step without incidents, float[sensors of all, steps]."""
    count = operators * sensors
    even = np.ones(3) / 3
    share = rng.dirichlet(even * 8 / mix**2, operators) if mix else np.tile(even, (operators, 1))
    place = (np.arange(sensors) + 0.5) / sensors
    # a sensor's road is the quantile of its place, so that operators are alike where shares are
    road = (place[None, :, None] > share.cumsum(1)[:, None, :-1]).sum(2).reshape(-1)
    shift = np.repeat(0.75 * mix * rng.standard_normal(operators), sensors)[:, None]
    inwards = (np.arange(count) % sensors % 2 == 0)[:, None]
    hour = np.arange(steps) % DAY * STEP / 60
    morning = np.where(inwards, 1.0, 0.6) * np.exp(-((hour - 7.5 - shift) ** 2) / 2)
    evening = np.where(inwards, 0.6, 1.0) * np.exp(-((hour - 17 - shift) ** 2) / 4)
    weekend = (np.arange(steps) // DAY + FIRST_DAY) % 7 >= 5
    busy = np.where(weekend, 0.4 * np.exp(-((hour - 14) ** 2) / 32), morning + evening)
    load = PEAK[road][:, None] * (0.25 + 0.75 * busy)
    return FREE[road][:, None] / (1 + SLOWING * load**4)


def _incidents(
    count: int, steps: int, begins: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return what incidents leave of the speed, 1 where there is none, [count, steps].

    Where there is none, one begins in a step with probability `begins`; where there is one, it ends
    with probability 1 / LASTS.
    """
    left = np.ones((count, steps))
    for k in range(1, steps):
        on = left[:, k - 1] < 1
        chance, taken = rng.random(count), rng.uniform(*TAKES, count)
        ends, starts = on & (chance < 1 / LASTS), ~on & (chance < begins)
        left[:, k] = np.where(starts, 1 - taken, np.where(ends, 1.0, left[:, k - 1]))
    return left


def _wander(count: int, steps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return by what share speeds are off, [count, steps]: a stationary AR(1) process."""
    drift = WANDER * rng.standard_normal((count, steps))
    for k in range(1, steps):
        drift[:, k] = MEMORY * drift[:, k - 1] + np.sqrt(1 - MEMORY**2) * drift[:, k]
    return drift


def _expected_left(left: NDArray[np.float64], ahead: int, begins: float) -> NDArray[np.float64]:
    """Return the mean of what incidents will leave `ahead` steps from now, given what is now.

    The incident of now may go on, with what it takes; or there is another, of any size; or none.
    """
    rate = begins + 1 / LASTS
    often, forgets = begins / rate, (1 - rate) ** ahead
    same = np.where(left < 1, (1 - 1 / LASTS) ** ahead, 0.0)
    another = often + ((left < 1) - often) * forgets - same
    return 1 - same * (1 - left) - another * np.mean(TAKES)
