"""Hospitals whose patients and devices differ."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import (
    FEWEST,
    LICENCE,
    MADE,
    SimulationSeed,
    intercept,
    knob,
    shares,
    sigmoid,
)
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, RandomSplit, Raw

FEATURES = (
    "age",
    "male",
    "resting blood pressure",
    "cholesterol",
    "largest heart rate",
    "ST depression",
    "exercise angina",
    "typical chest pain",
)
MEASURED = (2, 3, 4, 5)  # by a device, which may be off
# Of the complete patients of the four hospitals of UCI Heart Disease: size, share of the ill, mean
# and deviation of age, share of men (Detrano et al. 1989; counted from the published files).
KNOWN = np.array(
    [
        [303, 0.459, 54.4, 9.0, 0.680],
        [261, 0.375, 47.8, 7.8, 0.736],
        [46, 0.978, 56.7, 8.4, 0.935],
        [130, 0.777, 59.4, 7.7, 0.962],
    ]
)
POOLED = KNOWN[:, 0] @ KNOWN[:, 1:] / KNOWN[:, 0].sum()
NAMES = ("Cleveland-like", "Budapest-like", "Zurich-like", "Long-Beach-like")
# How age, sex, the four measurements in standard units, angina and chest pain raise the log odds.
WEIGHTS = np.array([0.35, 0.7, 0.25, 0.15, -0.6, 0.8, 0.9, 1.1])
TYPICAL = np.array([132.0, 235.0, 140.0, 0.9])  # mmHg, mg/dl, beats a minute, mm
SPREAD = np.array([18.0, 50.0, 24.0, 1.0])


class Hospitals(World, RandomSplit):
    """Whether a patient has heart disease, in hospitals modelled on four real ones.

    The first four hospitals have the sizes, shares of ill patients, ages and shares of men of UCI
    Heart Disease; further ones are drawn around these. The log odds of illness are linear in the
    true findings, and shifted by hospital. Measured findings may be off.
    """

    holder: ClassVar[str] = "hospital"
    total: ClassVar[str] = "patients"
    stream: ClassVar[int] = 1
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(FEATURES),)
    hospitals: Annotated[
        int,
        Field(
            ge=1,
            le=500,
            title="Hospitals",
            description="number of hospitals",
            json_schema_extra={"slider": [1, 100, 1]},
        ),
    ] = 4
    patients: Annotated[
        int,
        Field(
            ge=100,
            le=1_000_000,
            title="Patients",
            description="number of patients, all hospitals together",
            json_schema_extra={"slider": [100, 100_000, 100], "scale": "log"},
        ),
    ] = 740
    case_mix: Annotated[
        float,
        knob(
            "Case mix",
            "how far hospitals differ in age, sex and illness: 0 is not at all, 1 as published",
        ),
    ] = 1.0
    device_shift: Annotated[
        float,
        knob(
            "Device shift",
            "how far a hospital's devices are off, in standard deviations of what they measure",
        ),
    ] = 0.0
    world_seed: SimulationSeed = 0

    def table(self) -> Raw:
        """Return 8 features of each patient, illness (1) or none (0), and the true risk."""
        rng = self._chance()
        facts = _facts(self.hospitals, rng)
        sizes = _sizes(self.hospitals, self.patients, rng)
        mean = POOLED + self.case_mix * (facts - POOLED)
        mean[:, [0, 3]] = mean[:, [0, 3]].clip(0.02, 0.98)
        x, true, risk = [], [], []
        for k, size in enumerate(sizes):
            rate, age, deviation, men = mean[k]
            person = _people(int(size), age, max(deviation, 1.0), men, rng)
            score = _standard(person) @ WEIGHTS
            risk.append(sigmoid(score + intercept(score, rate)))
            true.append(person)
            seen = person.copy()
            gain = np.exp(0.1 * self.device_shift * rng.standard_normal(len(MEASURED)))
            offset = self.device_shift * SPREAD * rng.standard_normal(len(MEASURED))
            middle = TYPICAL
            seen[:, MEASURED] = middle + gain * (person[:, MEASURED] - middle) + offset
            x.append(seen)
        truth = np.concatenate(risk)
        y = (rng.random(len(truth)) < truth).astype(np.int64)
        hospital = Column(_names(self.hospitals), np.repeat(np.arange(self.hospitals), sizes))
        return Raw(
            self._card(),
            np.concatenate(x).astype(np.float32),
            y,
            {"hospital": hospital},
            truth=truth,
        )

    def _card(self) -> Card:
        return Card(
            name="Hospitals",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=FEATURES,
            target="heart disease",
            classes=("none", "disease"),
            client=self.holder,
            traps=(
                "simulated: the log odds are linear, so no model beats a linear one",
                "the best score knows a patient's hospital and the true findings",
            ),
        )


def _facts(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return rate, age, its deviation and share of men of each hospital, [count, 4]."""
    known = KNOWN[:count, 1:]
    more = count - len(known)
    # means and deviations over the four, in log odds where a share is meant
    odds = KNOWN[:, 1:].copy()
    odds[:, [0, 3]] = np.log(odds[:, [0, 3]] / (1 - odds[:, [0, 3]]))
    drawn = odds.mean(0) + odds.std(0) * rng.standard_normal((more, 4))
    drawn[:, [0, 3]] = sigmoid(drawn[:, [0, 3]])
    return np.concatenate([known, drawn])


def _sizes(count: int, patients: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if count > len(KNOWN) or patients < FEWEST * count:
        return shares(count, patients, 0.7, rng)
    edges = np.round(np.cumsum(KNOWN[:count, 0]) / KNOWN[:count, 0].sum() * patients)
    return np.diff(np.concatenate([[0], edges])).astype(np.int64)


def _people(
    size: int, age: float, deviation: float, men: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    years = (age + deviation * rng.standard_normal(size)).clip(18, 95)
    older = (years - 54) / 9
    # pressure and cholesterol rise with age, the largest heart rate falls
    slope = np.array([0.25, 0.15, -0.4, 0.2])
    noise = rng.standard_normal((size, len(MEASURED)))
    measured = TYPICAL + SPREAD * (older[:, None] * slope + np.sqrt(1 - slope**2) * noise)
    measured[:, -1] = np.abs(measured[:, -1])  # a depression is none or more
    male = rng.random(size) < men
    angina, typical = rng.random((2, size)) < np.array([[0.35], [0.4]])
    return np.column_stack([years, male, measured, angina, typical]).astype(np.float64)


def _standard(person: NDArray[np.float64]) -> NDArray[np.float64]:
    out = person.copy()
    out[:, 0] = (person[:, 0] - 54) / 9
    out[:, MEASURED] = (person[:, MEASURED] - TYPICAL) / SPREAD
    return out


def _names(count: int) -> tuple[str, ...]:
    return (*NAMES[:count], *(f"hospital {k + 1}" for k in range(len(NAMES), count)))
