"""Machines that wear out."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import LICENCE, MADE, SimulationSeed, knob, sigmoid
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, RandomSplit, Raw

FEATURES = (
    "hours since repair",
    "load",
    "air temperature (°C)",
    "vibration (mm/s)",
    "oil temperature (°C)",
    "pressure (bar)",
    "current (A)",
    "vibration, mean of ten",
)
BEHIND = 10  # readings that the mean looks back over
WEAR = 0.01  # a reading, at full load
READINGS = 12  # within which a failure is foretold
CURVE = (6.0, 1.0)  # the odds of failing are exp(first × (wear − second)) a reading


class Fleet(World, RandomSplit):
    """Whether a machine fails within its next 12 readings, in plants that run them differently.

    Wear grows with load and heat, and raises vibration, oil temperature and current; the odds of a
    failure grow with wear. A machine that fails is repaired and starts anew. Whole machines are
    held out: a machine that was trained on is not tested.
    """

    holder: ClassVar[str] = "plant"
    stream: ClassVar[int] = 4
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(FEATURES),)
    ranked: ClassVar[bool] = True
    plants: Annotated[
        int,
        Field(
            ge=1,
            le=200,
            title="Plants",
            description="number of plants",
            json_schema_extra={"slider": [1, 50, 1]},
        ),
    ] = 6
    machines: Annotated[
        int,
        Field(
            ge=2,
            le=1000,
            title="Machines",
            description="number of machines of each plant",
            json_schema_extra={"slider": [2, 100, 1]},
        ),
    ] = 10
    readings: Annotated[
        int,
        Field(
            ge=50,
            le=10_000,
            title="Readings",
            description="number of consecutive readings of each machine",
            json_schema_extra={"slider": [50, 1000, 10]},
        ),
    ] = 200
    duty: Annotated[
        float,
        knob("Duty", "how far plants differ in load and climate: 0 is alike, 2 very different"),
    ] = 1.0
    sensors: Annotated[
        float,
        knob(
            "Sensor shift",
            "how far a plant's sensors are off, in units of their noise: 0 is not at all",
        ),
    ] = 0.5
    world_seed: SimulationSeed = 0

    def table(self) -> Raw:
        """Return 8 features of each reading, whether it fails soon (1), and the true risk."""
        rng = self._chance()
        count = self.plants * self.machines
        plant = np.repeat(np.arange(self.plants), self.machines)
        duty = (0.6 + 0.15 * self.duty * rng.standard_normal(self.plants)).clip(0.2, 1.0)[plant]
        climate = (18 + 6 * self.duty * rng.standard_normal(self.plants))[plant]
        load, air = _duty(count, self.readings, duty, climate, rng)
        speed = (
            WEAR * load * np.exp(0.02 * (air - 18)) * np.exp(0.2 * rng.standard_normal((count, 1)))
        )
        wear, since, fails = _lives(speed, rng)
        off = self.sensors * rng.standard_normal((4, self.plants))
        x = _sensed(load, air, wear, since, off[:, plant], rng)
        kept = slice(BEHIND - 1, self.readings - READINGS)
        y = np.zeros(wear.shape, dtype=bool)
        truth = _risk(wear, speed)
        for ahead in range(READINGS):
            y[:, : self.readings - ahead] |= fails[:, ahead:]
        rows = x[:, kept].reshape(-1, len(FEATURES))
        each = rows.shape[0] // count
        return Raw(
            self._card(),
            rows.astype(np.float32),
            y[:, kept].reshape(-1).astype(np.int64),
            {"plant": Column(self._names(), np.repeat(plant, each))},
            time=np.tile(np.arange(self.readings, dtype=np.float64)[kept], count),
            units=np.repeat(np.arange(count), each),
            truth=truth[:, kept].reshape(-1),
        )

    def _card(self) -> Card:
        return Card(
            name="Fleet",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=FEATURES,
            target=f"fails within {READINGS} readings",
            classes=("no", "yes"),
            client=self.holder,
            traps=(
                "simulated: sensors show wear through noise, so no model sees what the best "
                "score knows, the wear itself and the load to come",
                "readings of a machine are not independent: whole machines are held out",
            ),
        )


def _duty(
    count: int,
    readings: int,
    duty: NDArray[np.float64],
    climate: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return load (0 to 1) and air temperature of each machine and reading."""
    load = (duty[:, None] + 0.15 * rng.standard_normal((count, readings))).clip(0.05, 1.0)
    phase = rng.random((count, 1))
    wave = 5 * np.sin(2 * np.pi * (np.arange(readings) / 24 + phase))
    return load, climate[:, None] + wave + rng.standard_normal((count, readings))


def _hazard(wear: NDArray[np.float64]) -> NDArray[np.float64]:
    steep, middle = CURVE
    return sigmoid(steep * (wear - middle) - 3)


def _lives(
    speed: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return wear, readings since repair, and whether a machine fails after each reading."""
    count, readings = speed.shape
    wear, since = np.empty(speed.shape), np.empty(speed.shape)
    fails = np.empty(speed.shape, dtype=bool)
    worn, age = rng.uniform(0, 0.8, count), np.zeros(count)
    for k in range(readings):
        worn, age = worn + speed[:, k], age + 1
        wear[:, k], since[:, k] = worn, age
        fails[:, k] = rng.random(count) < _hazard(worn)
        worn[fails[:, k]], age[fails[:, k]] = 0.0, 0.0
    return wear, since, fails


def _risk(wear: NDArray[np.float64], speed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of a failure within READINGS, under the load that is to come.

    At the end, where that is not known any more, the last speed of wear goes on.
    """
    coming = np.pad(speed[:, 1:], ((0, 0), (0, READINGS)), mode="edge")
    survives, worn = np.ones(wear.shape), wear.copy()
    for ahead in range(READINGS):
        survives *= 1 - _hazard(worn)
        worn += coming[:, ahead : ahead + wear.shape[1]]
    return 1 - survives


def _sensed(
    load: NDArray[np.float64],
    air: NDArray[np.float64],
    wear: NDArray[np.float64],
    since: NDArray[np.float64],
    off: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the features of each machine and reading, [machines, readings, 8]."""
    noise = rng.standard_normal((4, *wear.shape)) + off[:, :, None]
    vibration = 2 + 1.5 * wear**2 + 0.5 * load + 0.3 * noise[0]
    oil = 40 + air * 0.5 + 20 * load + 8 * wear + 1.5 * noise[1]
    pressure = 6 - 0.8 * wear + 0.5 * load + 0.2 * noise[2]
    current = 30 * load + 4 * wear + noise[3]
    total = np.cumsum(np.pad(vibration, ((0, 0), (1, 0))), axis=1)
    mean = np.full(wear.shape, np.nan)
    mean[:, BEHIND - 1 :] = (total[:, BEHIND:] - total[:, :-BEHIND]) / BEHIND
    return np.stack([since, load, air, vibration, oil, pressure, current, mean], axis=-1)
