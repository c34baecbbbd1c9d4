"""Electric load of eight zones in the east of the United States."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect
from fedbench.data.real.series import (
    CALENDAR,
    Horizon,
    Relative,
    calendar,
    lag_names,
    lagged,
    lags,
    on_the_clock,
)
from fedbench.data.source import Column, Raw

URL = (
    "https://raw.githubusercontent.com/panambY/Hourly_Energy_Consumption/"
    "3d9359d970ce534e3d3a81bf70a4d3abc7008b8c/data"
)
ZONES = ("AEP", "COMED", "DAYTON", "DEOK", "DOM", "DUQ", "EKPC", "FE")
ROWS = (121273, 66497, 121275, 57739, 116189, 119068, 45334, 62874)
FIRST, LAST = np.datetime64("2013-06-01T01", "h"), np.datetime64("2018-08-03T00", "h")
LAGS = 6


def _file(zone: str, size: int, sha256: str) -> File:
    name = f"{zone}_hourly.csv"
    return File(f"pjm-load/{name}", size, sha256, f"{URL}/{name}")


class PJMLoad(Relative):
    """The load of an hour in eight zones of PJM Interconnection, June 2013 to August 2018.

    Six earlier loads and the calendar; the load is relative to the zone's mean. The latest fifth is
    the test set. The hour that occurs twice when clocks go back has the mean of both.
    """

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (LAGS + len(CALENDAR),)
    overlap: ClassVar[int] = LAGS + 1
    relative: ClassVar[int] = LAGS
    files: ClassVar[tuple[File, ...]] = (
        _file("AEP", 3395509, "109d122f7b485555c609eecdec2cd5a03172e0a08acd358d863acc93eb452585"),
        _file("COMED", 1842915, "2e79007e3f1be8765c92ff2b26314c0df0507bdd783110388a1e8d678d13fa1e"),
        _file(
            "DAYTON", 3274443, "84d3397231d5819b5cf086ef9e87cadf6dd7954085f2834be7e37257702ec768"
        ),
        _file("DEOK", 1558965, "070f9e0ece2fa97d5585f85bbf36122f5b3ab7f7f166db95fd0ebc3958d37600"),
        _file("DOM", 3206580, "aa040e6ff42029dbc6698066d1a12765b00c56f993127af22f26aa9b769373a6"),
        _file("DUQ", 3214852, "d4e09cca9f50c0c46eeef9feb8e5def5778368081c9af2a45cc0e8a798218071"),
        _file("EKPC", 1220853, "2036a4ed539b10d42b9249a662d1e55eda555bba8673745ee1f5586db5cfe6ab"),
        _file("FE", 1701528, "f2a4b89417cab06aaba451093f90d237fec911ccc70cd29a34449baaefdb8b3d"),
    )
    horizon: Horizon = 24

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are eight zones."""
        return {"zone": len(ZONES)}

    def table(self) -> Raw:
        """Return six earlier loads and the calendar of each hour and zone, and the load in MW."""
        import pandas as pd

        behind = lags(self.horizon)
        x, y, zone, time = [], [], [], []
        for k, (file, rows) in enumerate(zip(self.files, ROWS, strict=True)):
            table = pd.read_csv(io.BytesIO(file.read()))
            expect(file, "rows", len(table), rows)
            hours = pd.to_datetime(table["Datetime"]).to_numpy().astype("datetime64[h]")
            clock, load = on_the_clock(hours, table[f"{ZONES[k]}_MW"].to_numpy(dtype=np.float64))
            span = (clock >= FIRST) & (clock <= LAST)
            clock, load = clock[span], load[span]
            before = lagged(load, behind)
            kept = ~np.isnan(load) & ~np.isnan(before).any(axis=1)
            x.append(np.column_stack([before, calendar(clock)])[kept])
            y.append(load[kept].astype(np.float32))
            zone.append(np.full(int(kept.sum()), k))
            time.append(clock[kept].astype(np.float64))
        return Raw(
            self._card(behind),
            np.concatenate(x),
            np.concatenate(y),
            {"zone": Column(ZONES, np.concatenate(zone))},
            time=np.concatenate(time),
        )

    def _card(self, behind: tuple[int, ...]) -> Card:
        return Card(
            name="PJM load",
            source="PJM Interconnection, published as Hourly Energy Consumption (Kaggle)",
            licence="CC0, as the page of the publisher is quoted",
            task=self.task,
            shape=self.shape,
            features=(*lag_names("load", behind), *CALENDAR),
            target="load",
            target_unit="of the zone's mean",
            client="zone",
            traps=(
                "the files are not sorted by time, and times are local: one hour is missing in "
                "spring and one occurs twice in autumn",
                "PJME, PJMW and PJM_Load are sums that contain these zones, so they are left "
                "out; NI ends where the others begin",
                "there are no weather features",
            ),
        )
