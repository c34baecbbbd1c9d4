"""What holds for every Part: it is its own configuration, in TOML, JSON, dicts and Python."""

from __future__ import annotations

import copy
import gc
import inspect
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
from hypothesis import assume, given, settings, strategies as st
from pydantic import TypeAdapter, ValidationError

import fedbench as fb
from fedbench.config.rebuilding import not_rebuilt
from fedbench.config.spec import Part, Spec
from tests.laws.conftest import EXAMPLES, concrete


def rebuilt(code: str) -> object:
    namespace: dict[str, Any] = {"fb": fb}
    exec(f"value = {code}", namespace)
    return namespace["value"]


def values(annotation: Any, limits: list[Any]) -> st.SearchStrategy[Any]:
    """Return the values that a field of this type and these bounds admits."""
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        deeper = [item for each in extra for item in getattr(each, "metadata", [each])]
        return values(inner, [*limits, *deeper])
    if get_origin(annotation) in (Union, types.UnionType):
        return st.one_of([values(choice, limits) for choice in get_args(annotation)])
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) is tuple:
        least = max([limit.min_length for limit in limits if hasattr(limit, "min_length")] or [0])
        inner = values(get_args(annotation)[0], [])
        return st.lists(inner, min_size=least, max_size=least + 3).map(tuple)
    if annotation in (types.NoneType, None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation is str:
        return st.text()
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        if not issubclass(annotation, Part):
            return instances(annotation)
        ours = {kind: cls for kind, cls in annotation.choices().items() if ":" not in kind}
        return st.one_of([instances(member) for member in ours.values()])
    low = high = None
    open_low = open_high = False
    for limit in limits:
        match limit:
            case annotated_types.Ge(ge):
                low = ge
            case annotated_types.Gt(gt):
                low, open_low = gt, True
            case annotated_types.Le(le):
                high = le
            case annotated_types.Lt(lt):
                high, open_high = lt, True
    if annotation is int:
        return st.integers(
            None if low is None else low + open_low, None if high is None else high - open_high
        )
    assert annotation is float, f"say here how to draw a {annotation}"
    return st.floats(
        low,
        high,
        exclude_min=open_low,
        exclude_max=open_high,
        allow_nan=False,
        allow_infinity=False,
    )


def instances(cls: type[Spec]) -> st.SearchStrategy[Any]:
    fields = {
        name: values(field.annotation, field.metadata) for name, field in cls.model_fields.items()
    }

    def build(arguments: dict[str, Any]) -> Any:
        try:
            return cls(**arguments)
        except ValidationError:
            assume(False)

    return st.fixed_dictionaries({}, optional=fields).map(build)


@settings(max_examples=60)
@given(data=st.data())
def test_any_fields_survive_every_notation(part_class: type[Part], data: st.DataObject) -> None:
    part = data.draw(instances(part_class))
    assert type(part).from_dict(part.to_dict()) == part
    assert type(part).from_toml(part.to_toml()) == part
    assert type(part).from_json(part.to_json()) == part
    assert rebuilt(part.code()) == part


@settings(max_examples=100)
@given(training=instances(fb.LocalTraining))
def test_local_training_survives_every_notation(training: fb.LocalTraining) -> None:
    assert fb.LocalTraining.from_dict(training.to_dict()) == training
    assert fb.LocalTraining.from_toml(training.to_toml()) == training
    assert fb.LocalTraining.from_json(training.to_json()) == training
    assert rebuilt(training.code()) == training


# Subclasses of every configurable class

PLAIN = (fb.LocalTraining, fb.Target, fb.Devices, type(fb.Devices().speed), fb.Experiment)


@pytest.fixture(scope="module")
def subclasses() -> Iterator[dict[type[Spec], type[Spec]]]:
    """A subclass with a field of its own of each class, as a notebook would define it."""
    made: dict[type[Spec], type[Spec]] = {}
    for cls in (*concrete(Part), *PLAIN):
        body = {
            "__module__": "__main__",
            "__qualname__": f"My{cls.__name__}",
            "__annotations__": {"my_setting": float},
            "my_setting": 0.25,
        }
        made[cls] = type(cls)(f"My{cls.__name__}", (cls,), body)
    yield made
    made.clear()
    gc.collect()  # nobody else's list of choices shall hold them


@pytest.mark.parametrize("configurable", [*concrete(Part), *PLAIN], ids=lambda cls: cls.__name__)
def test_a_subclass_is_itself_in_every_notation(
    configurable: type[Spec], subclasses: dict[type[Spec], type[Spec]]
) -> None:
    mine = subclasses[configurable]
    arguments = EXAMPLES.get(configurable.__name__, [{}])[0]
    plain, part = configurable(**arguments), mine(**arguments, my_setting=0.5)
    assert part.to_dict()["kind"] == mine.kind() == f"__main__:My{configurable.__name__}"
    assert part.to_toml() != plain.to_toml() and part != plain and hash(part) != hash(plain)
    for again in (
        configurable.from_dict(part.to_dict()),
        configurable.from_toml(part.to_toml()),
        configurable.from_json(part.to_json()),
        part.replace(),
        copy.deepcopy(part),
        eval(part.code(), {"fb": fb, mine.__name__: mine}),
    ):
        assert type(again) is mine and again == part
    assert not_rebuilt(part) is None
    with pytest.raises(ValidationError, match=f"no .* is called 'Not{configurable.__name__}'"):
        configurable.from_dict({"kind": f"Not{configurable.__name__}"})


def test_a_family_finds_its_member_by_kind(family: type[Part]) -> None:
    members = [cls for cls in family.choices().values() if cls.__module__.startswith("fedbench.")]
    assert members
    for cls in members:
        assert family.from_dict({"kind": cls.__name__}) == cls()
        assert family.from_toml(f'kind = "{cls.__name__}"') == cls()


def test_to_dict_begins_with_the_kind(part: Part) -> None:
    data = part.to_dict()
    assert next(iter(data)) == "kind"
    assert data["kind"] == type(part).__name__


def test_frozen_and_hashable(part: Part) -> None:
    assert hash(part) == hash(copy.deepcopy(part))
    for name in type(part).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, getattr(part, name))


