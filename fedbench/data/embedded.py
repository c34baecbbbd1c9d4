"""Real data sets that come with scikit-learn, so that they are there without a network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.source import RandomSplit, Raw
from fedbench.data.values import Features

MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)


class Digits(RandomSplit):
    """Handwritten digits, 1797 images of 8 × 8 pixels in [0, 1] (Alpaydin and Kaynak 1998)."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (8, 8)
    strata_sizes: ClassVar[tuple[int, ...]] = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)

    def table(self) -> Raw:
        """Return pixels [1797, 8, 8], divided by their largest value 16, and the digit."""
        rows = _read("digits.csv.gz")
        card = Card(
            name="Digits",
            source="UCI Optical Recognition of Handwritten Digits (test part), in scikit-learn",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=tuple(f"pixel {k // 8},{k % 8}" for k in range(64)),
            target="digit",
            classes=tuple("0123456789"),
        )
        pixels = (rows[:, :-1] / 16).astype(np.float32).reshape(-1, *self.shape)
        return Raw(card, pixels, rows[:, -1].astype(np.int64))

    @property
    def fitted(self) -> tuple[str, ...]:
        """Return what is computed from the rows before any noise: nothing."""
        return ()

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the pixels unchanged: their scale is known without looking at any row."""
        return raw.x


class BreastCancer(RandomSplit):
    """Breast Cancer Wisconsin (Diagnostic), 569 biopsies, 30 features (Street et al. 1993)."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (30,)
    strata_sizes: ClassVar[tuple[int, ...]] = (212, 357)

    def table(self) -> Raw:
        """Return 30 measurements of cell nuclei [569, 30] and benign (1) or malignant (0)."""
        rows = _read("breast_cancer.csv", header=1)
        card = Card(
            name="Breast cancer",
            source="UCI Breast Cancer Wisconsin (Diagnostic), in scikit-learn",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=tuple(f"{kind} {m}" for kind in ("mean", "error", "worst") for m in MEASURES),
            target="diagnosis",
            classes=("malignant", "benign"),
        )
        return Raw(card, rows[:, :-1].astype(np.float32), rows[:, -1].astype(np.int64))


class Wine(RandomSplit):
    """Wine recognition, 178 wines of three growers, 13 chemical features (Forina et al. 1988)."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (13,)
    strata_sizes: ClassVar[tuple[int, ...]] = (59, 71, 48)

    def table(self) -> Raw:
        """Return 13 chemical measurements [178, 13] and the grower."""
        rows = _read("wine_data.csv", header=1)
        names = (
            "alcohol,malic acid,ash,alcalinity of ash,magnesium,total phenols,flavanoids,"
            "nonflavanoid phenols,proanthocyanins,color intensity,hue,OD280/OD315,proline"
        )
        card = Card(
            name="Wine",
            source="UCI Wine, in scikit-learn",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=tuple(names.split(",")),
            target="grower",
            classes=("grower 1", "grower 2", "grower 3"),
        )
        return Raw(card, rows[:, :-1].astype(np.float32), rows[:, -1].astype(np.int64))


class DiabetesProgression(RandomSplit):
    """Diabetes progression after one year, 442 patients, 10 features (Efron et al. 2004)."""

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (10,)
    strata_sizes: ClassVar[tuple[int, ...]] = (46, 45, 43, 44, 43, 46, 42, 45, 44, 44)

    def table(self) -> Raw:
        """Return 10 baseline measurements [442, 10] and the progression score, 25 to 346."""
        card = Card(
            name="Diabetes progression",
            source="Efron, Hastie, Johnstone and Tibshirani 2004, in scikit-learn",
            licence="public; cite the paper",
            task=self.task,
            shape=self.shape,
            features=("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
            target="progression",
            target_unit="points",
        )
        x = _read("diabetes_data_raw.csv.gz", delimiter=None)
        return Raw(card, x.astype(np.float32), _read("diabetes_target.csv.gz").astype(np.float64))


def _read(name: str, *, header: int = 0, delimiter: str | None = ",") -> NDArray[np.float64]:
    # The files are read in place: importing sklearn.datasets for them costs over a second, which a
    # person who opens the workbench would wait for. Tests compare with scikit-learn's own readers.
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scikit-learn is missing: pip install scikit-learn")
    path = Path(spec.origin).parent / "datasets" / "data" / name
    return np.loadtxt(path, delimiter=delimiter, skiprows=header, ndmin=1)
