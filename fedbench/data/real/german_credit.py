"""Credits of a German bank."""

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

ROWS, COLUMNS, BAD = 1000, 21, 300
NUMBERS = {
    1: "duration (months)",
    4: "amount (DM)",
    7: "instalment rate (% of income)",
    10: "years at residence",
    12: "age",
    15: "loans at this bank",
    17: "dependants",
}
PURPOSE = {
    "A40": "new car",
    "A41": "used car",
    "A42": "furniture",
    "A43": "radio or television",
    "A44": "household appliances",
    "A45": "repairs",
    "A46": "education",
    "A48": "retraining",
    "A49": "business",
    "A410": "other",
}
STATUS = {
    "A91": "man, divorced or separated",
    "A92": "woman, not single",
    "A93": "man, single",
    "A94": "man, married or widowed",
}
CODES: dict[int, tuple[str, dict[str, str]]] = {
    0: (
        "account",
        {"A11": "below 0 DM", "A12": "0 to 200 DM", "A13": "from 200 DM", "A14": "none"},
    ),
    2: (
        "history",
        {
            "A30": "no loans",
            "A31": "all repaid here",
            "A32": "repaid so far",
            "A33": "delays",
            "A34": "critical",
        },
    ),
    3: ("purpose", PURPOSE),
    5: (
        "savings",
        {
            "A61": "below 100 DM",
            "A62": "100 to 500 DM",
            "A63": "500 to 1000 DM",
            "A64": "from 1000 DM",
            "A65": "none or not known",
        },
    ),
    6: (
        "employed",
        {
            "A71": "no",
            "A72": "under 1 year",
            "A73": "1 to 4 years",
            "A74": "4 to 7 years",
            "A75": "from 7 years",
        },
    ),
    8: ("personal status", STATUS),
    9: ("others liable", {"A101": "none", "A102": "co-applicant", "A103": "guarantor"}),
    11: (
        "property",
        {"A121": "real estate", "A122": "savings or insurance", "A123": "car", "A124": "none"},
    ),
    13: ("other instalments", {"A141": "bank", "A142": "shops", "A143": "none"}),
    14: ("housing", {"A151": "rent", "A152": "own", "A153": "free"}),
    16: (
        "work",
        {
            "A171": "unskilled, not resident",
            "A172": "unskilled",
            "A173": "skilled",
            "A174": "leading",
        },
    ),
    18: ("telephone", {"A191": "no", "A192": "yes"}),
    19: ("foreign worker", {"A201": "yes", "A202": "no"}),
}


class GermanCredit(RandomSplit):
    """Whether a loan defaults, 1000 customers of a bank (Hofmann 1994, Statlog).

    Seven numbers, and the 13 coded columns as one indicator for each of their values.
    """

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (61,)
    # good and bad, of each purpose
    strata_sizes: ClassVar[tuple[int, ...]] = (
        *(145, 89, 86, 17, 123, 58, 218, 62, 8, 4),
        *(14, 8, 28, 22, 8, 1, 63, 34, 7, 5),
    )
    files: ClassVar[tuple[File, ...]] = (
        File(
            "german-credit/german.data",
            79793,
            "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
            "https://archive.ics.uci.edu/ml/machine-learning-databases/statlog/german/german.data",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return the columns by which customers can be told apart."""
        return {"purpose": len(PURPOSE), "personal status": len(STATUS)}

    def table(self) -> Raw:
        """Return 61 features of 1000 customers, and bad (1) or good (0)."""
        file = self.files[0]
        rows = np.loadtxt(io.BytesIO(file.read()), dtype=str)
        expect(file, "rows and columns", rows.shape, (ROWS, COLUMNS))
        bad = rows[:, -1] == "2"
        expect(file, "bad loans", np.count_nonzero(bad), BAD)
        coded = {
            name: categories(file, name, rows[:, k], meaning)
            for k, (name, meaning) in CODES.items()
        }
        numbers = rows[:, list(NUMBERS)].astype(np.float32)
        x = np.column_stack([numbers, *(indicators(column) for column in coded.values())])
        columns = {name: coded[name] for name in self.natural}
        return Raw(self._card(coded), x, bad.astype(np.int64), columns)

    def _card(self, coded: Mapping[str, Column]) -> Card:
        names = (name for each in coded.items() for name in indicator_names(*each))
        return Card(
            name="German credit",
            source="UCI Statlog (German Credit Data), Hans Hofmann",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(*NUMBERS.values(), *names),
            target="credit",
            classes=("good", "bad"),
            client="purpose",
            traps=(
                "no column names a branch: purpose and personal status stand in for one, and "
                "are features as well",
                "defaults are over-sampled: 300 of 1000",
                "according to the donor, granting a bad loan costs five times as much as "
                "refusing a good one: accuracy misleads",
                "personal status mixes sex with marital status, and single women do not occur",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the numbers standardised by the training rows, and the indicators as they are."""
        return scaled_numbers(raw, held, len(NUMBERS))
