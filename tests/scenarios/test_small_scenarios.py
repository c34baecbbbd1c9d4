"""Small scenarios: traffic, fraud, recommendation and sentiment."""

from __future__ import annotations

import pytest
import torch

import fedbench as fb
from fedbench.scenarios import SCENARIOS, Scenario, fraud, recommendation, sentiment, traffic

torch.set_num_threads(1)

SMALL = (traffic, fraud, recommendation, sentiment)
each = pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)


@each
def test_it_is_offered_with_its_story_and_three_questions(scenario: Scenario) -> None:
    assert scenario in SCENARIOS
    assert len(scenario.questions) == 3
    assert all(question.endswith("?") for question in scenario.questions)
    assert len(scenario.story.split(". ")) >= 2


@each
@pytest.mark.parametrize("real", [False, True])
def test_it_survives_toml_and_is_sound(scenario: Scenario, real: bool) -> None:
    if real and scenario.real is None:
        with pytest.raises(ValueError, match=f"{scenario.name!r} has no real data set"):
            scenario(real=True)
        return
    experiment = scenario(real=real)
    assert fb.Experiment.from_toml(experiment.to_toml()) == experiment
    assert experiment.cautions() == []
    assert bool(experiment.data.files) == real


@each
def test_a_few_rounds_get_better_and_stay_below_the_best(scenario: Scenario) -> None:
    experiment = scenario().replace(rounds=8, engine=fb.StackedEngine(workers=0))
    losses = [row.metrics["loss"] for row in fb.run(experiment, progress=False).rows]
    best = fb.oracle(experiment.data)
    assert best is not None
    assert best["loss"] < losses[-1] < 0.98 * losses[0]


@pytest.mark.parametrize(
    ("source", "facts"),
    [
        (fraud().data, (8, 60_000, 0.018)),
        (recommendation().data, (200, 8000, 3.8)),
        (sentiment().data, (8, 4000, 0.48)),
    ],
    ids=["fraud", "recommendation", "sentiment"],
)
def test_stories_tell_what_is_so(source: fb.data.Source, facts: tuple[int, int, float]) -> None:
    owners, rows, mean = facts
    raw = source.table()
    assert next(iter(source.natural.values())) == owners
    assert len(raw.y) == rows
    assert raw.y.mean() == pytest.approx(mean, rel=0.02)


def test_clients_are_cinemas() -> None:
    federation = recommendation().federation()
    assert federation.clients == 10
    assert federation.names == tuple(f"cinema {k}" for k in range(1, 11))
