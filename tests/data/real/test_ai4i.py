"""Machines that fail: counts, and no answer among the features."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

MACHINES = fb.AI4I2020()
pytestmark = pytest.mark.skipif(
    MACHINES.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def test_rows_qualities_and_failures() -> None:
    raw = MACHINES.table()
    assert raw.x.shape == (10_000, 8)
    assert np.bincount(raw.columns["quality"].codes).tolist() == [6000, 2997, 1003]
    assert raw.y.sum() == 339
    # M,298.1,308.6,1551,42.8,0
    np.testing.assert_allclose(raw.x[0], [298.1, 308.6, 1551, 42.8, 0, 0, 1, 0], rtol=1e-6)


def test_the_modes_of_failure_are_no_features() -> None:
    raw = MACHINES.table()
    assert not {"TWF", "HDF", "PWF", "OSF", "RNF"} & {name[:3] for name in raw.card.features}
    for k in range(raw.x.shape[1]):
        assert abs(np.corrcoef(raw.x[:, k], raw.y)[0, 1]) < 0.3


def test_training_samples_are_known_before_reading() -> None:
    assert len(MACHINES.load().y) == MACHINES.training_samples
