"""Air at twelve stations in Beijing."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import DataFileError, File
from fedbench.data.real.columns import expect
from fedbench.data.real.series import (
    CALENDAR,
    Horizon,
    calendar,
    carried,
    lag_names,
    lagged,
    lags,
)
from fedbench.data.source import Column, Raw, TimeSplit

URL = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00501/"
    "PRSA2017_Data_20130301-20170228.zip"
)
ROWS, COLUMNS, LAGS = 35_064, 18, 6
FIRST = np.datetime64("2013-03-01T00", "h")
POLLUTANTS = {
    "PM10": "PM10 (µg/m³)",
    "SO2": "SO2 (µg/m³)",
    "NO2": "NO2 (µg/m³)",
    "CO": "CO (µg/m³)",
    "O3": "O3 (µg/m³)",
}
WEATHER = {
    "TEMP": "temperature (°C)",
    "PRES": "pressure (hPa)",
    "DEWP": "dew point (°C)",
    "RAIN": "rain (mm)",
    "WSPM": "wind (m/s)",
}
COMPASS = (
    *("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE"),
    *("S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"),
)
WIND = ("wind from the east", "wind from the north")
REACH = 6  # hours for which the last known value stands in for a missing one
MISSING = {  # hours without PM2.5
    "Aotizhongxin": 925,
    "Changping": 774,
    "Dingling": 779,
    "Dongsi": 750,
    "Guanyuan": 616,
    "Gucheng": 646,
    "Huairou": 953,
    "Nongzhanguan": 628,
    "Shunyi": 913,
    "Tiantan": 677,
    "Wanliu": 382,
    "Wanshouxigong": 696,
}
STATIONS = tuple(MISSING)


def _file(station: str, size: int, sha256: str) -> File:
    name = f"PRSA_Data_{station}_20130301-20170228.csv"
    member = f"PRSA_Data_20130301-20170228/{name}"
    return File(f"beijing-air/{name}", size, sha256, URL, member)


class BeijingAir(TimeSplit):
    """PM2.5 in the air at twelve stations, March 2013 to February 2017 (Zhang et al. 2017).

    Six earlier values, the other pollutants and the weather as last known, and the calendar. A
    missing value is replaced by the last one known, at most six hours before, never by a later one;
    hours that remain incomplete are dropped. The latest fifth is the test set.
    """

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (
        LAGS + len(POLLUTANTS) + len(WEATHER) + len(WIND) + len(CALENDAR),
    )
    overlap: ClassVar[int] = LAGS + 1
    files: ClassVar[tuple[File, ...]] = (
        _file(
            "Aotizhongxin",
            2835916,
            "a94fbcfc71708b6ffdc033360163d91efb7f675e496f6b5860929aa96b96351b",
        ),
        _file(
            "Changping", 2722295, "a2e21402a6d95fb7043f87959e6e3dcbecb957aac356a6f8028a85b047c772e7"
        ),
        _file(
            "Dingling", 2675856, "3d8dff81f18a80d9f455876a785642bffe1e9b9924ec1e6b7ce8cca790432eeb"
        ),
        _file(
            "Dongsi", 2636684, "9c0020214425e5ee2a64d42f97a1f632e1d8f6b53ad50edd85a686cc7999f27e"
        ),
        _file(
            "Guanyuan", 2695860, "59390fee3b032597b387491f5230e7edb90a8558e30217ebd6d9befbe669fbf9"
        ),
        _file(
            "Gucheng", 2654625, "10ae48801ea55869fee56a48b885fb1127859c130551888d71673f34216ba951"
        ),
        _file(
            "Huairou", 2641027, "812dcbe848b3ba2c2d25731064797bff803c46eb0c602156a1fa044df136dc26"
        ),
        _file(
            "Nongzhanguan",
            2839705,
            "572cf87b65ef543cd55d3a711b28474def224a46b0ec3fc8add8aaf13b67a487",
        ),
        _file(
            "Shunyi", 2620654, "520b59e4ead3b0cfe7f1ed673e30275de8441e999db6f413d5172d2277b8c15a"
        ),
        _file(
            "Tiantan", 2655061, "0743e34799cf1ee36195b73321b91baa5625276532e7263c588f68cdef3b4daa"
        ),
        _file(
            "Wanliu", 2659544, "0b1a6d754a07f0def2f55434ddfa3870dcd0063b7f766a6f66b6c11bb05a377a"
        ),
        _file(
            "Wanshouxigong",
            2871076,
            "ab1d6a356d6997a45f6d657ad47de1e05a4a08d4a7015b38a329a90665ab74d0",
        ),
    )
    horizon: Horizon = 1

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are twelve stations."""
        return {"station": len(STATIONS)}

    def table(self) -> Raw:
        """Return 25 features of each hour and station, and PM2.5 in µg/m³."""
        behind = lags(self.horizon)
        clock = np.arange(FIRST, FIRST + ROWS)
        known = calendar(clock)
        x, y, station, time = [], [], [], []
        for k, (name, file) in enumerate(zip(STATIONS, self.files, strict=True)):
            particles, air = _read(file, name)
            before = lagged(carried(particles, REACH), behind)
            last = np.full(air.shape, np.nan)
            last[self.horizon :] = carried(air, REACH)[: -self.horizon]
            rows = np.column_stack([before, last, known]).astype(np.float32)
            kept = ~np.isnan(particles) & ~np.isnan(rows).any(axis=1)
            x.append(rows[kept])
            y.append(particles[kept].astype(np.float32))
            station.append(np.full(int(kept.sum()), k))
            time.append(clock[kept].astype(np.float64))
        return Raw(
            self._card(behind),
            np.concatenate(x),
            np.concatenate(y),
            {"station": Column(STATIONS, np.concatenate(station))},
            time=np.concatenate(time),
        )

    def _card(self, behind: tuple[int, ...]) -> Card:
        ago = f", {self.horizon} h before"
        measured = (*POLLUTANTS.values(), *WEATHER.values(), *WIND)
        return Card(
            name="Beijing air",
            source="UCI Beijing Multi-Site Air-Quality Data (Zhang et al. 2017)",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(
                *lag_names("PM2.5", behind),
                *(f"{name}{ago}" for name in measured),
                *CALENDAR,
            ),
            target="PM2.5",
            target_unit="µg/m³",
            latest=lag_names("PM2.5", behind)[0],
            client="station",
            traps=(
                "382 to 953 hours a station have no PM2.5, often many in a row",
                "the stations measure the same air: neighbours are not independent",
                "the target has a long tail, up to 999 µg/m³, where the instrument saturates",
            ),
        )


def _read(file: File, station: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return PM2.5 [T] and the other measurements [T, 12] of every hour, NaN where missing."""
    import pandas as pd

    table = pd.read_csv(io.BytesIO(file.read()))
    expect(file, "rows and columns", table.shape, (ROWS, COLUMNS))
    expect(file, "stations", table["station"].unique().tolist(), [station])
    hours = pd.to_datetime(table[["year", "month", "day", "hour"]]).to_numpy()
    if not (hours.astype("datetime64[h]") == FIRST + np.arange(ROWS)).all():
        raise DataFileError(f"{file.path}: the hours are not those of March 2013 to February 2017")
    particles = table["PM2.5"].to_numpy(dtype=np.float64)
    expect(file, "hours without PM2.5", int(np.isnan(particles).sum()), MISSING[station])
    order = {name: float(k) for k, name in enumerate(COMPASS)}
    blown = np.array([order.get(name, np.nan) for name in table["wd"]])
    angle = 2 * np.pi * blown / len(COMPASS)
    numbers = table[[*POLLUTANTS, *WEATHER]].to_numpy(dtype=np.float64)
    return particles, np.column_stack([numbers, np.sin(angle), np.cos(angle)])
