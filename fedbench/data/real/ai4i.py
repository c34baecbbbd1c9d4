"""Machines that fail."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import (
    categories,
    expect,
    indicator_names,
    indicators,
    scaled_numbers,
)
from fedbench.data.source import Column, RandomSplit, Raw
from fedbench.data.values import Features

ROWS, COLUMNS, FAILURES = 10_000, 14, 339
NUMBERS = {
    "Air temperature [K]": "air temperature (K)",
    "Process temperature [K]": "process temperature (K)",
    "Rotational speed [rpm]": "speed (rpm)",
    "Torque [Nm]": "torque (Nm)",
    "Tool wear [min]": "tool wear (min)",
}
QUALITY = {"L": "low", "M": "medium", "H": "high"}
MODES = {"TWF": 46, "HDF": 115, "PWF": 95, "OSF": 98, "RNF": 19}


class AI4I2020(RandomSplit):
    """Whether a machine fails, 10,000 products of three qualities (Matzka 2020; simulated).

    Five measurements, with indicators of the quality.
    """

    display: ClassVar[str] = "AI4I 2020"

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(NUMBERS) + len(QUALITY),)
    ranked: ClassVar[bool] = True
    # running and failed, of each quality
    strata_sizes: ClassVar[tuple[int, ...]] = (5765, 235, 2914, 83, 982, 21)
    files: ClassVar[tuple[File, ...]] = (
        File(
            "ai4i2020/ai4i2020.csv",
            522048,
            "dc6630cd9b1f0f853922fad78a1b6436570d3f1ec863f1dd5c4340ac56bc8a8e",
            "https://archive.ics.uci.edu/ml/machine-learning-databases/00601/ai4i2020.csv",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are three qualities, as of three product lines."""
        return {"quality": len(QUALITY)}

    def table(self) -> Raw:
        """Return 8 features of 10,000 products, and failure (1) or none (0)."""
        import pandas as pd

        file = self.files[0]
        table = pd.read_csv(io.BytesIO(file.read()), encoding="utf-8-sig")
        expect(file, "rows and columns", table.shape, (ROWS, COLUMNS))
        failed = table["Machine failure"].to_numpy(dtype=np.int64)
        expect(file, "failures", int(failed.sum()), FAILURES)
        expect(file, "failures by mode", table[list(MODES)].sum().to_dict(), MODES)
        quality = categories(file, "Type", table["Type"].to_numpy(), QUALITY)
        numbers = table[list(NUMBERS)].to_numpy(dtype=np.float32)
        x = np.column_stack([numbers, indicators(quality)])
        return Raw(self._card(quality), x, failed, {"quality": quality})

    def _card(self, quality: Column) -> Card:
        return Card(
            name="AI4I 2020",
            source="UCI AI4I 2020 Predictive Maintenance Dataset (Matzka 2020)",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(*NUMBERS.values(), *indicator_names("quality", quality)),
            target="machine failure",
            classes=("runs", "fails"),
            client="quality",
            traps=(
                "simulated by its author, by rules that trees find at once",
                "five columns record how a machine failed and are not features: they contain "
                "the answer",
                "3.4 % fail: accuracy misleads",
                "18 random failures are not marked as failures, and 9 marked ones have no mode",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the numbers standardised by the training rows, and the indicators as they are."""
        return scaled_numbers(raw, held, len(NUMBERS))
