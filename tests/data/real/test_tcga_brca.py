"""TCGA-BRCA: the outcome at a horizon, the regions and the split of FLamby."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.files import home

BRCA = fb.TCGABRCA()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in BRCA.files), reason="its files are not in FEDBENCH_DATA"
)
# training and test patients of each region in FLamby's split, whatever became of them
PUBLISHED = [(248, 63), (156, 40), (164, 42), (129, 33), (129, 33), (40, 11)]


def records() -> list[dict[str, str]]:
    """Return the patients of the split, read by another reader than the loader's."""
    patients, split = (file.cached for file in BRCA.files)
    assert patients is not None and split is not None
    with patients.open() as file:
        by_id = {row["pid"]: row for row in csv.DictReader(file)}
    with split.open() as file:
        return [{**by_id[row["pid"]], **row} for row in csv.DictReader(file)]


def test_the_split_is_the_published_one() -> None:
    rows = records()
    counted = [
        tuple(sum(row["fold2"] == f"{fold}_{k}" for row in rows) for fold in ("train", "test"))
        for k in range(6)
    ]
    assert counted == PUBLISHED
    assert sum(float(row["E"]) for row in rows) == 151
    assert not any(value == "" for row in rows for value in row.values())


def test_regions_are_those_of_the_tissue_source_sites() -> None:
    place = home() / "fed-tcga-brca" / "centers.csv"
    if not place.is_file():
        pytest.skip("no centers.csv beside the other files")
    with place.open() as file:
        regions = {row["TSS Code"]: row["Region"] for row in csv.DictReader(file)}
    names = BRCA.table().columns["region"].names
    assert all(regions[r["pid"].split("-")[1]] == names[int(r["fold2"][-1])] for r in records())


@pytest.mark.parametrize(
    ("years", "dead", "alive"), [(1, 20, 915), (2, 39, 599), (3, 69, 436), (5, 99, 253)]
)
def test_outcomes_at_a_horizon(years: float, dead: int, alive: int) -> None:
    raw = fb.TCGABRCA(years=years).table()
    assert np.bincount(raw.y).tolist() == [alive, dead]
    assert raw.card.target == f"dead within {years} years"


def test_each_patient_is_counted_as_the_records_say() -> None:
    raw = BRCA.table()
    kept = [r for r in records() if float(r["T"]) > 1826.25 or float(r["E"]) == 1]
    died = [float(r["E"]) == 1 and float(r["T"]) <= 1826.25 for r in kept]
    assert raw.held is not None and len(kept) == 352
    np.testing.assert_array_equal(raw.y, np.array(died, dtype=int))
    np.testing.assert_array_equal(raw.x[:, 0], [float(r["age_at_index"]) for r in kept])
    np.testing.assert_array_equal(raw.held, [r["fold"] == "test" for r in kept])


def test_who_is_left_at_five_years() -> None:
    raw = BRCA.table()
    region = raw.columns["region"].codes
    counted = [np.bincount(raw.y[region == k], minlength=2).tolist() for k in range(6)]
    # alive, dead: as the card warns, 9 and 3 patients of Europe and Canada
    assert counted == [[92, 39], [63, 18], [43, 17], [53, 15], [1, 8], [1, 2]]


@pytest.mark.parametrize("years", [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5])
def test_every_region_has_somebody_to_train_on(years: float) -> None:
    data = fb.TCGABRCA(years=years).load()
    region = data.columns["region"].codes
    assert np.bincount(region, minlength=6).min() >= 2
    assert set(data.y) == set(data.y_test) == {0, 1}


def test_age_is_standardised_and_indicators_are_not() -> None:
    data = BRCA.load()
    assert data.x.shape == (len(data.y), 39) and len(data.y) + len(data.y_test) == 352
    assert abs(data.x[:, 0].mean()) < 1e-5 and data.x[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert set(np.unique(data.x[:, 1:])) == {0, 1}


def test_columns_that_say_the_same() -> None:
    raw = BRCA.table()
    twins = [(a, b) for a in range(39) for b in range(a) if (raw.x[:, a] == raw.x[:, b]).all()]
    assert len(twins) >= 5  # as the card warns
