"""The embedded sets are scikit-learn's own, up to the split and the scale."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets

import fedbench as fb
from fedbench.data import Source

LOADERS = [
    (fb.Digits(), datasets.load_digits, 1 / 16),
    (fb.BreastCancer(), datasets.load_breast_cancer, 1),
    (fb.Wine(), datasets.load_wine, 1),
]


@pytest.mark.parametrize(("source", "loader", "scale"), LOADERS, ids=lambda x: type(x).__name__)
def test_classification_tables_equal_scikit_learns(source: Source, loader, scale: float) -> None:
    raw = source.table()
    card, x, y = raw.card, raw.x, raw.y
    oracle = loader()
    images = oracle.data.reshape(x.shape)
    np.testing.assert_array_equal(x, (images * scale).astype(np.float32))
    np.testing.assert_array_equal(y, oracle.target)
    assert len(card.classes) == len(oracle.target_names)


def test_diabetes_equals_scikit_learns_raw_table() -> None:
    raw = fb.DiabetesProgression().table()
    card, x, y = raw.card, raw.x, raw.y
    oracle = datasets.load_diabetes(scaled=False)
    np.testing.assert_array_equal(x, oracle.data.astype(np.float32))
    np.testing.assert_array_equal(y, oracle.target)
    assert list(card.features) == oracle.feature_names


def test_columns_are_in_scikit_learns_order() -> None:
    cancer = [str(name).split() for name in datasets.load_breast_cancer().feature_names]
    ours = [name.split() for name in fb.BreastCancer().table().card.features]
    assert [sorted(name) for name in ours] == [sorted(name) for name in cancer]
    wine = datasets.load_wine().feature_names
    ours = [name.replace(" ", "_").lower() for name in fb.Wine().table().card.features]
    assert all(theirs.startswith(name) for name, theirs in zip(ours, wine, strict=True))


def test_class_names_are_in_scikit_learns_order() -> None:
    assert list(fb.BreastCancer().table().card.classes) == list(
        datasets.load_breast_cancer().target_names
    )
    assert [int(name) for name in fb.Digits().table().card.classes] == list(
        datasets.load_digits().target_names
    )


def test_digits_are_pixels_in_the_unit_interval() -> None:
    data = fb.Digits().load()
    assert data.x.min() == 0 and data.x.max() == 1
    x, y = fb.Digits().table().x, fb.Digits().table().y
    known = {row.tobytes() + bytes([label]) for row, label in zip(x, y, strict=True)}
    held = [row.tobytes() + bytes([label]) for row, label in zip(data.x, data.y, strict=True)]
    assert set(held) <= known
