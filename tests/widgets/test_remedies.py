"""The button beside a red message: it does what the message says, and can be taken back."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import pytest

import fedbench as fb
from fedbench_widgets.form import Form
from tests.widgets.test_form import all_inside, control, reasons

DIGITS = fb.Experiment(data=fb.Digits(), partition=fb.Dirichlet(clients=20))
PRIVATE = fb.ClientLevelDP(epsilon=2).to_dict()
UNIFORM = {"kind": "FedAvg", "weighting": "uniform"}


def buttons(form: Form) -> list[widgets.Button]:
    found = [each for each in all_inside(form.widget) if isinstance(each, widgets.Button)]
    return [each for each in found if "fb-remedy" in each._dom_classes]


def press(form: Form, label: str) -> None:
    (button,) = [each for each in buttons(form) if each.description == label]
    button.click()


@pytest.mark.parametrize(
    ("settings", "label", "path", "value"),
    [
        ({"privacy": PRIVATE}, "Set Weights to uniform", "strategy.weighting", "uniform"),
        ({"sampling": {"kind": "FixedCohort", "size": 50}}, None, "sampling.size", 20),
        ({"rounds": 0}, "Set Rounds to 1", "rounds", 1),
        ({"rounds": 2_000_000}, "Set Rounds to 1000000", "rounds", 1_000_000),
        ({"target": {"metric": "rmse", "value": 0.5}}, None, "target.metric", "accuracy"),
        ({"model": {"kind": "MatrixFactorisation"}}, "Use Linear", "model.kind", "Linear"),
        (
            {"privacy": PRIVATE, "strategy": UNIFORM, "aggregator": {"kind": "TrimmedMean"}},
            "Use Mean",
            "aggregator.kind",
            "Mean",
        ),
        ({"devices": {"over_selection": 1.5}}, None, "devices.over_selection", 1),
        ({"partition": {"kind": "IID", "clients": 5000}}, None, "partition.clients", 1438),
        ({"data": {"kind": "Wine"}, "skews": [{"kind": "Rotation"}]}, None, "skews", []),
        (
            {"privacy": {**PRIVATE, "epsilon": None}, "strategy": UNIFORM},
            "Set Budget ε to 4",
            "privacy.epsilon",
            4,
        ),
    ],
)
def test_a_rule_between_fields_offers_what_it_asks_for(
    settings: dict[str, Any], label: str | None, path: str, value: Any
) -> None:
    form = Form(DIGITS, lambda: None)
    for name, raw in settings.items():
        form._fields[name].assign(raw)
    form._edited()
    assert form.experiment is None
    before, (problem, *_) = form.reads(), reasons(form)
    (button,) = buttons(form)
    assert label in (None, button.description)
    button.click()
    assert form.experiment is not None, form.problems
    now: Any = form.experiment.to_dict()
    for step in path.split("."):
        now = now[step]
    assert now == value
    assert reasons(form) == []
    press(form, "Undo")
    assert form.experiment is None
    assert form.reads() == before
    assert reasons(form)[0] == problem
    form.close()


def test_an_edit_by_hand_ends_what_can_be_taken_back() -> None:
    form = Form(DIGITS.replace(strategy=fb.FedAvg(weighting="samples")), lambda: None)
    control(form, "Privacy", widgets.Dropdown).value = "ClientLevelDP"
    assert form.reads()["privacy"]["epsilon"] == 4  # a budget is there, and with it the noise
    press(form, "Set Weights to uniform")
    assert [each.description for each in buttons(form)] == ["Undo"]
    form._fields["rounds"].write(7)
    form._edited()
    assert buttons(form) == []
    assert form.experiment is not None


def test_where_nothing_simple_helps_nothing_is_offered() -> None:
    form = Form(DIGITS, lambda: None)
    form._fields["training"].assign({"lr": "fast"})
    form._edited()
    assert form.problems
    for button in buttons(form):
        assert button.description != "Set Learning rate to fast"
