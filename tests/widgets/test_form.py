"""The form: what it shows is what it reads, and a bad value speaks at its own field."""

from __future__ import annotations

from typing import Annotated

import ipywidgets as widgets
import numpy as np
import pytest
from hypothesis import given, strategies as st
from pydantic import Field
from torch import nn

import fedbench as fb
from fedbench.data import Card
from fedbench.models import Model
from fedbench.scenarios import digits
from fedbench.strategies import Strategy
from fedbench_widgets.explaining import KNOWN
from fedbench_widgets.form import Form

SAMPLINGS = st.one_of(
    st.just(fb.Everyone()),
    st.builds(fb.FixedCohort, size=st.integers(1, 4)),
    st.builds(fb.Poisson, rate=st.floats(0.001, 1)),
)
EXPERIMENTS = st.builds(
    fb.Experiment,
    data=st.sampled_from([fb.Digits(), fb.Wine(test_fraction=0.33), fb.DiabetesProgression()]),
    partition=st.one_of(
        st.builds(fb.IID, clients=st.integers(4, 90)),
        st.builds(fb.Dirichlet, clients=st.integers(4, 90), alpha=st.floats(1e-4, 1e4)),
    ),
    model=st.one_of(
        st.just(fb.Linear()),
        st.builds(fb.MLP, hidden=st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple)),
    ),
    training=st.builds(
        fb.LocalTraining,
        epochs=st.none() | st.integers(1, 99),
        batch_size=st.none() | st.integers(1, 5000),
        lr=st.floats(1e-6, 1e3),
        momentum=st.floats(0, 0.999),
        lr_decay=st.floats(0.1, 1),
    ),
    sampling=SAMPLINGS,
    rounds=st.integers(1, 100_000),
    target=st.none() | st.builds(fb.Target, metric=st.just("loss"), value=st.floats(-5, 5)),
    seed=st.integers(0, 2**31 - 1),
)
PRIVATE = st.builds(
    fb.ClientLevelDP,
    epsilon=st.none() | st.floats(1e-3, 1e4),
    noise_multiplier=st.floats(0.01, 1e4),
    delta=st.floats(1e-12, 0.5),
    clip=st.floats(1e-6, 1e6),
    noise_seed=st.none() | st.integers(0, 2**40),
)


def summaries(shown: Form) -> dict[str, str]:
    """Return what the heads of the sections say, by the name of the section."""
    heads = [str(section.titles[0]).split("\u2002") for section in shown._sections.values()]
    return dict(heads)


def test_a_section_that_is_right_again_says_what_is_in_it() -> None:
    shown = form()
    before = summaries(shown)
    shown._fields["strategy"].find("strategy.weighting").assign("samples")  # pyright: ignore
    assert summaries(shown)["Aggregation"] == "needs attention"
    # what is wrong in a single field is said first, and alone
    shown._fields["rounds"].assign(0)
    changed = {name: words for name, words in summaries(shown).items() if before[name] != words}
    assert changed.pop("Scenario").startswith("changed")
    assert changed == {"Run": "needs attention"}
    shown._fields["rounds"].assign(30)
    assert summaries(shown)["Aggregation"] == "needs attention"
    shown._fields["strategy"].find("strategy.weighting").assign("uniform")  # pyright: ignore
    assert summaries(shown) == before


def form(experiment: fb.Experiment | None = None) -> Form:
    return Form(experiment or digits(), lambda: None)


def reasons(shown: Form) -> list[str]:
    labels = [w for w in all_inside(shown.widget) if isinstance(w, widgets.Label)]
    return [
        w.value
        for w in labels
        if "fb-problem" in w._dom_classes and "fb-hidden" not in w._dom_classes
    ]


def all_inside(widget: widgets.Widget) -> list[widgets.Widget]:
    children = getattr(widget, "children", ())
    return [widget, *(found for child in children for found in all_inside(child))]


def control(shown: Form, title: str, kind: type) -> widgets.Widget:
    (found,) = [
        w
        for w in all_inside(shown.widget)
        if isinstance(w, kind) and getattr(w, "description", "") == title
    ]
    return found


SHOWN = form()


@given(EXPERIMENTS)
def test_what_is_written_is_read_to_the_last_digit(experiment: fb.Experiment) -> None:
    SHOWN.write(experiment)
    assert fb.Experiment.from_dict(SHOWN.reads()) == experiment


@given(PRIVATE)
def test_privacy_is_read_to_the_last_digit(privacy: fb.ClientLevelDP) -> None:
    experiment = digits().replace(privacy=privacy)
    SHOWN.write(experiment)
    assert fb.Experiment.from_dict(SHOWN.reads()) == experiment


def test_the_default_of_a_field_is_the_models_own() -> None:
    shown = form(fb.Experiment())
    control(shown, "Privacy", widgets.Dropdown).value = "ClientLevelDP"
    assert shown.reads()["privacy"] == fb.ClientLevelDP().to_dict() | {
        "noise_multiplier": None,
        "noise_seed": None,
    }


