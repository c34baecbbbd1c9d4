"""What counts as the code of a user's class: its module, and what that imports of the user's."""

from __future__ import annotations

import importlib
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fedbench as fb
from fedbench.config.sources import code_digest, is_installed

FILES = {
    "mine.py": """
import numpy
import fedbench as fb
from helper import half
from shelf import scales
from shelf.deep import thing

class Halved(fb.FedAvg):
    def client_result(self, update, *rest):
        import late
        return half(update)
""",
    "helper.py": "import further\nfrom numpy import *\ndef half(x):\n    return further.scale(x)\n",
    "further.py": "import helper\ndef scale(x):\n    return x\n",
    "late.py": "FACTOR = 1\n",
    "unrelated.py": "OTHER = 1\n",
    "shelf/__init__.py": "",
    "shelf/scales.py": "from .deep import thing\nfrom .. import beyond\n",
    "shelf/deep/__init__.py": "",
    "shelf/deep/thing.py": "X = 1\n",
    "shelf/unused.py": "X = 1\n",
}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    tops = {Path(name).parts[0].removesuffix(".py") for name in FILES}
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "shelf/scales.py").write_text("from .deep import thing\n")  # this one is imported
    module = importlib.import_module("mine")
    (tmp_path / "shelf/scales.py").write_text(FILES["shelf/scales.py"])
    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
        del sys.modules[name]


REACHED = set(FILES) - {"unrelated.py", "shelf/unused.py"}


@pytest.mark.parametrize("name", FILES)
def test_a_digest_covers_what_is_reached_and_nothing_else(
    mine: Any, tmp_path: Path, name: str
) -> None:
    before = code_digest([mine.Halved])
    assert before == code_digest([mine.Halved]) != ""
    (tmp_path / name).write_text(f"{FILES[name]}\n# edited\n")
    assert (code_digest([mine.Halved]) != before) == (name in REACHED)
    assert "late" not in sys.modules  # nothing is imported to find it


def test_a_file_that_does_not_parse_is_covered_as_it_is(mine: Any, tmp_path: Path) -> None:
    before = code_digest([mine.Halved])
    (tmp_path / "further.py").write_text("def scale(x:\n")
    assert code_digest([mine.Halved]) != before


def test_there_is_no_code_of_a_users_behind_our_classes() -> None:
    assert code_digest([fb.FedAvg, fb.Digits, fb.Experiment]) == ""
    assert is_installed(np.__file__) and is_installed(importlib.__file__)
    assert not is_installed(__file__)


CELL = """
from typing import ClassVar
import fedbench as fb
import helper
FACTOR = {factor}
def scaled(x):
    return x * FACTOR
def other(x):
    return {other}
class Cell(fb.FedAvg):
    bound: ClassVar[int] = {bound}
    @property
    def share(self):
        return helper.half(1)
    def client_result(self, update, *rest):
        return [scaled(x) for x in update]
"""


def cell(**changes: Any) -> type:
    """Return a class as a notebook's cell defines it: no file, and source that only lines have."""
    source = CELL.format(**{"factor": 1, "other": 1, "bound": 1} | changes)
    module = ModuleType("a_notebook")
    sys.modules["a_notebook"] = module
    name = f"<cell {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), vars(module))
    return module.Cell


@pytest.mark.parametrize(
    ("changes", "covered"),
    [({}, False), ({"factor": 2}, True), ({"bound": 2}, True), ({"other": 2}, False)],
)
def test_a_notebooks_class_is_covered_with_what_it_uses(
    mine: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], covered: bool
) -> None:
    monkeypatch.setitem(sys.modules, "a_notebook", ModuleType("a_notebook"))
    before = code_digest([cell()])
    assert (code_digest([cell(**changes)]) != before) == covered


def test_a_notebooks_class_is_covered_with_the_files_it_uses(
    mine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "a_notebook", ModuleType("a_notebook"))
    made = cell()
    before = code_digest([made])
    (tmp_path / "further.py").write_text("def scale(x):\n    return 2 * x\n")
    assert code_digest([made]) != before
