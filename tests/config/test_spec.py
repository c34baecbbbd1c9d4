"""Specs and Parts: validation, notations, kinds and the messages of refusals."""

from __future__ import annotations

import sys
from abc import abstractmethod
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

import fedbench as fb
from fedbench.config.problems import problems, refuse
from fedbench.config.spec import Part, Spec
from fedbench.strategies import Strategy


class Leaf(Spec):
    """A small group of settings."""

    size: Annotated[int, Field(ge=1)] = 3
    names: tuple[str, ...] = ()
    note: str | None = None
    limit: float | None = 2.0


class Tree(Spec):
    """A group that holds another."""

    leaf: Leaf = Leaf()
    count: int = 1


class Shape(Part, family=True):
    """A family of this test."""


class Round(Shape):
    """A member with a field."""

    radius: Annotated[float, Field(gt=0)] = 1.0


class Square(Shape):
    """Another member."""


class Outlined(Shape):
    """What its subclasses have in common: nobody can choose it."""

    @abstractmethod
    def outline(self) -> float:
        """Return the length of the outline."""


class Drawing(Spec):
    """Holds a member of a family."""

    shape: Shape = Round()


def messages(error: pytest.ExceptionInfo[ValidationError]) -> list[str]:
    return [str(problem) for problem in problems(error.value)]


# Specs


def test_plain_data_in_every_notation() -> None:
    tree = Tree(leaf=Leaf(size=5, names=("a", "ä\n\"'"), note="[x] # = π"), count=2)
    assert tree.to_dict() == {
        "leaf": {"size": 5, "names": ["a", "ä\n\"'"], "note": "[x] # = π", "limit": 2.0},
        "count": 2,
    }
    for again in (
        Tree.from_dict(tree.to_dict()),
        Tree.from_toml(tree.to_toml()),
        Tree.from_json(tree.to_json()),
    ):
        assert again == tree


def test_none_survives_where_it_is_not_the_default() -> None:
    leaf = Leaf(limit=None)
    assert Leaf.from_dict(leaf.to_dict()) == leaf
    assert Leaf.from_toml(leaf.to_toml()) == leaf
    assert Leaf.from_json(leaf.to_json()) == leaf


def test_defaults_are_written_out() -> None:
    assert Leaf.from_dict({}).to_dict().items() >= {"size": 3, "limit": 2.0}.items()


def test_pydantics_own_dump_is_the_same() -> None:
    experiment = fb.Experiment(data=fb.Wine())
    assert experiment.model_dump() == experiment.to_dict()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Leaf(limit=value)


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Leaf().size = 4


def test_a_misspelt_key_gets_the_nearest() -> None:
    with pytest.raises(ValidationError) as error:
        Tree.from_dict({"leaf": {"sise": 4}})
    assert messages(error) == [
        "leaf.sise: Leaf has no field 'sise'; did you mean 'size'? (given: 4)"
    ]


def test_a_strange_key_gets_the_list() -> None:
    with pytest.raises(ValidationError) as error:
        Leaf(qqq=1)
    assert messages(error) == [
        "qqq: Leaf has no field 'qqq'; there are size, names, note, limit (given: 1)"
    ]


def test_every_misspelt_key_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        Leaf(sise=1, nots="x")
    assert [problem.path for problem in problems(error.value)] == ["sise", "nots"]


def test_braces_in_untrusted_text_stay_text() -> None:
    with pytest.raises(ValidationError) as error:
        Leaf.from_dict({"{message} {0}": 1})
    assert "'{message} {0}'" in messages(error)[0]


def test_replace_by_path() -> None:
    tree = Tree()
    assert tree.replace(**{"leaf.size": 9, "count": 4}) == Tree(leaf=Leaf(size=9), count=4)
    assert tree == Tree()


def test_replace_refuses_a_bad_value() -> None:
    with pytest.raises(ValidationError, match="must be at least 1"):
        Tree().replace(**{"leaf.size": 0})


def test_replace_refuses_a_path_through_a_value() -> None:
    with pytest.raises(ValueError, match=r"count.size: Tree.count is 1, not a group of settings"):
        Tree().replace(**{"count.size": 0})
    with pytest.raises(ValueError, match=r"no field.*did you mean 'leaf'"):
        Tree().replace(**{"leav.size": 0})