def test_a_setting_that_two_members_declare_alike_stays_when_one_takes_the_others_place() -> None:
    shown = form()
    before = digits()
    assert (before.strategy.weighting, before.partition.clients) == ("uniform", 100)
    told: list[object] = []
    shown = Form(before, lambda: told.append(shown.experiment))
    control(shown, "Strategy", widgets.Dropdown).value = "FedProx"
    assert told == [before.replace(strategy=fb.FedProx(weighting="uniform"))]
    control(shown, "Partition", widgets.Dropdown).value = "IID"
    assert shown.experiment is not None
    assert shown.experiment.partition == fb.IID(clients=100)
    control(shown, "Strategy", widgets.Dropdown).value = "FedAvg"
    control(shown, "Partition", widgets.Dropdown).value = "Dirichlet"
    assert shown.experiment == before


def test_an_edit_changes_the_experiment_and_is_told_once() -> None:
    told: list[object] = []
    shown = Form(digits(), lambda: told.append(shown.experiment))
    control(shown, "α", widgets.FloatLogSlider).value = 0.1
    assert told == [digits().replace(**{"partition.alpha": 0.1})]


def test_a_bad_value_speaks_at_its_field_and_nothing_is_corrected() -> None:
    shown = form()
    control(shown, "Weights", widgets.Dropdown).value = "samples"
    assert shown.experiment is None
    assert [each.path for each in shown.problems] == ["strategy.weighting"]
    (reason,) = reasons(shown)
    assert "set it to 'uniform'" in reason
    assert shown.reads()["strategy"]["weighting"] == "samples"
    control(shown, "Weights", widgets.Dropdown).value = "uniform"
    assert shown.experiment == digits()
    assert reasons(shown) == []


def test_a_section_with_a_problem_unfolds() -> None:
    shown = form()
    (section,) = [s for t, s in shown._sections.items() if t == "Aggregation"]
    assert section.selected_index is None
    control(shown, "Weights", widgets.Dropdown).value = "samples"
    assert section.selected_index == 0


def test_the_first_thing_that_is_wrong_is_named_as_the_form_names_it() -> None:
    shown = form()
    assert shown.wrong == ""
    number = control(shown, "Seed", widgets.Text)
    number.value = "abc"
    run = shown._sections["Run"]
    assert shown.wrong == "Run › Seed: must be a whole number"
    assert "fb-wrong" in run._dom_classes and "needs attention" in run.titles[0]
    number.value = "1"
    assert shown.wrong == ""
    assert "fb-wrong" not in run._dom_classes and "seed 1" in run.titles[0]


def test_text_that_is_no_number_is_refused_with_its_place() -> None:
    shown = form(fb.Experiment(model=fb.MLP(hidden=(8,))))
    control(shown, "Hidden units", widgets.Text).value = "8, eight"
    assert shown.experiment is None
    assert [each.path for each in shown.problems] == ["model.hidden.1"]
    assert len(reasons(shown)) == 1


def test_a_strategy_of_ones_own_has_a_form_without_a_line_of_interface() -> None:
    class Pulled(Strategy):
        """Pull towards the anchor."""

        mu: Annotated[
            float,
            Field(
                ge=0,
                le=10,
                title="μ",
                description="strength of the pull",
                json_schema_extra={"slider": [0, 10, 0.1], "formula": "g + μ(w − θ)"},
            ),
        ] = 0.5

    experiment = fb.Experiment(strategy=Pulled(mu=2.5))
    shown = form(experiment)
    slider = control(shown, "μ", widgets.FloatSlider)
    assert (slider.value, slider.min, slider.max) == (2.5, 0, 10)
    said = "Strength of the pull.\ng + μ(w − θ)\n0 or more, at most 10; default 0.5"
    assert said in KNOWN.values()
    slider.value = 3.0
    assert shown.experiment == fb.Experiment(strategy=Pulled(mu=3.0))


def test_a_model_of_ones_own_needs_no_word_beside_its_fields() -> None:
    class Bare(Model):
        hidden_units: int = 32

        def build(self, card: Card) -> nn.Module:
            return nn.Linear(card.inputs, card.outputs)

    shown = form(fb.Experiment(model=Bare(hidden_units=5)))
    field = control(shown, "Hidden units", widgets.Text)
    assert field.value == "5"
    field.value = "7"
    assert shown.experiment == fb.Experiment(model=Bare(hidden_units=7))


@pytest.mark.parametrize(
    ("field", "typed", "path"),
    [
        ("Rounds", "1000", None),
        ("Clients", "1000", None),
        ("Learning rate", "0.12345", None),
        ("Learning rate", "1e-7", None),
        ("α", "0", "partition.alpha"),
        ("α", "-3", "partition.alpha"),
        ("Rounds", "2.5", "rounds"),
        ("Rounds", "many", "rounds"),
        ("α", "", "partition.alpha"),
        ("α", "nan", "partition.alpha"),
        ("Clients", "9" * 400 + ".5", "partition.clients"),
    ],
)
def test_what_is_typed_is_taken_in_full_or_refused_with_its_reason(field, typed, path) -> None:
    shown = form(fb.Experiment())
    (slider,) = [
        w
        for w in all_inside(shown.widget)
        if isinstance(w, widgets.HBox) and getattr(w.children[0], "description", "") == field
    ]
    slider.children[1].value = typed
    if path is None:
        assert shown.experiment is not None and reasons(shown) == []
        assert float(typed) in (
            shown.experiment.rounds,
            shown.experiment.clients,
            shown.experiment.training.lr,
        )
        assert slider.children[0].value == pytest.approx(float(typed))
    else:
        assert shown.experiment is None
        assert [each.path for each in shown.problems] == [path]
        assert len(reasons(shown)) == 1
    assert slider.children[1].value == typed


