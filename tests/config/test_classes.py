"""What a person is told who writes a class of settings, or calls one, in a way that cannot be."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field, ValidationError
from torch import nn

import fedbench as fb
from fedbench.config.spec import Spec


def test_a_field_without_a_type_is_told_how_to_get_one() -> None:
    with pytest.raises(TypeError, match=r"^Net\.hidden = 32 has no type; write hidden: int = 32$"):

        class Net(fb.Model):
            """A field without an annotation."""

            hidden = 32


def test_a_field_that_is_no_setting_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^Net: a field has a type that is no setting"):

        class Net(fb.Model):
            """A module as a field."""

            hidden: nn.Module = None


def test_a_field_cannot_hide_a_method() -> None:
    with pytest.raises(TypeError, match=r"^Net\.loss: a field cannot have the name of a method"):

        class Net(fb.Linear):
            """A field that would hide the loss."""

            loss: int = 3

    assert not any("Net" in kind for kind in fb.Model.choices())  # though it is still in memory


def test_a_field_cannot_be_hidden_by_a_property() -> None:
    class Fixed:
        @property
        def clip(self) -> float:
            return 100.0

    class Once:
        @cached_property
        def clip(self) -> float:
            return 100.0

    for mixin in (Fixed, Once):
        with pytest.raises(
            TypeError, match=r"^Mine\.clip: .* the name of a method of (Fixed|Once);"
        ):
            type("Mine", (mixin, fb.ClientLevelDP), {})
    with pytest.raises(TypeError, match=r"^Few\.needed: .* the name of a method of Sampling; ren"):

        class Few(fb.Poisson):
            """A field that the property of its family would hide."""

            needed: int = 1


class Plainly:
    """A mixin that is no group of settings."""

    noise_on_server: bool = False


class Settings(Spec):
    """A mixin that is one."""

    noise_on_server: bool = False


@pytest.mark.parametrize("mixin", [None, Plainly, Settings])
def test_a_field_cannot_stand_in_for_a_class_variable(mixin: type | None) -> None:
    told = (
        r"^Mine\.noise_on_server: a field cannot have the name of a class variable of Privacy; "
        r"write noise_on_server: ClassVar\[bool\] = "
    )
    body = {} if mixin else {"__annotations__": {"noise_on_server": bool}, "noise_on_server": False}
    bases = (mixin, fb.ClientLevelDP) if mixin else (fb.ClientLevelDP,)
    with pytest.raises(TypeError, match=told):
        type(fb.ClientLevelDP)("Mine", bases, {"__module__": __name__, **body})


def test_a_class_variable_may_be_given_anew_and_one_without_a_value_be_a_field() -> None:
    class Mine(fb.ClientLevelDP):
        """Says so in the right way."""

        noise_on_server: ClassVar[bool] = False

    assert "noise_on_server" not in Mine.model_fields
    assert "task" in fb.Table.model_fields


class Delta(fb.ClientLevelDP):
    """Another default, which is none."""

    delta: float = 1.5


class Titled(fb.ClientLevelDP):
    """Another title, and an end of its own."""

    delta: Annotated[float, Field(ge=1e-3, title="Chance")] = 1e-2


class Below(Titled):
    """Overrides what overrides."""

    delta: float = 1e-2


class Quiet(fb.LocalLaplace):
    """Another default of a field that may be none."""

    noise_multiplier: float | None = 0.0


@pytest.mark.parametrize(
    ("cls", "given", "words"),
    [
        (Delta, {}, r"delta\n  must be less than 1 .*1\.5"),
        (Titled, {"delta": 1.0}, r"delta\n  must be less than 1 "),
        (Titled, {"delta": 1e-4}, r"delta\n  must be at least 0\.001 "),
        (Below, {"delta": 1e-4}, r"delta\n  must be at least 0\.001 "),
        (Quiet, {}, r"noise_multiplier\n  must be at least 0\.01 "),
    ],
)
def test_a_field_stays_within_the_bounds_of_the_one_that_it_overrides(
    cls: type[Spec], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        cls(**given)
    assert cls(delta=0.5, noise_multiplier=1.0).replace(delta=0.25).to_dict()["delta"] == 0.25


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: fb.Experiment(fb.Wine()),
            r"^Experiment takes settings by name, as in Experiment\(",
        ),
        (lambda: fb.Poisson(0.5), r"^Poisson takes settings by name, as in Poisson\(rate="),
    ],
)
def test_settings_are_given_by_name(call, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match=r"make a copy with replace\(rate=\.\.\.\)"):
        fb.Poisson(rate=0.5).rate = 0.2
    with pytest.raises(ValidationError, match="declare it as a field of the class"):
        fb.Poisson(rate=0.5).other = 0.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fb.baselines(3), "experiment = 3 is not an Experiment"),
        (lambda: fb.oracle(fb.Experiment()), "is not a Source"),
        (lambda: fb.membership_inference("run"), "session = 'run' is not a Session"),
        (lambda: fb.gradient_inversion(fb.Experiment), "the class Experiment is not an Experiment"),
        (lambda: fb.forecast("x"), "experiment = 'x' is not an Experiment"),
        (lambda: fb.who_gains(1, 2), "federated = 1 is not a Predictions"),
        (lambda: fb.sweep(3, {"seed": [1, 2]}), "experiment = 3 is not an Experiment"),
        (lambda: fb.sweep(fb.Experiment(), [1, 2]), "axes: list has no settings"),
    ],
)
def test_arguments_of_another_type_are_named(call, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()
