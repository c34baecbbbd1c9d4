"""Districts of a city and the electricity they use."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import LICENCE, MADE, SimulationSeed, knob
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, Raw, TimeSplit

BUILDINGS = ("homes", "offices", "industry")
FEATURES = (
    "hour, sine",
    "hour, cosine",
    "half day, sine",
    "half day, cosine",
    "season, sine",
    "season, cosine",
    "day off",
    "heating degrees (K)",
    "cooling degrees (K)",
    "crowd (thousands)",
    "sunshine",
)
START = np.datetime64("2024-01-01T00", "h")
DAY, YEAR = 24, 366 * 24
HOLIDAYS = 10  # days a year that are off, beside weekends
WARM, COLD = 22.0, 15.0  # °C from which on one cools or heats
NOISE = 0.05  # of the load
# Watts per inhabitant: at night, by day, and per degree of heating or cooling.
BASE = np.array([0.25, 0.15, 0.5])
PEAK = np.array([0.45, 0.9, 0.6])
HEAT = np.array([0.035, 0.02, 0.005])
COOL = np.array([0.02, 0.05, 0.01])
CROWD = 0.02  # kW per inhabitant, for a thousand visitors
SUN = 0.25  # kW per inhabitant of panels in full sunshine, where there are any


class CityLoad(World, TimeSplit):
    """The hourly load of districts, from weather, calendar, buildings and events.

    Each district is a mix of homes, offices and industry, whose days differ; it may have solar
    panels, and some have a stadium. The load is per inhabitant, with noise of 5 %. With drift,
    heating becomes electric and panels are added over time, at a pace that differs between
    districts. The latest fifth is the test set.
    """

    holder: ClassVar[str] = "district"
    stream: ClassVar[int] = 3
    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (len(FEATURES),)
    districts: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            title="Districts",
            description="number of districts",
            json_schema_extra={"slider": [1, 100, 1]},
        ),
    ] = 12
    days: Annotated[
        int,
        Field(
            ge=14,
            le=1461,
            title="Days",
            description="number of days of data, from 1 January 2024",
            json_schema_extra={"slider": [14, 731, 1]},
        ),
    ] = 120
    mix: Annotated[
        float,
        knob(
            "Mix",
            ("how far districts differ in their buildings: 0 is alike, 2 is one kind per district"),
        ),
    ] = 1.0
    events: Annotated[
        float,
        Field(
            ge=0,
            le=7,
            title="Events",
            description="events per week in each district with a stadium (a quarter of them)",
            json_schema_extra={"slider": [0, 7, 0.5], "unit": "a week"},
        ),
    ] = 1.0
    drift: Annotated[
        float,
        knob(
            "Drift",
            "how far the city changes over all days: at 1 a heating degree ends up costing "
            "twice the load, and an average district gains as many panels as any has at first",
        ),
    ] = 0.0
    world_seed: SimulationSeed = 0

    def table(self) -> Raw:
        """Return 11 features of each hour and district, the load in kW and its true mean."""
        rng = self._chance()
        hours = self.days * DAY
        share = _mixes(self.districts, self.mix, rng)
        panels = self.mix * rng.random(self.districts)
        weather, sun = _weather(hours, rng)
        off = _days_off(self.days, rng)[np.arange(hours) // DAY]
        local = 1.5 * rng.standard_normal(self.districts)  # a hill is colder than a square
        crowd = _crowds(self.districts, hours, self.events, rng)
        # of its own source of chance: a city that changes is else the same city
        pace = self._chance(1).uniform(0.5, 1.5, self.districts)
        passed = self.drift * np.arange(hours) / hours
        x, truth = [], []
        for k in range(self.districts):
            air = weather + local[k]
            features = _features(hours, off, air, crowd[k], sun)
            x.append(features)
            built = pace[k] * passed
            truth.append(_load(features, share[k], panels[k] + built, 1 + built))
        mean = np.concatenate(truth)
        y = mean * (1 + NOISE * rng.standard_normal(len(mean)))
        clock = (START + np.arange(hours)).astype(np.float64)
        return Raw(
            self._card(),
            np.concatenate(x).astype(np.float32),
            y.astype(np.float32),
            {"district": Column(self._names(), np.repeat(np.arange(self.districts), hours))},
            time=np.tile(clock, self.districts),
            truth=mean,
        )

    def _card(self) -> Card:
        return Card(
            name="City load",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=FEATURES,
            target="load",
            target_unit="kW per inhabitant",
            client=self.holder,
            traps=(
                "simulated: the weather is as measured, and noise has no memory, so lags carry "
                "no information",
                "the buildings of a district are not among the features: that is why one model "
                "for all falls short, and the best score knows them",
                "the test set is the last fifth of the time, in another season than the first days",
            ),
        )


def _mixes(count: int, mix: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the shares of homes, offices and industry of each district, [count, 3]."""
    even = np.array([0.6, 0.3, 0.1])
    if mix == 0:
        return np.tile(even, (count, 1))
    return rng.dirichlet(even * 8 / mix**2, size=count)


