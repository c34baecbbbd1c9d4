"""Turbofan engines that wear out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect
from fedbench.data.source import Column, GivenSplit, Raw
from fedbench.data.values import Features, refuse_bad_values, standardised

if TYPE_CHECKING:
    import pandas as pd

URL = "https://data.nasa.gov/docs/legacy/CMAPSSData.zip"
FLEETS = ("FD001", "FD002", "FD003", "FD004")
ROWS = ((20631, 13096), (53759, 33991), (24720, 16596), (61249, 41214))  # training and test
ENGINES = ((100, 100), (260, 259), (100, 100), (249, 248))
SETTINGS = tuple(f"setting {k}" for k in (1, 2, 3))
SENSORS = tuple(f"sensor {k}" for k in range(1, 22))
NAMES = ("unit", "cycle", *SETTINGS, *SENSORS)
FAR = 5.0  # standard deviations beyond which a sensor is cut off
CONDITIONS = ((0, 0), (10, 0.25), (20, 0.7), (25, 0.62), (35, 0.84), (42, 0.84))


def _file(name: str, size: int, sha256: str) -> File:
    return File(f"cmapss/{name}.txt", size, sha256, URL)


class CMAPSS(GivenSplit):
    """How many flights an engine has left, 709 engines of four fleets (Saxena and Goebel 2008).

    Settings and sensors of a flight, the mean of each sensor over the last `window` flights, and
    which of six operating conditions it was; sensors are standardised by all training flights in
    the same condition. Remaining life is capped at `ceiling` flights, since a new engine shows no
    wear. The test set is the last known flight of each test engine, as published.
    """

    display: ClassVar[str] = "C-MAPSS"

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (2 * len(SENSORS) + len(SETTINGS) + len(CONDITIONS),)
    files: ClassVar[tuple[File, ...]] = (
        _file(
            "train_FD001",
            3515356,
            "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
        ),
        _file(
            "test_FD001",
            2228855,
            "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
        ),
        _file(
            "RUL_FD001",
            429,
            "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
        ),
        _file(
            "train_FD002",
            9082480,
            "dac6c4dbc4e7c1bdeb5747da3d313d05c395bb99801b44a002b26a2ba13d788f",
        ),
        _file(
            "test_FD002",
            5734587,
            "de7b5bf7e998a985c378488480528b7c02cff1406a46740def362dda8d9b4e02",
        ),
        _file(
            "RUL_FD002",
            1110,
            "c851dd96a6ea6998d3c4a8f834d3c8013aa90e93a6ed950dc826ad0655b2906b",
        ),
        _file(
            "train_FD003",
            4213862,
            "2abbe9968cc5e8eb091980f51b20f62bb4127336d3482cb52071d53bf23329e2",
        ),
        _file(
            "test_FD003",
            2826651,
            "299babd63c8d987cef079c4a425429f33b3a34797d803bbe2ad48c29dbd0d790",
        ),
        _file(
            "RUL_FD003",
            428,
            "df1e0566306b174a2de41c67a3e7a51877889598b78643fc3e5685259091b7cb",
        ),
        _file(
            "train_FD004",
            10350705,
            "27ef6160b6a1dcb2613a88de9c239f763b223f02cdc41dc5cdedc5dc189b6218",
        ),
        _file(
            "test_FD004",
            6957759,
            "1dc675fff0624bac10786927c6715b37d1297657137400d2b1a3138d777a3ba5",
        ),
        _file(
            "RUL_FD004",
            1084,
            "196b836b85a95ac7fdbbf29c5fdf1657382eafa445644d114ffaaf50dc2975e1",
        ),
    )
    window: Annotated[
        int,
        Field(
            ge=1,
            le=50,
            title="Window",
            description=(
                "number of latest flights that each sensor is averaged over: more are smoother "
                "and slower"
            ),
            json_schema_extra={"slider": [1, 50, 1], "unit": "flights"},
        ),
    ] = 10
    ceiling: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            title="Ceiling",
            description=(
                "remaining life is capped at this value, because an engine shows no wear before"
            ),
            json_schema_extra={
                "slider": [50, 300, 5],
                "unit": "flights",
                "formula": "y = min(flights left, ceiling)",
            },
        ),
    ] = 125

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are four fleets; the training engines are clients too."""
        return {"fleet": len(FLEETS), "engine": sum(train for train, _ in ENGINES)}

    @property
    def overlap(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return how many examples average a flight."""
        return self.window

    def table(self) -> Raw:
        """Return 51 features of each training flight and of each test engine's last flight."""
        import pandas as pd

        read, lives, engines = [], [], []
        for k in range(len(FLEETS)):
            train, test, life = self.files[3 * k : 3 * k + 3]
            read += [
                _read(train, ROWS[k][0], ENGINES[k][0]),
                _read(test, ROWS[k][1], ENGINES[k][1]),
            ]
            lives.append(np.loadtxt(io.BytesIO(life.read()), dtype=np.int64))
            expect(life, "engines", len(lives[k]), ENGINES[k][1])
            engines += [sum(count for count, _ in ENGINES[:k])] * 2
        flights = pd.concat(read, keys=range(len(read)), names=["part"]).reset_index("part")
        part = flights["part"].to_numpy()
        held = part % 2 == 1
        cycle = flights["cycle"].to_numpy()
        keys = [flights["part"], flights["unit"]]
        left = flights.groupby(keys)["cycle"].transform("max").to_numpy() - cycle
        last = np.flatnonzero(held & (left == 0))
        left[last] = np.concatenate(lives)
        x = self._features(flights, held)
        kept = np.sort(np.concatenate([np.flatnonzero(~held), last]))
        # a test engine trained nothing: it is put to the training engine of the same number
        engine = np.array(engines)[part] + flights["unit"].to_numpy() - 1
        return Raw(
            self._card(),
            x[kept],
            np.minimum(left, self.ceiling)[kept].astype(np.float32),
            {
                "fleet": Column(FLEETS, (part // 2)[kept]),
                "engine": Column(_engine_names(), engine[kept]),
            },
            held=held[kept],
        )

    def _features(self, flights: pd.DataFrame, held: NDArray[np.bool_]) -> NDArray[np.float32]:
        condition = _condition(flights)
        sensors = flights[list(SENSORS)].to_numpy(dtype=np.float64)
        for k in range(len(CONDITIONS)):
            here = condition == k
            # a sensor that stands still but for a few flights would be told in hundreds
            sensors[here] = standardised(sensors[here], ~held[here]).clip(-FAR, FAR)
        # an engine's flights follow one another and are numbered from 1
        end = np.arange(1, len(flights) + 1)
        begin = end - np.minimum(flights["cycle"].to_numpy(), self.window)
        total = np.concatenate([np.zeros((1, len(SENSORS))), sensors.cumsum(axis=0)])
        mean = (total[end] - total[begin]) / (end - begin)[:, None]
        indicators = np.eye(len(CONDITIONS))[condition]
        settings = flights[list(SETTINGS)]
        return np.column_stack([sensors, mean, settings, indicators]).astype(np.float32)

    def _card(self) -> Card:
        return Card(
            name="C-MAPSS",
            source="NASA Prognostics Data Repository, Turbofan Engine Degradation Simulation "
            "(Saxena and Goebel 2008)",
            licence="public, a work of the US government",
            task=self.task,
            shape=self.shape,
            features=(
                *SENSORS,
                *(f"{name}, mean of {self.window} flights" for name in SENSORS),
                *SETTINGS,
                *(f"condition {k + 1}" for k in range(len(CONDITIONS))),
            ),
            target="remaining flights",
            target_unit="flights",
            client="fleet",
            traps=(
                "an engine has a hundred or more training rows and one test row",
                f"remaining life is capped at {self.ceiling} flights: scores with another "
                "ceiling cannot be compared",
                f"within a condition sensors are cut off at {FAR:g} standard deviations",
                "sensors depend on the operating condition more than on wear; two fleets know one "
                "condition, two know six",
                "the readme of the data swaps the numbers of engines of FD004: there are 249 for "
                "training and 248 for test",
                "with engines as clients, a test engine goes to the training engine of the "
                "same number, which is unrelated to it",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return all but the conditions standardised by the training flights."""
        refuse_bad_values(raw.card, "raw", raw.x, raw.y)
        x = raw.x.copy()
        numbers = x.shape[1] - len(CONDITIONS)
        x[:, :numbers] = standardised(raw.x[:, :numbers], ~held)
        return x


def _read(file: File, rows: int, engines: int) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_csv(io.BytesIO(file.read()), sep=r"\s+", header=None, names=list(NAMES))
    expect(file, "rows", len(table), rows)
    expect(file, "engines", table["unit"].nunique(), engines)
    return table


def _condition(flights: pd.DataFrame) -> NDArray[np.int64]:
    """Return which of the six operating conditions each flight was in, by altitude and Mach."""
    settings = flights[list(SETTINGS[:2])].to_numpy()
    known = np.array(CONDITIONS)
    far = np.abs(settings[:, None] - known) / known.max(axis=0)
    return far.sum(axis=2).argmin(axis=1)


def _engine_names() -> tuple[str, ...]:
    counts = zip(FLEETS, ENGINES, strict=True)
    return tuple(f"{fleet}-{k + 1}" for fleet, (train, _) in counts for k in range(train))
