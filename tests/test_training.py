"""Settings of local training."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import fedbench as fb


def test_one_epoch_if_nothing_is_said() -> None:
    assert (fb.LocalTraining().epochs, fb.LocalTraining().steps) == (1, None)
    assert (fb.LocalTraining(steps=3).epochs, fb.LocalTraining(steps=3).steps) == (None, 3)


def test_two_lengths_are_refused_with_both_values() -> None:
    with pytest.raises(ValidationError, match=r"epochs=2 and steps=3 .* leave one of them out"):
        fb.LocalTraining(epochs=2, steps=3)


def test_the_length_can_be_changed_by_naming_both() -> None:
    assert fb.LocalTraining().replace(epochs=None, steps=3) == fb.LocalTraining(steps=3)


def test_the_learning_rate_decays_from_round_one() -> None:
    training = fb.LocalTraining(lr=0.8, lr_decay=0.5)
    assert [training.rate(k) for k in (1, 2, 3)] == [0.8, 0.4, 0.2]


@pytest.mark.parametrize(
    ("settings", "one"),
    [
        ({"steps": 1, "batch_size": None}, True),
        ({"epochs": 1, "batch_size": None}, True),
        ({"steps": 2, "batch_size": None}, False),
        ({"steps": 1, "batch_size": 10}, False),
    ],
)
def test_one_full_batch(settings: dict[str, int | None], one: bool) -> None:
    assert fb.LocalTraining(**settings).one_full_batch is one


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", 0),
        ("lr", float("inf")),
        ("lr", float("nan")),
        ("momentum", 1),
        ("momentum", -0.1),
        ("weight_decay", -1e-9),
        ("lr_decay", 0),
        ("lr_decay", 1.1),
        ("batch_size", 0),
        ("epochs", 0),
        ("steps", -1),
    ],
)
def test_bounds(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        fb.LocalTraining(**{field: value})