def test_replace_gives_an_equal_but_separate_object(part: Part) -> None:
    before = part.to_dict()
    again = part.replace()
    assert again == part and again is not part
    assert part.to_dict() == before


def test_a_misspelt_field_is_answered_with_the_nearest(part_class: type[Part]) -> None:
    for name in part_class.model_fields:
        with pytest.raises(ValidationError, match=f"did you mean '{name}'"):
            part_class.from_dict({"kind": part_class.__name__, f"{name}z": 1})


def test_an_unknown_field_is_refused(part_class: type[Part]) -> None:
    with pytest.raises(ValidationError, match=f"{part_class.__name__} has no field 'qqqq'"):
        part_class(qqqq=1)


# Fields that mean a formula: all of this name, whatever part they belong to.
MATHEMATICAL = {
    *("alpha", "beta", "beta1", "beta2", "lam", "mu", "server_lr", "tau", "weighting"),
    *("clip", "delta", "epsilon", "evaluation_share", "noise_multiplier", "quantile"),
    *("byzantine", "factors", "smoothing", "spread", "std", "strength", "trim"),
    *("lr", "lr_decay", "momentum", "weight_decay"),
}


def flaws(cls: type[Spec]) -> list[str]:
    """Return the fields without one sentence or, if they mean one, without a formula."""
    found = []
    for name, field in cls.model_fields.items():
        words = field.description or ""
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        formula = str(extra.get("formula", ""))
        wrong = {
            f"{words!r} is no sentence": len(words.split()) <= 2,
            # it follows "Title: " in files and stands alone in the form, which ends it
            f"the end of {words!r}": words.endswith((".", ",", ";", ":")),
            f"{words!r} is two sentences": re.search(r"[.!?]\s+[A-Z]", words),
            f"{words!r} begins with a capital": words[:1] != words[:1].lower(),
            "no formula": not formula and name in MATHEMATICAL,
            f"blanks around {formula!r}": formula != formula.strip() or "\n" in formula,
            f"brackets of {formula}": any(
                formula.count(left) != formula.count(right) for left, right in ("{}", "()", "[]")
            ),
        }
        found += [f"{cls.__name__}.{name}: {flaw}" for flaw, is_so in wrong.items() if is_so]
    return found


def test_docstrings_and_field_texts(part_class: type[Part]) -> None:
    assert part_class.__doc__ and part_class.__doc__ != Part.__doc__
    assert "__doc__" in vars(part_class)
    assert flaws(part_class) == []


@pytest.mark.parametrize("group", [fb.Experiment, fb.LocalTraining, fb.Target, fb.Devices])
def test_field_texts_of_groups(group: type[Spec]) -> None:
    assert flaws(group) == []


def test_field_texts_of_numbers_over_clients() -> None:
    assert flaws(type(fb.Devices().speed)) == []


def test_public_methods_have_docstrings(part_class: type[Part]) -> None:
    for name, member in vars(part_class).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            assert member.__doc__, f"{part_class.__name__}.{name} has no docstring"


def test_the_schema_lists_every_member_with_its_kind(family: type[Part]) -> None:
    schema = TypeAdapter(family).json_schema()
    described = {
        member["properties"]["kind"]["const"]: member for member in resolved(schema, schema)
    }
    members = family.choices().items()
    for kind, cls in [item for item in members if item[1].__module__.startswith("fedbench.")]:
        assert set(described[kind]["properties"]) == {"kind", *cls.model_fields}
        assert "kind" in described[kind]["required"]
        for name, field in cls.model_fields.items():
            # a field that is itself a family is described by that, under the family's name
            if "$ref" not in described[kind]["properties"][name]:
                assert described[kind]["properties"][name]["title"] == field.title
            assert described[kind]["properties"][name]["description"] == field.description


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        return resolved(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "oneOf" in schema:
        return [member for choice in schema["oneOf"] for member in resolved(choice, root)]
    return [schema]
