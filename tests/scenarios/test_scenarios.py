"""Every scenario: a sound experiment that learns, with a story that fits the form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench import scenarios
from fedbench.data.files import VARIABLE
from fedbench.runs.rounds import Rounds
from fedbench.scenarios import SCENARIOS, Scenario

FEW = 6  # rounds
NAMED = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
WITH_REAL = pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if scenario.real is not None],
    ids=lambda scenario: scenario.name,
)


def losses(experiment: fb.Experiment, count: int = FEW) -> list[float]:
    torch.set_num_threads(1)
    rounds = Rounds(experiment)
    progress, found = rounds.begin(), []
    for _ in range(count):
        progress, row = rounds.next(progress)
        found.append(row.metrics["loss"])
    return found


def replaying(experiment: fb.Experiment) -> fb.Experiment:
    """Return the experiment with noise, where there is any, that can be had again."""
    private = hasattr(experiment.privacy, "noise_seed")
    return experiment.replace(**{"privacy.noise_seed": 3}) if private else experiment


def test_names_and_titles_are_distinct() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert names[0] == "digits" and len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    assert len({scenario.title for scenario in SCENARIOS}) == len(names)


@NAMED
def test_a_scenario_is_found_by_its_name(scenario: Scenario) -> None:
    assert getattr(scenarios, scenario.name) is scenario
    assert scenario.name in scenarios.__all__


def cautions(experiment: fb.Experiment) -> list[str]:
    """Return those that another experiment on the same data would do without."""
    return [each for each in experiment.cautions() if "before any noise" not in each]


@NAMED
def test_an_experiment_is_sound_and_survives_its_file(scenario: Scenario) -> None:
    experiment = scenario()
    assert experiment.data.files == (), "the first form of a scenario runs anywhere"
    assert cautions(experiment) == []
    assert fb.Experiment.from_toml(experiment.to_toml()) == experiment
    assert scenario() == experiment


@NAMED
def test_a_few_rounds_learn_and_replay(scenario: Scenario) -> None:
    experiment = replaying(scenario())
    found = losses(experiment)
    assert found[-1] < found[0]
    assert losses(experiment) == found


@NAMED
def test_the_story_is_short_and_plain(scenario: Scenario) -> None:
    assert 10 <= len(scenario.title) <= 40
    assert 150 <= len(scenario.story) <= 500 and scenario.story.endswith(".")
    assert len(scenario.questions) == 3
    for text in (scenario.title, scenario.story, *scenario.questions):
        assert not set("<>`*_\n") & set(text)
    for question in scenario.questions:
        assert len(question) <= 100 and question.endswith("?")


@WITH_REAL
def test_a_real_set_is_described_without_being_read(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    data = scenario(real=True).data
    assert data.files and data.missing == data.files
    assert scenario.lacks().startswith(f"{data.display_name()} is not on this machine")
    for file in data.files:
        place = tmp_path / f"{file.path}.gz"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()  # nothing is inside: who reads it would know
    assert data.missing == ()
    assert scenario.lacks() == ""


@WITH_REAL
def test_the_real_set_is_learnt(scenario: Scenario) -> None:
    if scenario.lacks():
        pytest.skip(f"{VARIABLE} has no {scenario(real=True).data.kind()}")
    experiment = scenario(real=True)
    assert fb.Experiment.from_toml(experiment.to_toml()) == experiment
    assert cautions(experiment) == []
    found = losses(replaying(experiment))
    assert found[-1] < found[0]


def test_a_scenario_without_a_real_set_says_so() -> None:
    alone = replace(scenarios.medical, real=None)
    with pytest.raises(ValueError, match="'medical' has no real data set"):
        alone(real=True)
    with pytest.raises(ValueError, match="'medical' has no real data set"):
        alone.lacks()


def last(experiment: fb.Experiment) -> dict[str, float]:
    torch.set_num_threads(1)
    rounds = Rounds(experiment)
    progress, row = rounds.begin(), None
    while rounds.ended(progress, row) is None:
        progress, row = rounds.next(progress)
    assert row is not None
    return row.metrics | {"own": row.personal}


def test_what_is_asked_of_hospitals_has_an_answer() -> None:
    """The smallest bears ε = 1 and not 0.1, is better off alone, and gains where all are alike.

    A single draw of the noise may fall either way at ε = 0.1, so scores are means of five.
    """
    experiment = replaying(scenarios.medical())
    smallest = int(experiment.federation().sizes.argmin())

    def there(**changes: object) -> float:
        drawn = [{**changes, "privacy.noise_seed": seed} for seed in range(5)]
        runs = [fb.run(experiment.replace(**each), progress=False) for each in drawn]
        return float(np.mean([run.rows[-1].clients[smallest] for run in runs]))

    promised = there()
    assert there(**{"privacy.epsilon": 1}) == pytest.approx(promised, abs=0.03)
    assert there(**{"privacy.epsilon": 0.1}) < promised - 0.05
    assert there(strategy=fb.Ditto(weighting="uniform")) > promised + 0.05
    alike = experiment.replace(**{"data.case_mix": 0})
    levels, together = fb.baselines(alike), fb.run(alike).rows[-1].clients
    assert levels is not None
    gains = together - levels.clients
    assert int(gains.argmax()) == smallest and gains[smallest] > 0.03


def test_a_median_withstands_three_lying_banks() -> None:
    lying = scenarios.finance().replace(attack=fb.LabelFlip(fraction=0.3))
    assert last(lying)["loss"] > 0.6
    assert last(lying.replace(aggregator=fb.CoordinateMedian()))["loss"] < 0.32


def test_districts_own_models_beat_one_for_all_and_each_alone() -> None:
    experiment = scenarios.smart_city()
    levels, found = fb.baselines(experiment), last(experiment)
    assert levels is not None
    assert found["own"] < levels.local < found["rmse"]


def test_plants_that_meet_a_fifth_as_often_lose_little() -> None:
    experiment = scenarios.machine_health()
    rarely = experiment.replace(rounds=8, **{"training.steps": 50})
    assert last(rarely)["loss"] == pytest.approx(last(experiment)["loss"], abs=0.005)