def test_parts_lists_every_spec_inside() -> None:
    tree = Tree()
    assert list(tree.parts()) == [tree, tree.leaf]


def test_code_leaves_defaults_out() -> None:
    assert Leaf().code() == "Leaf()"
    assert Leaf(size=7, names=("x",)).code() == "Leaf(size=7, names=('x',))"
    assert Tree(leaf=Leaf(size=7)).code() == "Tree(\n    leaf=Leaf(size=7),\n)"
    assert fb.Experiment().code() == "fb.Experiment()"


def test_code_breaks_long_lines() -> None:
    code = Leaf(size=7, note="n" * 90).code()
    assert code.splitlines() == ["Leaf(", "    size=7,", f"    note='{'n' * 90}',", ")"]


# Parts


def test_a_member_is_chosen_by_kind() -> None:
    drawing = Drawing.from_dict({"shape": {"kind": Round.kind(), "radius": 2.0}})
    assert drawing == Drawing(shape=Round(radius=2.0))
    assert Drawing.from_toml(drawing.to_toml()) == drawing


def test_a_member_admits_its_fields_without_a_kind() -> None:
    assert Round.from_dict({"radius": 3.0}) == Round(radius=3.0)


def test_choices_are_the_concrete_members() -> None:
    assert list(Shape.choices().values()) == [Round, Square]
    assert Round.choices() == {Round.kind(): Round}


def test_a_missing_kind() -> None:
    with pytest.raises(ValidationError) as error:
        fb.Experiment.from_dict({"engine": {"chunk": 3}})
    (message,) = messages(error)  # engines that other tests defined may follow
    assert message.startswith("engine.kind: choose the Engine: kind = LoopEngine, StackedEngine")


def test_a_kind_in_the_place_of_its_group_says_where_it_goes() -> None:
    with pytest.raises(ValidationError) as error:
        fb.Experiment.from_dict({"strategy": "FedProx"})
    assert messages(error) == [
        "strategy.kind: write fb.FedProx() in Python, kind = 'FedProx' in a table, .kind=FedProx "
        "in a path (given: 'FedProx')"
    ]


def test_a_text_in_the_place_of_a_part_is_answered_by_what_could_be_meant() -> None:
    with pytest.raises(ValidationError, match="no Source is called 'Wines'; did you mean 'Wine'"):
        fb.Experiment.from_dict({"data": "Wines"})
    with pytest.raises(ValidationError, match=r"must be one of AdultIncome, .* not a text"):
        fb.Experiment.from_dict({"data": "my patients"})


def test_a_field_of_another_member_is_said_to_be_there() -> None:
    with pytest.raises(ValidationError) as error:
        fb.Experiment.from_dict({"strategy": {"kind": "FedAvg", "mu": 1}})
    assert messages(error) == ["strategy.mu: FedAvg has no field 'mu'; FedProx has one (given: 1)"]
    with pytest.raises(ValidationError, match="NoPrivacy has no field 'epsilon'; Client"):
        fb.NoPrivacy.from_dict({"epsilon": 1})
    with pytest.raises(ValidationError, match="Square has no field 'sides', and there are none"):
        Square.from_dict({"sides": 4})


def test_an_experiment_is_told_with_a_rule_of_its_own() -> None:
    robust = fb.Experiment(aggregator=fb.CoordinateMedian())
    assert robust.describe() == fb.Experiment().describe().replace(
        "FedAvg", "FedAvg · CoordinateMedian"
    )


class Mine(fb.FedAvg):
    """A strategy of the user's."""


def test_a_class_of_the_users_is_told_without_its_module() -> None:
    assert ":" in Mine.kind()
    words = fb.Experiment(strategy=Mine()).describe()
    assert words == fb.Experiment().describe().replace("FedAvg", "Mine")


def test_an_unknown_kind_gets_the_nearest() -> None:
    with pytest.raises(ValidationError) as error:
        fb.Experiment.from_toml('[strategy]\nkind = "FedAvgg"')
    assert messages(error) == [
        "strategy.kind: no Strategy is called 'FedAvgg'; did you mean 'FedAvg'? (given: 'FedAvgg')"
    ]


