"""Credit cards in Taiwan."""

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

ROWS, COLUMNS, DEFAULTS = 30_000, 25, 6636
TARGET = "default.payment.next.month"
MONTHS = ("September", "August", "July", "June", "May", "April")  # of 2005
PAY = ("PAY_0", *(f"PAY_{k}" for k in range(2, 7)))  # there is no PAY_1
NUMBERS = {
    "LIMIT_BAL": "credit limit",
    "AGE": "age",
    **{name: f"delay, {month}" for name, month in zip(PAY, MONTHS, strict=True)},
    **{f"BILL_AMT{k + 1}": f"bill, {month}" for k, month in enumerate(MONTHS)},
    **{f"PAY_AMT{k + 1}": f"paid, {month}" for k, month in enumerate(MONTHS)},
}
OTHER = "other or not documented"
EDUCATION = {
    "1": "graduate school",
    "2": "university",
    "3": "high school",
    **dict.fromkeys("4056", OTHER),
}
MARRIAGE = {"1": "married", "2": "single", **dict.fromkeys("30", OTHER)}
SEX = {"1": "male", "2": "female"}
BANDS = ("21 to 29", "30 to 39", "40 to 49", "50 to 59", "60 to 79")


class CreditDefault(RandomSplit):
    """Whether a card holder fails to pay next month, 30,000 in Taiwan, 2005 (Yeh and Lien 2009).

    Limit, age, and six months of delays (in months), bills and payments (in NT$), with indicators
    of sex, education and marriage. Codes that the publishers do not explain count as "other".
    """

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (29,)
    ranked: ClassVar[bool] = True
    # paid and in default, of each education
    strata_sizes: ClassVar[tuple[int, ...]] = (8549, 2036, 10700, 3330, 3680, 1237, 435, 33)
    files: ClassVar[tuple[File, ...]] = (
        File(
            "credit-default/UCI_Credit_Card.csv",
            2862995,
            "a0f0ab49d6326671d6cd83be5c88dcf18007025fe9a53ecd699119c871176ca1",
            # UCI gives out an .xls; the same rows as .csv stand among the examples of FATE
            "https://raw.githubusercontent.com/FederatedAI/FATE/"
            "5a06d9e4c4cd7ab97a5c8357828adbffaca87785/examples/data/UCI_Credit_Card.csv",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return the columns by which card holders can be told apart."""
        return {"education": 4, "marriage": 3, "age band": len(BANDS)}

    def table(self) -> Raw:
        """Return 29 features of 30,000 card holders, and default (1) or payment (0)."""
        import pandas as pd

        file = self.files[0]
        table = pd.read_csv(io.BytesIO(file.read()))
        expect(file, "rows and columns", table.shape, (ROWS, COLUMNS))
        target = table[TARGET].to_numpy(dtype=np.int64)
        expect(file, "defaults", np.count_nonzero(target), DEFAULTS)
        coded = {
            name: categories(file, code, table[code].to_numpy(), meaning)
            for name, code, meaning in (
                ("sex", "SEX", SEX),
                ("education", "EDUCATION", EDUCATION),
                ("marriage", "MARRIAGE", MARRIAGE),
            )
        }
        band = np.clip(table["AGE"].to_numpy(dtype=np.int64) // 10 - 2, 0, len(BANDS) - 1)
        numbers = table[list(NUMBERS)].to_numpy(dtype=np.float32)
        x = np.column_stack([numbers, *(indicators(column) for column in coded.values())])
        groups = {**coded, "age band": Column(BANDS, band)}
        columns = {name: groups[name] for name in self.natural}
        return Raw(self._card(coded), x, target, columns)

    def _card(self, coded: Mapping[str, Column]) -> Card:
        names = (name for each in coded.items() for name in indicator_names(*each))
        return Card(
            name="Credit default",
            source="UCI Default of Credit Card Clients (Yeh and Lien 2009), in its edition as csv",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(*NUMBERS.values(), *names),
            target="default next month",
            classes=("paid", "default"),
            client="education",
            traps=(
                "no column names a bank: education, marriage and age band stand in for one, "
                "and are features as well",
                "education 0, 5 and 6 and marriage 0 are not documented (345 and 54 rows) and are "
                "counted as other",
                "a delay of -1 means paid on time; -2 and 0 are not documented and are kept as "
                "they are",
                "amounts have long tails: a payment lies 73 standard deviations from the mean",
                "78 % pay: accuracy misleads",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the numbers standardised by the training rows, and the indicators as they are."""
        return scaled_numbers(raw, held, len(NUMBERS))
