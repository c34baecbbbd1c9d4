"""Speeds on the motorways of Los Angeles."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect
from fedbench.data.real.series import lag_names, lagged
from fedbench.data.source import Column, Raw, TimeSplit

STEPS, SENSORS, STEP = 2016, 207, 5  # minutes
DAY = 24 * 60 // STEP
PAST = 12  # steps: an hour
START = np.datetime64("2012-03-01T00:00", "m")


class LosLoop(TimeSplit):
    """The speed at 207 motorway sensors, 1 to 7 March 2012 (METR-LA as cut by Zhao et al. 2019).

    The last hour of a sensor in steps of five minutes, and the time of day; the target is its speed
    `ahead` steps later (arXiv:1811.05320). The latest fifth is the test set.
    """

    display: ClassVar[str] = "Los-loop"

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (PAST + 2,)
    overlap: ClassVar[int] = PAST + 1  # as one of the speeds before, or the one to predict
    files: ClassVar[tuple[File, ...]] = (
        File(
            "los-loop/los_speed.csv",
            3402125,
            "7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4",
            "https://raw.githubusercontent.com/lehaifeng/T-GCN/"
            "219a2346f5bf68d54d91a948e7a41a08f9edc46b/data/los_speed.csv",
        ),
    )
    ahead: Annotated[
        int,
        Field(
            ge=1,
            le=12,
            title="Steps ahead",
            description="number of steps of five minutes to predict ahead: further is harder",
            json_schema_extra={"slider": [1, 12, 1], "unit": "steps of 5 min"},
        ),
    ] = 3

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are 207 sensors."""
        return {"sensor": SENSORS}

    def table(self) -> Raw:
        """Return 12 earlier speeds and the time of day of each step and sensor, and the speed."""
        import pandas as pd

        file = self.files[0]
        table = pd.read_csv(io.BytesIO(file.read()))
        expect(file, "steps and sensors", table.shape, (STEPS, SENSORS))
        speed = table.to_numpy(dtype=np.float32)
        behind = tuple(range(self.ahead, self.ahead + PAST))
        first = behind[-1]
        angle = 2 * np.pi * (np.arange(first, STEPS) % DAY) / DAY
        day = np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)
        x = [np.column_stack([lagged(column, behind)[first:], day]) for column in speed.T]
        rows = STEPS - first
        sensors = Column(tuple(map(str, table.columns)), np.repeat(np.arange(SENSORS), rows))
        minutes = (START + STEP * np.arange(first, STEPS)).astype(np.float64)
        return Raw(
            self._card(behind),
            np.concatenate(x),
            speed[first:].T.reshape(-1),
            {"sensor": sensors},
            time=np.tile(minutes, SENSORS),
        )

    def _card(self, behind: tuple[int, ...]) -> Card:
        minutes = [STEP * k for k in behind]
        return Card(
            name="Los-loop",
            source="METR-LA loop detectors, as cut for T-GCN (Zhao et al. 2019)",
            licence="none stated",
            task=self.task,
            shape=self.shape,
            features=(*lag_names("speed", minutes, "min"), "time, sine", "time, cosine"),
            target="speed",
            target_unit="mph",
            latest=lag_names("speed", minutes, "min")[0],
            client="sensor",
            traps=(
                "one week only, and the test set is its last day and a half: no weekday occurs in "
                "both",
                "gaps were filled by a straight line before publication, which looks ahead",
                "the twelve speeds of an hour are nearly equal: learning rates above 0.02 diverge",
                "neighbouring sensors see the same jam: they are not independent",
            ),
        )
