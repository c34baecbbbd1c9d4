"""The choice of a scenario: it sets the form, knows it again, and never takes a run by surprise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import fedbench as fb
from fedbench.data.files import VARIABLE
from fedbench.scenarios import SCENARIOS, Scenario, digits, finance, medical
from fedbench_widgets import Workbench
from fedbench_widgets.controls import Slider
from fedbench_widgets.fields import Leaf
from fedbench_widgets.form import Form
from fedbench_widgets.scenario import OTHER, OWN

MINE = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=300)


def form(experiment: fb.Experiment | None = None) -> Form:
    return Form(experiment or digits(), lambda: None)


def head(shown: Form) -> str:
    """Return the summary in the head of the section."""
    return str(shown._sections["Scenario"].get_title(0)).partition("\u2002")[2]


def hidden(widget: object) -> bool:
    return "fb-hidden" in widget._dom_classes  # type: ignore[attr-defined]


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have no real set at hand."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def put(cache: Path, scenario: Scenario) -> None:
    """Have files of the names of the real set: what is inside does not matter until it is read."""
    for file in scenario(real=True).data.files:
        place = cache / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_choosing_sets_the_whole_form(scenario: Scenario) -> None:
    shown = form(MINE)
    shown.scenario.choice.value = scenario.name
    assert shown.experiment == scenario()
    assert fb.Experiment.from_dict(shown.reads()) == scenario()
    assert head(shown) == scenario.title
    assert scenario.questions[0] in shown.scenario.about.value
    assert hidden(shown.scenario.back)
    assert shown.scenario.data.disabled == bool(scenario.real and scenario.lacks())


def test_an_edit_shows_and_is_taken_back() -> None:
    shown = form(medical())
    shown.put(strategy=fb.Ditto(weighting="uniform"))
    assert head(shown) == f"changed · {medical.title}"
    assert not hidden(shown.scenario.back)
    shown.put(strategy=medical().strategy)
    assert head(shown) == medical.title, "the form is the scenario again"
    assert hidden(shown.scenario.back)
    shown.put(strategy=fb.Ditto(weighting="uniform"))
    shown.scenario.back.click()
    assert shown.experiment == medical()
    assert head(shown) == medical.title


def test_a_story_is_told_of_its_own_data_only() -> None:
    shown = form(digits())
    assert digits.questions[0] in shown.scenario.about.value
    shown.put(data=fb.Wine())
    assert shown.scenario.about.value == f"<p>{OTHER}</p>"
    assert hidden(shown.scenario.data) and not hidden(shown.scenario.back)
    shown.scenario.back.click()
    assert digits.questions[0] in shown.scenario.about.value
    assert not hidden(shown.scenario.data)


def test_a_bad_value_is_a_change_too() -> None:
    shown = form(medical())
    rounds = shown._fields["rounds"]
    assert isinstance(rounds, Leaf) and isinstance(rounds.control, Slider)
    rounds.control.number.value = "many"
    assert shown.experiment is None
    assert head(shown) == f"changed · {medical.title}"
    shown.scenario.back.click()
    assert shown.experiment == medical() and not shown.problems


def test_an_experiment_of_ones_own_is_kept_while_another_is_looked_at() -> None:
    shown = form(MINE)
    assert shown.scenario.choice.label == OWN == head(shown)
    assert hidden(shown.scenario.data) and hidden(shown.scenario.back)
    edited = MINE.replace(partition=fb.IID(clients=7))
    shown.put(partition=edited.partition)
    assert head(shown) == OWN
    shown.scenario.choice.value = "finance"
    assert shown.experiment == finance()
    shown.scenario.choice.label = OWN
    assert shown.experiment == edited


def test_nobody_is_offered_an_experiment_that_was_never_there() -> None:
    labels = [label for label, _ in form(digits()).scenario.choice.options]
    assert labels == [scenario.title for scenario in SCENARIOS]


def test_a_run_that_is_loaded_again_is_the_scenario_changed() -> None:
    shown = form(digits())
    shown.write(digits().replace(**{"privacy.epsilon": 2}))
    assert head(shown) == f"changed · {digits.title}"
    shown.write(MINE)
    assert head(shown) == OWN
    shown.write(finance())
    assert head(shown) == finance.title


def test_a_real_set_that_is_not_there_is_not_offered(nothing: Path) -> None:
    shown = form(medical())
    chooser = shown.scenario
    assert [label for label, _ in chooser.data.options] == ["Hospitals", "Heart disease (real)"]
    assert chooser.data.disabled
    assert "Heart disease is not on this machine" in chooser.lacking.value
    chooser.data.value = True  # as a page that is behind might send
    assert chooser.data.value is False
    assert shown.experiment == medical()
    put(nothing, medical)
    shown._edited()
    assert not chooser.data.disabled and hidden(chooser.lacking)
    chooser.data.value = True
    assert shown.experiment == medical(real=True)
    assert head(shown) == medical.title
    chooser.data.value = False
    assert shown.experiment == medical()


def test_what_is_on_the_form_already_can_be_left_though_it_is_gone(nothing: Path) -> None:
    shown = form(finance(real=True))
    assert shown.scenario.data.value is True and not shown.scenario.data.disabled
    shown.scenario.data.value = False
    assert shown.experiment == finance()


def test_a_story_is_text() -> None:
    texts = {"title": "Odd", "story": "<b>a</b> & b", "questions": ("<i>?",)}
    odd = replace(medical, name="odd", made=lambda: MINE, **texts)
    workbench = Workbench(odd)
    try:
        about = workbench.form.scenario.about.value
        assert "&lt;b&gt;a&lt;/b&gt; &amp; b" in about and "<li>&lt;i&gt;?</li>" in about
        assert workbench.experiment == MINE
        assert "Odd" in [label for label, _ in workbench.form.scenario.choice.options]
    finally:
        workbench.close()


def test_a_workbench_begins_with_a_scenario_or_an_experiment() -> None:
    for start, words in ((None, digits.title), (finance, finance.title), (MINE, OWN)):
        workbench = Workbench(start)
        try:
            assert head(workbench.form) == words
        finally:
            workbench.close()


def test_no_scenario_is_chosen_while_a_run_goes_on() -> None:
    workbench = Workbench(MINE)
    chooser = workbench.form.scenario
    try:
        workbench.session.step()
        assert workbench.wait(60) == "paused"
        chooser.choice.value = "medical"
        assert chooser.choice.label == OWN
        assert workbench.experiment == workbench.session.experiment == MINE
        assert len(workbench.history) == 1
        refused = [line["text"] for line in workbench._log if line["level"] == "warning"]
        assert refused == [
            "cannot change the scenario while a run is active; stop or reset it first"
        ]
        workbench.session.stop()
        assert workbench.wait(60) == "done"
        chooser.choice.value = "medical"
        assert workbench.experiment == medical()
        assert len(workbench.history) == 1, "what was run stays until the next"
    finally:
        workbench.close()