def test_the_browsers_own_step_does_not_change_a_number() -> None:
    shown = form(fb.Experiment(training=fb.LocalTraining(lr=0.123456)))
    slider = control(shown, "Learning rate", widgets.FloatLogSlider)
    slider.value = 10 ** (round(1000 * np.log10(0.123456)) / 1000)
    assert shown.experiment is not None and shown.experiment.training.lr == 0.123456
    slider.value = 0.2
    assert shown.experiment.training.lr == 0.2


def test_bounds_alone_give_a_slider() -> None:
    class Bounded(Strategy):
        """A bounded setting."""

        mu: Annotated[float, Field(ge=0, le=10, title="μ", description="pull")] = 0.5

    shown = form(fb.Experiment(strategy=Bounded()))
    slider = control(shown, "μ", widgets.FloatSlider)
    assert (slider.min, slider.max, slider.value) == (0, 10, 0.5)


def test_an_exclusive_bound_is_no_place_for_the_handle() -> None:
    class Between(Strategy):
        """A setting between two bounds."""

        mu: Annotated[float, Field(gt=0, lt=1, title="μ", description="pull")] = 0.5
        tries: Annotated[int, Field(ge=1, lt=10, title="Tries", description="at most")] = 3

    shown = form(fb.Experiment(strategy=Between()))
    slider = control(shown, "μ", widgets.FloatSlider)
    assert (slider.min, slider.max) == (pytest.approx(0.001), pytest.approx(0.999))
    whole = control(shown, "Tries", widgets.IntSlider)
    assert (whole.min, whole.max, whole.value) == (1, 9, 3)


def test_whole_numbers_have_a_log_scale_too() -> None:
    shown = form(fb.Experiment(rounds=20))
    slider = control(shown, "Rounds", widgets.FloatLogSlider)
    assert (slider.value, slider.base**slider.max) == (pytest.approx(20), pytest.approx(500))
    slider.value = 10**1.31  # where the browser's next step is
    assert shown.experiment is not None and shown.experiment.rounds == 20
    slider.value = 10**1.32
    assert shown.experiment.rounds == 21
    assert slider.value == pytest.approx(10**1.32), "the handle stays where the hand put it"


def test_a_large_number_widens_the_slider_until_a_smaller_one_is_back() -> None:
    shown = form()
    slider = control(shown, "Rounds", widgets.FloatLogSlider)
    for rounds, end in ((5000, 5000), (30, 500)):
        shown.write(digits().replace(rounds=rounds))
        assert slider.value == pytest.approx(rounds)
        assert slider.base**slider.max == pytest.approx(end)


def test_numbers_read_in_full() -> None:
    private = fb.ClientLevelDP(delta=1e-6, epsilon=2.0, noise_seed=2**60 + 1)
    shown = form(digits().replace(privacy=private, **{"training.lr": np.float64(0.123456789)}))
    texts = [w.value for w in all_inside(shown.widget) if isinstance(w, widgets.Text)]
    assert {"1e-06", "2", "0.123456789", str(2**60 + 1)} <= set(texts)


@pytest.mark.parametrize("typed", ["2.5", "-1", "many", ""])
def test_a_number_without_a_slider_is_not_corrected_either(typed: str) -> None:
    shown = form()
    seed = control(shown, "Seed", widgets.Text)
    seed.value = typed
    assert shown.experiment is None
    assert [each.path for each in shown.problems] == ["seed"]
    assert (seed.value, len(reasons(shown))) == (typed, 1)
    seed.value = "12"
    assert shown.experiment == digits().replace(seed=12)


def test_the_browser_hears_of_the_range_before_the_number() -> None:
    shown = form()
    slider = control(shown, "Rounds", widgets.FloatLogSlider)
    sent: list[str] = []
    slider.send_state = lambda key=None: sent.extend(key or ())
    shown.write(digits().replace(rounds=5000))
    assert sent[: sent.index("value")] == ["min", "max"]


def test_fields_of_a_group_within_a_group_have_titles_of_their_own() -> None:
    shown = form(fb.Experiment(devices=fb.Devices()))
    group = shown._fields["devices"].group._fields
    titles = [
        field.title
        for name in ("speed", "uplink", "downlink")
        for field in group[name]._fields.values()
    ]
    assert titles == [
        "Speed median",
        "Speed spread",
        "Uplink median",
        "Uplink spread",
        "Downlink median",
        "Downlink spread",
    ]
    assert control(shown, "Uplink median", widgets.FloatLogSlider) is not None
