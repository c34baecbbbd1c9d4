"""Incomes in the United States."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect, indicator_names, indicators, scaled_numbers
from fedbench.data.source import Column, GivenSplit, Raw
from fedbench.data.values import Features

if TYPE_CHECKING:
    import pandas as pd

URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult"
NAMES = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status"),
    *("occupation", "relationship", "race", "sex", "capital-gain", "capital-loss"),
    *("hours-per-week", "native-country", "income"),
)
ROWS, RICH, INCOMPLETE = (32_561, 16_281), (7841, 3846), (2399, 1221)
NUMBERS = {
    "age": "age",
    "education-num": "years of education",
    "capital-gain": "capital gain ($)",
    "capital-loss": "capital loss ($)",
    "hours-per-week": "hours a week",
}
CODED = {  # and how many values each has, what is not known among them
    "workclass": 9,
    "marital-status": 7,
    "occupation": 15,
    "relationship": 6,
    "race": 5,
    "sex": 2,
    "native-country": 42,
}
GROUPS = {"education": 16, "occupation": 15, "workclass": 9, "race": 5, "sex": 2}
UNKNOWN = "not known"


class AdultIncome(GivenSplit):
    """Whether a person earns more than $50,000 a year, US census of 1994 (Kohavi 1996).

    Five numbers, and seven coded columns as one indicator for each of their values, including "not
    known". The test set is the publishers'.
    """

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(NUMBERS) + sum(CODED.values()),)
    files: ClassVar[tuple[File, ...]] = (
        File(
            "adult/adult.data",
            3974305,
            "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
            f"{URL}/adult.data",
        ),
        File(
            "adult/adult.test",
            2003153,
            "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
            f"{URL}/adult.test",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return the columns by which people can be told apart."""
        return GROUPS

    @property
    def training_samples(self) -> int:
        """Return how many rows the publishers gave for training."""
        return ROWS[0]

    def table(self) -> Raw:
        """Return 91 features of 48,842 people, and more than $50,000 (1) or not (0)."""
        import pandas as pd

        parts = [self._part(k) for k in (0, 1)]
        table = pd.concat(parts, ignore_index=True)
        coded = {name: Column.of(table[name].to_numpy(dtype=str)) for name in (*CODED, *GROUPS)}
        for name, values in (CODED | GROUPS).items():
            expect(self.files[0], f"values of {name}", len(coded[name].names), values)
        numbers = table[list(NUMBERS)].to_numpy(dtype=np.float32)
        x = np.column_stack([numbers, *(indicators(coded[name]) for name in CODED)])
        return Raw(
            self._card(coded),
            x,
            table["income"].str.startswith(">50K").to_numpy(dtype=np.int64),
            {name: coded[name] for name in GROUPS},
            held=np.repeat([False, True], ROWS),
        )

    def _part(self, k: int) -> pd.DataFrame:
        import pandas as pd

        file = self.files[k]
        # the test file begins with a remark
        table = pd.read_csv(
            io.BytesIO(file.read()),
            header=None,
            names=list(NAMES),
            skipinitialspace=True,
            na_values="?",
            keep_default_na=False,
            skiprows=k,
        )
        expect(file, "rows", len(table), ROWS[k])
        expect(file, "incomes above", int(table["income"].str.startswith(">50K").sum()), RICH[k])
        expect(file, "incomplete rows", int(table.isna().any(axis=1).sum()), INCOMPLETE[k])
        return table.fillna(UNKNOWN)

    def _card(self, coded: Mapping[str, Column]) -> Card:
        names = (name for each in CODED for name in indicator_names(each, coded[each]))
        return Card(
            name="Adult income",
            source="UCI Adult (Census Income), Becker and Kohavi",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(*NUMBERS.values(), *names),
            target="income",
            classes=("up to $50,000", "more than $50,000"),
            client="education",
            traps=(
                "no column names a holder: education, occupation and others stand in for one, "
                "and are features as well",
                "76 % earn less: accuracy misleads",
                "the census weight (fnlwgt) describes no person and is left out, so shares are "
                "not those of the population",
                "labels of the test file end in a full stop",
                "incomes of 1994: $50,000 was worth about twice as much",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the numbers standardised by the training rows, and the indicators as they are."""
        return scaled_numbers(raw, held, len(NUMBERS))
