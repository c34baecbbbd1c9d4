"""The image sets, as their publishers counted them."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize(
    ("source", "counts", "test_counts", "mean", "std"),
    [
        (fb.MNIST(), COUNTS, TEST_COUNTS, 0.1307, 0.3081),
        (fb.FashionMNIST(), [6000] * 10, [1000] * 10, 0.2860, 0.3530),
    ],
    ids=["MNIST", "FashionMNIST"],
)
def test_pixels_and_classes(source, counts, test_counts, mean: float, std: float) -> None:
    if any(file.cached is None for file in source.files):
        pytest.skip("its files are not in FEDBENCH_DATA")
    data = source.load()
    assert data.x.shape == (60_000, 1, 28, 28) and data.x_test.shape == (10_000, 1, 28, 28)
    assert np.bincount(data.y).tolist() == counts
    assert np.bincount(data.y_test).tolist() == test_counts
    assert data.x.mean() == pytest.approx(mean, abs=5e-5)
    assert data.x.std() == pytest.approx(std, abs=5e-5)
    assert data.x.min() == 0 and data.x.max() == 1
    assert source.training_samples == 60_000