def _weather(
    hours: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return temperature (°C) and sunshine (0 to 1) of each hour in the city."""
    hour = np.arange(hours)
    season = 11 - 10 * np.cos(2 * np.pi * (hour / YEAR - 0.05))
    daily = 4 * np.sin(2 * np.pi * (hour % DAY - 9) / DAY)
    fronts = np.empty(hours)
    state = 0.0
    for k, shock in enumerate(rng.standard_normal(hours)):  # days of warm or cold, then others
        state = 0.98 * state + 0.7 * shock
        fronts[k] = state
    length = 12 - 4 * np.cos(2 * np.pi * hour / YEAR)  # hours of daylight
    height = np.cos(np.pi * (hour % DAY - 12.5) / length)
    lit = np.abs(hour % DAY - 12.5) < length / 2
    clear = 0.5 + 0.5 * np.tanh(fronts / 3)
    return season + daily + fronts, np.where(lit, height * clear, 0.0)


def _days_off(days: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    off = (np.arange(days) % 7) >= 5  # 1 January 2024 was a Monday
    off[rng.choice(days, size=max(1, days * HOLIDAYS // 366), replace=False)] = True
    return off


def _crowds(
    districts: int, hours: int, events: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return thousands of visitors of each district and hour: evenings in every fourth one."""
    crowd = np.zeros((districts, hours))
    for k in range(0, districts, 4):
        evenings = np.flatnonzero(rng.random(hours // DAY) < events / 7)
        size = rng.uniform(5, 30, len(evenings))
        for hour, share in ((18, 0.5), (19, 1.0), (20, 1.0), (21, 0.8)):
            crowd[k, evenings * DAY + hour] = size * share
    return crowd


def _features(
    hours: int,
    off: NDArray[np.bool_],
    air: NDArray[np.float64],
    crowd: NDArray[np.float64],
    sun: NDArray[np.float64],
) -> NDArray[np.float64]:
    hour = np.arange(hours)
    waves = []
    for angle in (hour / DAY, 2 * hour / DAY, hour / YEAR):
        waves += [np.sin(2 * np.pi * angle), np.cos(2 * np.pi * angle)]
    heating, cooling = np.maximum(COLD - air, 0), np.maximum(air - WARM, 0)
    return np.column_stack([*waves, off.astype(np.float64), heating, cooling, crowd, sun])


def _load(
    features: NDArray[np.float64],
    share: NDArray[np.float64],
    panels: float | NDArray[np.float64],
    heated: float | NDArray[np.float64] = 1.0,
) -> NDArray[np.float64]:
    """Return the true mean load of each hour: a function of the features and of what is built.

    `heated` is the load of a degree of heating, of what it is without drift.
    """
    hour = np.arange(len(features)) % DAY
    off = features[:, 6] == 1
    morning = np.exp(-((hour - 7.5) ** 2) / 6)
    evening = np.exp(-((hour - 19.5) ** 2) / 10)
    work = ((hour >= 8) & (hour < 18)).astype(np.float64)
    shifts = ((hour >= 6) & (hour < 22)).astype(np.float64)
    active = np.column_stack(
        [
            np.where(off, 0.5 + evening, 0.6 * morning + evening),
            np.where(off, 0.1, work),
            np.where(off, 0.4, shifts),
        ]
    )
    use = (BASE + PEAK * active) @ share
    use += features[:, 7] * heated * (HEAT @ share) + features[:, 8] * (COOL @ share)
    return use + CROWD * features[:, 9] - SUN * panels * features[:, 10] + 0.3
