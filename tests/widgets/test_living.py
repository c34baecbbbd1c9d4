"""A cell that is run again: the same workbench comes back, or another takes its place."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from IPython.core.events import EventManager, available_events

import fedbench as fb
from fedbench.scenarios import medical
from fedbench_widgets import Workbench, living

WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3)


class Notebook:
    """A kernel's shell, as far as a cell's place in a page can be read off it."""

    def __init__(self) -> None:
        self.kernel = object()
        self.events = EventManager(self, available_events)
        self.parent: dict[str, dict[str, str]] = {}
        self._turns = itertools.count()

    def get_parent(self) -> dict[str, dict[str, str]]:
        return self.parent

    def run(self, cell: str, code: Callable[[], Workbench], page: str = "page") -> Workbench:
        header = {"msg_id": str(next(self._turns)), "session": page}
        self.parent = {"header": header, "metadata": {"cellId": cell}}
        made = code()
        self.events.trigger("post_run_cell", SimpleNamespace())
        self.parent = {}
        return made

    def hear(self, workbench: Workbench, page: str) -> None:
        self.parent = {"header": {"msg_id": str(next(self._turns)), "session": page}}
        workbench._heard(None, {"ping": 1}, None)
        self.parent = {}


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    made = Notebook()
    monkeypatch.setattr(living, "_shell", lambda: made)
    yield made
    for each in list(living._made):
        each.close()
    living._made.clear()


def wines() -> Workbench:
    return Workbench(WINES)


def test_a_cell_run_again_keeps_its_runs_and_the_one_that_goes_on(notebook: Notebook) -> None:
    first = notebook.run("a", wines)
    for _ in range(5):
        first.start()
        assert first.wait(60) == "done"
    first.experiment = WINES.replace(rounds=100_000)
    first.start()
    again = notebook.run("a", wines)
    assert again is first
    assert len(again.runs) == 5
    assert again.session.state == "running"
    again.session.stop()
    assert again.wait(60) == "done"


def test_after_a_reload_the_run_is_found_by_its_cell_or_by_what_it_began_with(
    notebook: Notebook,
) -> None:
    first = notebook.run("a", wines, page="before")
    assert notebook.run("a", wines, page="after") is first
    # the cell was not saved either, and is written anew
    assert notebook.run("b", wines, page="reloaded") is first


def test_two_cells_of_a_page_have_each_their_own(notebook: Notebook) -> None:
    first, second = notebook.run("a", wines), notebook.run("b", wines)
    assert first is not second
    assert notebook.run("a", wines) is first
    assert notebook.run("b", wines) is second
    # shown in the page after a reload, it is not taken from there
    notebook.hear(first, "after")
    notebook.hear(second, "after")
    assert notebook.run("c", wines, page="after") not in (first, second)


def test_two_workbenches_of_one_cell_come_back_in_their_order(notebook: Notebook) -> None:
    made: list[Workbench] = []

    def both() -> Workbench:
        made.extend([Workbench(WINES), Workbench(WINES), Workbench(medical)])
        return made[-1]

    notebook.run("a", both)
    notebook.run("a", both)
    assert len(set(made[:3])) == 3
    assert made[:3] == made[3:]
    notebook.run("a", wines)  # the cell makes one alone now
    assert [each._closing for each in made[:3]] == [False, True, True]


@pytest.mark.parametrize(
    "other", [lambda: Workbench(WINES, new=True), lambda: Workbench(medical), lambda: Workbench()]
)
def test_another_experiment_or_new_starts_afresh_and_leaves_nothing(
    notebook: Notebook, other: Callable[[], Workbench]
) -> None:
    first = notebook.run("a", wines)
    session, gone = first.session, weakref.ref(first)
    first.start()
    fresh = notebook.run("a", other)
    assert fresh is not first
    assert session.wait(60) == "done"
    assert first.toolbar.status["closed"]
    first._publisher._thread.join(10)
    del first
    gc.collect()
    assert gone() is None


def test_a_closed_one_does_not_come_back(notebook: Notebook) -> None:
    first = notebook.run("a", wines)
    first.close()
    assert notebook.run("a", wines) is not first
