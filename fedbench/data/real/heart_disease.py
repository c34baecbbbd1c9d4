"""Heart disease in four hospitals."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.files import DataFileError, File
from fedbench.data.source import Column, RandomSplit, Raw
from fedbench.data.values import Features, refuse_bad_values, standardised

URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease"
HOSPITALS = ("Cleveland", "Budapest", "Zurich and Basel", "Long Beach")
ROWS = (303, 294, 123, 200)
COMPLETE = (303, 261, 46, 130)
COLUMNS = 14
KEPT = (0, 1, 3, 4, 5, 7, 8, 9)  # numbers; cp (2) and restecg (6) become indicators
FEATURES = (
    "age",
    "sex",
    "resting blood pressure",
    "cholesterol",
    "fasting blood sugar",
    "largest heart rate",
    "exercise angina",
    "ST depression",
    *(f"chest pain {k}" for k in (2, 3, 4)),
    *(f"resting ECG {k}" for k in (1, 2)),
)


def _file(place: str, size: int, sha256: str) -> File:
    name = f"processed.{place}.data"
    return File(f"heart-disease/{name}", size, sha256, f"{URL}/{name}")


class HeartDisease(RandomSplit):
    """Whether a patient has heart disease, 740 patients of four hospitals (Detrano et al. 1989).

    Features and rows are those of FLamby (du Terrail et al. 2022, arXiv:2210.04620): slope, vessels
    and thal are left out because most hospitals did not record them, and then incomplete patients.
    """

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (len(FEATURES),)
    # without and with disease, of each hospital
    strata_sizes: ClassVar[tuple[int, ...]] = (164, 139, 163, 98, 1, 45, 29, 101)
    files: ClassVar[tuple[File, ...]] = (
        _file(
            "cleveland", 18461, "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8"
        ),
        _file(
            "hungarian", 10263, "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796"
        ),
        _file(
            "switzerland", 4109, "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314"
        ),
        _file("va", 6737, "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f"),
    )
    scaling: Annotated[
        Literal["pooled", "local"],
        Field(
            title="Scaling",
            description=(
                "whether features are standardised by the training rows of all hospitals "
                "together, or of each hospital separately, so that no statistics are shared"
            ),
        ),
    ] = "pooled"

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are four hospitals."""
        return {"hospital": len(HOSPITALS)}

    def table(self) -> Raw:
        """Return 13 features of 740 patients, and disease (1) or none (0)."""
        parts = [_complete(file, rows) for file, rows in zip(self.files, ROWS, strict=True)]
        for part, file, expected in zip(parts, self.files, COMPLETE, strict=True):
            if len(part) != expected:
                raise DataFileError(
                    f"{file.path}: {len(part)} complete patients, not {expected} as published"
                )
        rows = np.concatenate(parts)
        pain = [rows[:, 2] == k for k in (2, 3, 4)]
        ecg = [rows[:, 6] == k for k in (1, 2)]
        x = np.column_stack([rows[:, KEPT], *pain, *ecg]).astype(np.float32)
        card = Card(
            name="Heart disease",
            source="UCI Heart Disease: Janosi, Steinbrunn, Pfisterer and Detrano",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=FEATURES,
            target="heart disease",
            classes=("none", "disease"),
            client="hospital",
            traps=(
                "cholesterol is 0 where it was not measured, for all 46 Swiss patients and "
                "some of Long Beach: it reveals the hospital as much as the patient",
                "all but one of the Swiss patients kept here are ill",
            ),
        )
        hospital = Column(HOSPITALS, np.repeat(np.arange(len(HOSPITALS)), COMPLETE))
        return Raw(card, x, (rows[:, -1] > 0).astype(np.int64), {"hospital": hospital})

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return standardised features, by all training rows or by those of each hospital."""
        refuse_bad_values(raw.card, "raw", raw.x, raw.y)
        hospital = raw.columns["hospital"].codes
        return standardised(raw.x, ~held, hospital if self.scaling == "local" else None)


def _complete(file: File, rows: int) -> NDArray[np.float64]:
    """Return the patients of a hospital of whom everything but slope, ca and thal is known."""
    read = np.genfromtxt(io.BytesIO(file.read()), delimiter=",", missing_values="?")
    if read.shape != (rows, COLUMNS):
        raise DataFileError(f"{file.path}: a table of {read.shape}, not {(rows, COLUMNS)}")
    used = [k for k in range(COLUMNS) if k not in (10, 11, 12)]
    return read[~np.isnan(read[:, used]).any(axis=1)]
