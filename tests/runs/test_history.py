"""Histories: what is said about the clients of a round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedbench.runs.history import summary

values = st.lists(st.floats(0, 1, width=32) | st.just(float("nan")), min_size=1, max_size=50)


@given(values, st.booleans())
def test_the_summary_is_numpys(found: list[float], worst_is_low: bool) -> None:
    clients = np.array(found, dtype=np.float32)
    known = clients[~np.isnan(clients)].astype(np.float64)
    said = summary(clients, worst_is_low)
    if len(known) == 0:
        assert all(np.isnan(value) for value in said.values())
        return
    low, high = np.percentile(known, [10, 90])
    assert said["clients_mean"] == pytest.approx(known.mean())
    assert (said["clients_p10"], said["clients_p90"]) == pytest.approx((low, high))
    worst = np.partition(known if worst_is_low else -known, max(1, len(known) // 10) - 1)
    tenth = np.abs(worst[: max(1, len(known) // 10)])
    assert said["worst_tenth"] == pytest.approx(tenth.mean())


def test_infinite_errors_are_no_reason_for_a_warning() -> None:
    said = summary(np.full(7, np.inf, dtype=np.float32), worst_is_low=False)
    assert set(said.values()) == {np.inf}
