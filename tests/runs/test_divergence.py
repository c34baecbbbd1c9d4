"""What is said where training left the range of numbers."""

from __future__ import annotations

import pickle

import pytest

import fedbench as fb
from fedbench.runs.divergence import Diverged


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ("training.lr (now 0.1), or take fewer",)),
        ({"strategy": fb.FedAdam(server_lr=1e5)}, ("training.lr (now 0.1)", "strategy.server_lr")),
        ({"training": fb.LocalTraining(weight_decay=5.0)}, ("training.weight_decay (now 5)",)),
        (
            {"privacy": fb.ClientLevelDP(), "strategy": fb.FedAvg(weighting="uniform")},
            ("a larger privacy.epsilon", "a smaller privacy.clip"),
        ),
        ({"attack": fb.GaussianUpdate(std=1e9)}, ("attack.fraction (now 0.2)",)),
    ],
)
def test_every_setting_that_may_be_the_cause_is_named(changes: dict, words: tuple) -> None:
    message = str(Diverged(3, fb.Experiment(**changes)))
    assert message.startswith("round 3: the loss is no longer finite; training diverged. Lower ")
    for each in words:
        assert each in message


def test_it_travels_between_processes() -> None:
    error = Diverged(3, fb.Experiment())
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, Diverged) and str(again) == str(error)


@pytest.mark.parametrize(
    ("field", "most"), [("training.lr", "3e\\+38"), ("strategy.tau", "1e\\+15")]
)
def test_a_step_beyond_single_precision_is_refused(field: str, most: str) -> None:
    with pytest.raises(ValueError, match=f"must be at most {most}"):
        fb.Experiment(strategy=fb.FedAdam()).replace(**{field: 1e300})
