"""Patients with diabetes in American hospitals."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

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

if TYPE_CHECKING:
    import pandas as pd

ROWS, COLUMNS, PATIENTS, SOON = 101_766, 50, 71_518, 11_357
KEPT, KEPT_PATIENTS = 99_343, 69_990
# died, or went to a hospice: nobody of these can come back
ENDED = ("11", "13", "14", "19", "20", "21")
UNKNOWN = "not known"
NUMBERS = {
    "age": "age (middle of ten years)",
    "time_in_hospital": "days in hospital",
    "num_lab_procedures": "laboratory tests",
    "num_procedures": "procedures",
    "num_medications": "drugs",
    "number_outpatient": "outpatient visits, year before",
    "number_emergency": "emergency visits, year before",
    "number_inpatient": "inpatient visits, year before",
    "number_diagnoses": "diagnoses",
}
RACE = {
    "Caucasian": "Caucasian",
    "AfricanAmerican": "African American",
    "Hispanic": "Hispanic",
    "Asian": "Asian",
    "Other": "other",
    "?": UNKNOWN,
}
SEX = {"Female": "female", "Male": "male", "Unknown/Invalid": UNKNOWN}
ADMISSION = {
    "1": "emergency",
    "2": "urgent",
    "3": "elective",
    "4": "other",  # newborn and trauma: 31 of 99,343 in all
    "7": "other",
    **dict.fromkeys("568", UNKNOWN),
}
GLUCOSE = {"None": "not measured", "Norm": "normal", ">200": "over 200", ">300": "over 300"}
A1C = {"None": "not measured", "Norm": "normal", ">7": "over 7 %", ">8": "over 8 %"}
DOSE = {"No": "none", "Steady": "steady", "Up": "raised", "Down": "lowered"}
YES = {"No": "no", "Yes": "yes"}
CHANGE = {"No": "no", "Ch": "yes"}
CODED = (
    ("race", "race", RACE),
    ("sex", "gender", SEX),
    ("admission", "admission_type_id", ADMISSION),
    ("glucose", "max_glu_serum", GLUCOSE),
    ("A1c", "A1Cresult", A1C),
    ("insulin", "insulin", DOSE),
    ("metformin", "metformin", DOSE),
    ("drugs changed", "change", CHANGE),
    ("drug for diabetes", "diabetesMed", YES),
)
# The first diagnosis by the groups of Strack et al. 2014, from the first to the last code of ICD-9.
ILLNESSES = (
    ("circulation", ((390, 459), (785, 785))),
    ("respiration", ((460, 519), (786, 786))),
    ("digestion", ((520, 579), (787, 787))),
    ("diabetes", ((250, 250),)),
    ("injury", ((800, 999),)),
    ("muscles and bones", ((710, 739),)),
    ("urogenital", ((580, 629), (788, 788))),
    ("neoplasms", ((140, 239),)),
)
OTHER = "other"
COMMON = 500  # admissions from which on a specialty is told apart
SPECIALTIES = 15
AGES = 10


class Diabetes130(RandomSplit):
    """Whether a patient with diabetes is readmitted within 30 days (Strack et al. 2014).

    99,343 admissions of 69,990 patients to 130 US hospitals, 1999 to 2008, without those that ended
    in death or a hospice. Nine numbers, and coded columns as indicators. All admissions of a
    patient are on one side of the split and, since groups are those of the first admission, with
    one client.
    """

    display: ClassVar[str] = "Diabetes 130"

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (52,)
    ranked: ClassVar[bool] = True
    files: ClassVar[tuple[File, ...]] = (
        File(
            "diabetes-130us/dataset_diabetes",
            19159383,
            "0689e7ec031237dc63031b938805c48377748761a3b26acab621567afa24df97",
            "https://archive.ics.uci.edu/ml/machine-learning-databases/00296/dataset_diabetes.zip",
            "dataset_diabetes/diabetic_data.csv",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return the columns by which patients can be told apart; hospitals are not named."""
        return {"specialty": SPECIALTIES, "age": AGES, "race": len(RACE)}

    def table(self) -> Raw:
        """Return 52 features of 99,343 admissions, and back within 30 days (1) or not (0)."""
        import pandas as pd

        file = self.files[0]
        # the text "None" is a value here: tests that were not made
        table = pd.read_csv(io.BytesIO(file.read()), keep_default_na=False, dtype=str)
        expect(file, "rows and columns", table.shape, (ROWS, COLUMNS))
        expect(file, "patients", table["patient_nbr"].nunique(), PATIENTS)
        expect(file, "back within 30 days", np.count_nonzero(table["readmitted"] == "<30"), SOON)
        ended = table["discharge_disposition_id"].isin(ENDED)
        table: pd.DataFrame = table.loc[~ended].reset_index(drop=True)
        expect(file, "admissions that could be followed", len(table), KEPT)
        _, first, patient = np.unique(
            table["patient_nbr"].to_numpy(dtype=np.int64), return_index=True, return_inverse=True
        )
        expect(file, "patients that could be followed", len(first), KEPT_PATIENTS)
        coded = {
            name: categories(file, column, table[column].to_numpy(), meaning)
            for name, column, meaning in CODED
        }
        coded["illness"] = _illness(table["diag_1"].to_numpy(dtype=str))
        age = Column.of(table["age"].to_numpy(dtype=str))
        table["age"] = age.codes * 10 + 5
        numbers = table[list(NUMBERS)].to_numpy(dtype=np.float32)
        groups = {
            "specialty": _specialty(table["medical_specialty"].to_numpy(dtype=str), first),
            "age": Column(tuple(f"{10 * k} to {10 * k + 9}" for k in range(AGES)), age.codes),
            "race": coded["race"],
        }
        return Raw(
            self._card(coded),
            np.column_stack([numbers, *(indicators(column) for column in coded.values())]),
            (table["readmitted"] == "<30").to_numpy(dtype=np.int64),
            {name: column[first][patient] for name, column in groups.items()},
            units=patient.astype(np.int64),
        )

    def _card(self, coded: Mapping[str, Column]) -> Card:
        names = (name for each in coded.items() for name in indicator_names(*each))
        return Card(
            name="Diabetes 130-US",
            source="UCI Diabetes 130-US Hospitals for Years 1999-2008 (Strack et al. 2014)",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=(*NUMBERS.values(), *names),
            target="back within 30 days",
            classes=("no", "yes"),
            client="specialty",
            traps=(
                "the 130 hospitals are not named: the specialty of the admitting physician, "
                "unknown for half the patients, stands in for one",
                "2,423 admissions that ended in death or a hospice are left out: they cannot be "
                "followed by another",
                "patients return, some of them 40 times: rows are not independent",
                "11 % are readmitted within 30 days: accuracy misleads",
                "weight, payer and the diagnoses after the first are left out",
            ),
        )

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the numbers standardised by the training rows, and the indicators as they are."""
        return scaled_numbers(raw, held, len(NUMBERS))


def _illness(codes: NDArray[np.str_]) -> Column:
    """Return the group of each diagnosis; codes that begin with a letter are of no illness."""
    number = np.floor([float(code) if code[0].isdecimal() else np.nan for code in codes])
    group = np.full(len(codes), len(ILLNESSES), dtype=np.int64)
    for k, (_, spans) in enumerate(ILLNESSES):
        for low, high in spans:
            group[(number >= low) & (number <= high)] = k
    return Column((*(name for name, _ in ILLNESSES), OTHER), group)


def _specialty(said: NDArray[np.str_], first: NDArray[np.int64]) -> Column:
    """Return the specialty of each row; rare ones, counted by patients' first rows, are one."""
    names, counts = np.unique(said[first], return_counts=True)
    known = {str(name): str(name) for name in names[counts >= COMMON]} | {"?": UNKNOWN}
    return Column.of(np.array([known.get(name, OTHER) for name in said]))
