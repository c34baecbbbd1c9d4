"""What follows from the facts on a card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fedbench.data import Card

CARD = Card("x", "here", "none", "classification", (2, 3), tuple("abcdef"), "y", ("no", "yes"))


@pytest.mark.parametrize(
    ("classes", "outputs"), [((), 1), (("no", "yes"), 1), (("a", "b", "c"), 3)]
)
def test_outputs(classes: tuple[str, ...], outputs: int) -> None:
    assert replace(CARD, classes=classes).outputs == outputs


def test_inputs_are_the_product_of_the_shape() -> None:
    assert CARD.inputs == 6
    assert replace(CARD, shape=()).inputs == 1
