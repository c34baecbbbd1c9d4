"""Speeds at 207 sensors: windows and times."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb

LOOP = fb.LosLoop()
pytestmark = pytest.mark.skipif(
    LOOP.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def test_a_row_is_the_last_hour_and_the_speed_a_quarter_later() -> None:
    raw = LOOP.table()
    assert raw.x.shape == (207 * 2002, 14)
    assert raw.columns["sensor"].names[:2] == ("773869", "767541")
    # the first sensor's speeds in the file begin 64.375, 62.66666667
    first = raw.x[0, :12][::-1]
    np.testing.assert_allclose(first[:2], [64.375, 62.6667], rtol=1e-5)
    assert raw.y[0] == raw.x[3, 0]


@pytest.mark.parametrize(("ahead", "rows"), [(1, 2004), (12, 1993)])
def test_the_further_ahead_the_fewer_rows(ahead: int, rows: int) -> None:
    raw = fb.LosLoop(ahead=ahead).table()
    assert len(raw.y) == 207 * rows
    assert raw.card.features[0] == f"speed {5 * ahead} min before"
    assert 1 <= raw.y.min() <= raw.y.max() <= 70
