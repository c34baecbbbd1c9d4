"""Parts answer for themselves, and nobody asks a privacy for its class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fedbench as fb
from fedbench import privacy
from fedbench.config.problems import Problem
from fedbench.config.spec import Part

ROOT = Path(__file__).parents[2]
INSIDE = ROOT / "fedbench" / "privacy"
OUTSIDE = [
    path
    for folder in ("fedbench", "widgets/fedbench_widgets")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if INSIDE not in path.parents
]


def asked(code: str) -> Iterator[tuple[int, str]]:
    """Yield each line that asks whether something is of a class of fedbench.privacy."""
    for node in ast.walk(ast.parse(code)):
        classes: list[ast.AST] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            classes = list(node.args[1:])
        elif isinstance(node, ast.MatchClass):
            classes = [node.cls]
        for each in (each for cls in classes for each in ast.walk(cls)):
            name = each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", None)
            if name in privacy.__all__:
                yield node.lineno, name


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_outside_privacy_asks_for_the_class_of_a_privacy(path: Path) -> None:
    """A class of a user's own would fall through; ask an attribute of `Privacy` instead."""
    assert list(asked(path.read_text(encoding="utf-8"))) == []


def test_all_ways_to_ask_are_found() -> None:
    code = """
isinstance(x, Private)
issubclass(type(x), (int, fb.LocalDP | Clip))
match x:
    case privacy.NoPrivacy():
        pass
isinstance(x, int)
"""
    found = [(2, "Private"), (3, "LocalDP"), (3, "Clip"), (5, "NoPrivacy")]
    assert sorted(asked(code)) == sorted(found)


# In which nearly every part finds something wrong.
AT_ODDS = fb.Experiment(
    data=fb.Reviews(),
    partition=fb.Natural(),
    model=fb.TextClassifier(),
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.FixedCohort(size=2),
    privacy=fb.ClientLevelDP(epsilon=1, delta=0.5),
    target=fb.Target(metric="accuracy"),
)


@pytest.mark.parametrize("setup", [fb.Experiment(), AT_ODDS], ids=["usual", "at odds"])
def test_a_problem_has_the_path_of_a_field(part: Part, setup: fb.Experiment) -> None:
    for problem in part.check(setup):
        assert isinstance(problem, Problem) and problem.message
        whole, _, own = problem.path.partition(".")
        if whole:
            assert whole in fb.Experiment.model_fields
        else:
            assert own.partition(".")[0] in (*type(part).model_fields, "kind")
        assert problem.value is not None
    assert all(isinstance(sentence, str) for sentence in part.warn(setup))


def test_most_families_have_something_to_say() -> None:
    talking = (fb.CNN(), fb.Rotation(), fb.FixedCohort(size=99), fb.Krum(), fb.FedSGD())
    for part in talking:
        assert list(part.check(AT_ODDS)), part
