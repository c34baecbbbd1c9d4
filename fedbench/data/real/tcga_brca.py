"""Survival with breast cancer in six regions."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect, scaled_numbers
from fedbench.data.source import Column, GivenSplit, Raw
from fedbench.data.values import Features

URL = (
    "https://raw.githubusercontent.com/owkin/FLamby/edacf54d5211520583b0133d55ac39b6fda8324b/"
    "flamby/datasets/fed_tcga_brca"
)
REGIONS = ("Northeast", "South", "West", "Midwest", "Europe", "Canada")
PATIENTS, SPLIT, DEATHS = 1096, 1088, 151
FEATURES = 39
YEAR = 365.25  # days


class TCGABRCA(GivenSplit):
    """Who dies of breast cancer within some years, in six regions (The Cancer Genome Atlas).

    Patients, 39 features, regions and test set are those of FLamby (du Terrail et al. 2022,
    arXiv:2210.04620). There the outcome is a time to death, fitted by Cox's loss; here it is death
    within `years` of diagnosis or not, so that any classifier can learn it. Patients last seen
    alive before that are left out, because their outcome is unknown: of 1088 patients 352 remain at
    5 years and 505 at 3.
    """

    display: ClassVar[str] = "TCGA-BRCA"

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (FEATURES,)
    files: ClassVar[tuple[File, ...]] = (
        File(
            "fed-tcga-brca/brca.csv",
            113184,
            "07cb53423f7d579d33cfdbf2cba57b2aee75318b85866c68ce39a75b1f1ba020",
            f"{URL}/brca.csv",
        ),
        File(
            "fed-tcga-brca/train_test_split.csv",
            28946,
            "1249c6543a4060ff0fdaf8510fc37017755836db6c9fc5e6af96057c36510990",
            f"{URL}/dataset_creation_scripts/train_test_split.csv",
        ),
    )
    years: Annotated[
        float,
        Field(
            ge=1,
            le=5,
            title="Horizon",
            description=(
                "death within this time of diagnosis is predicted; patients followed for "
                "less time are left out"
            ),
            json_schema_extra={"slider": [1, 5, 0.5], "unit": "years"},
        ),
    ] = 5.0

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are six regions."""
        return {"region": len(REGIONS)}

    def table(self) -> Raw:
        """Return 39 features of the patients whose outcome is known, and death (1) or life (0)."""
        import pandas as pd

        patients, split = (pd.read_csv(io.BytesIO(file.read())) for file in self.files)
        expect(self.files[0], "patients", len(patients), PATIENTS)
        expect(self.files[1], "patients", len(split), SPLIT)
        table = split.merge(patients, on="pid", validate="one_to_one")
        expect(self.files[0], "patients of the split", len(table), SPLIT)
        dead = table["E"].to_numpy() == 1
        expect(self.files[0], "deaths", np.count_nonzero(dead), DEATHS)
        limit = self.years * YEAR
        days = table["T"].to_numpy(dtype=np.float64)
        died = dead & (days <= limit)
        known = died | (days > limit)
        names = [name for name in patients.columns if name not in ("pid", "E", "T")]
        x = table[names].to_numpy(dtype=np.float32)
        region = table["fold2"].str[-1].to_numpy(dtype=np.int64)
        return Raw(
            self._card(tuple(name.replace("_", " ") for name in names)),
            x[known],
            died[known].astype(np.int64),
            {"region": Column(REGIONS, region[known])},
            held=(table["fold"] == "test").to_numpy()[known],
        )

    def _card(self, features: tuple[str, ...]) -> Card:
        return Card(
            name="TCGA-BRCA",
            source="The Cancer Genome Atlas (GDC data portal), as prepared by FLamby (Owkin)",
            licence="GDC open-access terms: no attempt may be made to identify a participant",
            task=self.task,
            shape=self.shape,
            features=features,
            target=f"dead within {self.years:g} years",
            classes=("alive", "dead"),
            client="region",
            traps=(
                f"patients last seen alive within {self.years:g} years are left out, which "
                "leaves too many deaths: the share here is not the mortality",
                "the outcome is survival; FLamby's figures are concordances of a Cox model and "
                "cannot be compared",
                "few patients of Europe and Canada remain: 9 and 3 at 5 years",
                "tumour stages appear twice, under the names of two standards, and so do "
                "morphology and diagnosis",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the age standardised by the training rows, and the indicators as they are."""
        return scaled_numbers(raw, held, 1)
