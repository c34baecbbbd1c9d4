"""Numbers about privacy as text that never promises more than the number does."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal


def rounded_up(value: float, digits: int = 4) -> str:
    """Return `value` with so many significant digits, never less than it is: for ε, δ and noise.

    A number that is as short as that is written as it is; infinity is "∞".
    """
    return _rounded(value, digits, ROUND_CEILING)


def rounded_down(value: float, digits: int = 4) -> str:
    """Return `value` with so many significant digits, never more than it is: for a rate."""
    return _rounded(value, digits, ROUND_FLOOR)


def _rounded(value: float, digits: int, rounding: str) -> str:
    if not math.isfinite(value):
        return f"{value:g}".replace("inf", "∞")
    exact = Decimal(repr(float(value)))
    return f"{float(Context(prec=digits, rounding=rounding).plus(exact)):.{digits}g}"
