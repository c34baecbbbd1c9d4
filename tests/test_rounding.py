"""Numbers about privacy never look better than they are."""

import math
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from fedbench.rounding import rounded_down, rounded_up


@given(value=st.floats(1e-300, 1e300), digits=st.integers(1, 8))
def test_rounding_keeps_to_its_side(value: float, digits: int) -> None:
    assert float(rounded_down(value, digits)) <= value <= float(rounded_up(value, digits))
    assert len(Decimal(rounded_up(value, digits)).normalize().as_tuple().digits) <= digits


@pytest.mark.parametrize(
    ("value", "up", "down"),
    [
        (1.1, "1.1", "1.1"),
        (0.99482, "0.9949", "0.9948"),
        (4.00001, "4.001", "4"),
        (0.0, "0", "0"),
        (1e-5, "1e-05", "1e-05"),
        (math.inf, "∞", "∞"),
    ],
)
def test_short_numbers_stay_and_long_ones_move(value: float, up: str, down: str) -> None:
    assert (rounded_up(value), rounded_down(value)) == (up, down)
