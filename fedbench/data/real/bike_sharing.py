"""Rented bikes in Washington."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import categories, expect, indicator_names, indicators
from fedbench.data.real.series import CALENDAR, calendar, lag_names, lagged, on_the_clock
from fedbench.data.source import Column, Raw, TimeSplit
from fedbench.data.values import Features, refuse_bad_values, standardised

ROWS, COLUMNS, RENTED, HOURS = 17_379, 17, 3_292_679, 17_544
LAGS = (24, 48, 168)
WEATHER = {
    "1": "clear",
    "2": "mist",
    "3": "light rain or snow",
    "4": "heavy rain or snow",
}
MEASURED = {
    "temp": "temperature",
    "hum": "humidity",
    "windspeed": "wind",
    "holiday": "holiday",
    "workingday": "working day",
}
SEASONS = ("winter", "spring", "summer", "autumn")
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
SCALED = len(LAGS) + 3  # lags, temperature, humidity, wind; the others are indicators and waves


class BikeSharing(TimeSplit):
    """How many bikes are rented in an hour, Washington 2011 and 2012 (Fanaee-T and Gama 2013).

    Rentals one, two and seven days before, the calendar and the weather of the hour. The latest
    fifth is the test set.
    """

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (len(LAGS) + len(MEASURED) + len(CALENDAR) + len(WEATHER),)
    overlap: ClassVar[int] = len(LAGS) + 1
    files: ClassVar[tuple[File, ...]] = (
        File(
            "bike-sharing/hour.csv",
            1156736,
            "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f",
            "https://archive.ics.uci.edu/ml/machine-learning-databases/00275/"
            "Bike-Sharing-Dataset.zip",
            "hour.csv",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return the columns by which hours can be told apart; the city is one."""
        return {"weekday": len(WEEKDAYS), "season": len(SEASONS), "month": len(MONTHS)}

    def table(self) -> Raw:
        """Return 19 features of each hour whose lags are known, and how many bikes were rented."""
        import pandas as pd

        file = self.files[0]
        table = pd.read_csv(io.BytesIO(file.read()))
        expect(file, "rows and columns", table.shape, (ROWS, COLUMNS))
        count = table["cnt"].to_numpy(dtype=np.float64)
        expect(file, "rented bikes", int(count.sum()), RENTED)
        days = pd.to_datetime(table["dteday"]).to_numpy().astype("datetime64[h]")
        times = days + table["hr"].to_numpy().astype("timedelta64[h]")
        # 165 hours are absent: the row a hundred lines above need not be that of a day before
        clock, values = on_the_clock(times, count)
        expect(file, "hours from first to last", len(clock), HOURS)
        before = lagged(values, LAGS)[(times - clock[0]).astype(np.int64)]
        kept = ~np.isnan(before).any(axis=1)
        weather = categories(file, "weathersit", table["weathersit"].to_numpy(), WEATHER)
        x = np.column_stack([before, table[list(MEASURED)], calendar(times), indicators(weather)])
        columns = {
            "weekday": Column(WEEKDAYS, table["weekday"].to_numpy(dtype=np.int64)[kept]),
            "season": Column(SEASONS, table["season"].to_numpy(dtype=np.int64)[kept] - 1),
            "month": Column(MONTHS, table["mnth"].to_numpy(dtype=np.int64)[kept] - 1),
        }
        return Raw(
            self._card(weather),
            x[kept].astype(np.float32),
            count[kept].astype(np.float32),
            columns,
            time=times[kept].astype(np.float64),
        )

    def _card(self, weather: Column) -> Card:
        return Card(
            name="Bike sharing",
            source="UCI Bike Sharing Dataset (Capital Bikeshare; Fanaee-T and Gama 2013)",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(
                *lag_names("rented", LAGS),
                *MEASURED.values(),
                *CALENDAR,
                *indicator_names("weather", weather),
            ),
            target="rented bikes",
            target_unit="bikes",
            client="weekday",
            traps=(
                "casual and registered rentals sum to the target: neither may be a feature",
                "165 hours are absent, most of them at night and in storms",
                "2012 has far more rentals than 2011: the test targets are higher than the "
                "training targets",
                "the test set is August to December 2012: it contains no spring and hardly any "
                "winter",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return rentals and weather standardised by the training rows, the rest as it is."""
        refuse_bad_values(raw.card, "raw", raw.x, raw.y)
        x = raw.x.copy()
        x[:, :SCALED] = standardised(raw.x[:, :SCALED], ~held)
        return x
