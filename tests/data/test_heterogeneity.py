"""The distance of each client's labels from the whole, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from fedbench.data.heterogeneity import label_distance


def test_equals_scipys_jensen_shannon_distance() -> None:
    counts = np.random.default_rng(0).integers(0, 30, size=(12, 5))
    counts[0] = [40, 0, 0, 0, 0]
    whole = counts.sum(0)
    oracle = [jensenshannon(row, whole, base=2) for row in counts]
    np.testing.assert_allclose(label_distance(counts), oracle, atol=1e-7)


def test_its_ends() -> None:
    assert label_distance(np.array([[3, 6], [1, 2]])) == pytest.approx([0, 0], abs=1e-7)
    distances = label_distance(np.eye(1000, dtype=np.int64))
    assert 0.98 < distances.min() <= distances.max() <= 1