@pytest.mark.parametrize("kind", [3, None, ["FedAvg"], {"a": 1}])
def test_a_kind_that_is_no_text(kind: object) -> None:
    with pytest.raises(ValidationError, match="no Strategy is called"):
        fb.Experiment.from_dict({"strategy": {"kind": kind}})


def test_the_kind_of_another_family() -> None:
    with pytest.raises(ValidationError, match="no Strategy is called 'Dirichlet'"):
        fb.Experiment.from_dict({"strategy": {"kind": "Dirichlet"}})


def test_a_misspelt_key_in_toml_names_its_place() -> None:
    text = '[partition]\nkind = "Dirichlet"\nalfa = 0.5\n'
    with pytest.raises(ValidationError) as error:
        fb.Experiment.from_toml(text)
    assert messages(error) == [
        "partition.alfa: Dirichlet has no field 'alfa'; did you mean 'alpha'? (given: 0.5)"
    ]


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "a_strategy_of_mine"
    (tmp_path / f"{name}.py").write_text(
        "from fedbench.strategies import Strategy\n"
        "class Mine(Strategy):\n"
        '    "A strategy outside fedbench."\n'
        "    strength: float = 1.0\n"
        "class NotAPart:\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop(name, None)
    return name


def test_a_foreign_kind_is_refused_unless_allowed(foreign: str) -> None:
    text = f'[strategy]\nkind = "{foreign}:Mine"\nstrength = 0.5\n'
    with pytest.raises(ValidationError, match=r"names code outside fedbench.*allow_imports=True"):
        fb.Experiment.from_toml(text)
    assert foreign not in sys.modules
    experiment = fb.Experiment.from_toml(text, allow_imports=True)
    assert experiment.strategy.to_dict() == {
        "kind": f"{foreign}:Mine",
        "weighting": "samples",
        "strength": 0.5,
    }
    again = fb.Experiment.from_json(experiment.to_json(), allow_imports=True)
    assert again == experiment
    assert f"from {foreign} import Mine" in experiment.to_python()
    assert "strategy=Mine(strength=0.5)" in experiment.to_python()


def test_what_is_defined_in_a_notebook_is_named_in_the_program() -> None:
    class Mine(Strategy):
        """A strategy as a cell defines it."""

    Mine.__module__, Mine.__qualname__ = "__main__", "Mine"  # as a cell would have them
    program = fb.Experiment(strategy=Mine()).to_python()
    assert "# Put the definition of Mine here, from your notebook or script.\n" in program
    assert "strategy=Mine()" in program
    compile(program, "program", "exec")


def test_a_field_without_a_title_has_its_name() -> None:
    assert Leaf.model_fields["size"].title == "Size"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": Round}, "shape: must be an object, Round(...), not the class (given: "),
        (
            {"shape": 3},
            f"shape: must be one of {Round.kind()}, {Square.kind()}, or of a subclass of Shape",
        ),
    ],
)
def test_what_is_no_part_is_told_what_would_be(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Drawing.from_dict(wrong)
    (said,) = messages(error)
    assert said.startswith(message)


def test_what_is_no_group_is_told_what_would_be() -> None:
    with pytest.raises(ValidationError) as error:
        Tree.from_dict({"leaf": 3})
    assert messages(error) == ["leaf: must be a Leaf, or a table of its fields (given: 3)"]


def test_errors_in_python_read_as_plainly_as_elsewhere() -> None:
    with pytest.raises(ValidationError) as error:
        fb.Experiment(training={"lr": -1, "epochs": 1.5}, rounds=0)
    text = str(error.value)
    assert "training.lr\n  must be more than 0 [" in text
    assert "training.epochs\n  must be a whole number [" in text
    assert "rounds\n  must be at least 1 [" in text
    assert "pydantic.dev" not in text
    with pytest.raises(ValidationError, match=r"\n  epochs=2 and steps=3 cannot both be set"):
        fb.LocalTraining(epochs=2, steps=3)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no_such_module:Mine", "cannot be found: No module named 'no_such_module'"),
        ("a_strategy_of_mine:Yours", "cannot be found: module .* has no attribute 'Yours'"),
        ("a_strategy_of_mine:NotAPart", "is not a Strategy"),
        ("fedbench.strategies:Strategy", "is not a Strategy"),
        ("fedbench.data:Wine", "is not a Strategy"),
        (":Mine", "cannot be found"),
    ],
)
def test_a_foreign_kind_that_is_no_strategy(foreign: str, kind: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Strategy.from_dict({"kind": kind}, allow_imports=True)


def test_a_problem_says_where_what_and_the_value() -> None:
    error = ValidationError.from_exception_data("X", [refuse("a.b", "too {small}", 3)])
    (problem,) = problems(error)
    assert (problem.path, problem.message, problem.value) == ("a.b", "too {small}", 3)
    assert str(problem) == "a.b: too {small} (given: 3)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": 0}, "rounds: must be at least 1 (given: 0)"),
        ({"rounds": 10**9}, "rounds: must be at most 1,000,000 (given: 1000000000)"),
        ({"rounds": "abc"}, "rounds: must be a whole number (given: 'abc')"),
        ({"rounds": 2.5}, "rounds: must be a whole number (given: 2.5)"),
        ({"seed": 2**31}, "seed: must be less than 2,147,483,648 (given: 2147483648)"),
        ({"training": {"lr": "fast"}}, "training.lr: must be a number (given: 'fast')"),
        ({"partition": {"kind": "Dirichlet", "alpha": 0}}, "partition.alpha: must be more than 0"),
    ],
)
def test_a_bad_value_is_refused_in_plain_words(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment.from_dict(changes)
    (problem,) = problems(caught.value)
    assert str(problem).startswith(said)


def test_a_part_that_does_not_fit_is_given_by_its_kind() -> None:
    wrong = {"data": {"kind": "Digits"}, "partition": {"kind": "Natural"}}
    with pytest.raises(ValidationError) as caught:
        fb.Experiment.from_dict(wrong)
    (problem,) = problems(caught.value)
    assert (problem.path, problem.value) == ("partition.kind", "Natural")
    assert str(problem) == (
        "partition.kind: Digits has no column that names the holder of a row, such as a hospital; "
        "split at random with IID or Dirichlet "
        "(given: 'Natural')"
    )


def test_a_method_that_is_all_but_a_hook_is_warned_of() -> None:
    with pytest.warns(
        UserWarning, match=r"Mine\.ajust: fedbench never calls .* meant 'adjust', rename it"
    ):

        class Mine(Strategy):
            """A slip of the hand."""

            def ajust(self) -> None:
                """Pull."""

    class Helped(Strategy):
        """A method of one's own is one's own."""

        def strength(self) -> float:
            """Return a number."""
            return 0.5

    assert Helped().strength() == 0.5


def test_rows_that_have_a_holder_are_not_dealt_out_in_silence() -> None:
    experiment = fb.Experiment(data=fb.Hospitals(), partition=fb.IID(clients=4))
    (caution,) = experiment.cautions()
    assert caution.startswith("partition = IID: rows are split anew, although Hospitals names")
    assert experiment.replace(partition=fb.Natural()).cautions() == []
    assert fb.Experiment(data=fb.Banks(), partition=fb.IID(clients=4)).cautions() == []


def test_a_part_has_a_name_in_words_for_people() -> None:
    assert fb.TrimmedMean.display_name() == "Trimmed mean"
    assert fb.NoPrivacy.display_name() == "No privacy"
    assert fb.StackedEngine.display_name() == "Fast engine"
    assert fb.PJMLoad.display_name() == "PJM load"
    assert (fb.FedAvgM.display_name(), fb.MLP.display_name()) == ("FedAvgM", "MLP")

    class PulledHard(fb.FedProx):
        """A class of a person keeps the name that it was given."""

    assert PulledHard.display_name().endswith("PulledHard")
    for family in Part.__subclasses__():
        names = [cls.display_name() for kind, cls in family.choices().items() if ":" not in kind]
        assert len(set(names)) == len(names), family
