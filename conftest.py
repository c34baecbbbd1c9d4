"""What pytest does for tests and notebooks alike: their kinds, their order, and who runs which.

Every test has one marker that says what it needs: `browser`, `notebook`, `process` (it starts
other processes, and waits for them) or `unit`, which needs Python alone.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any
from unittest import mock

import pytest

from tests.notebooks import INSTRUCTIONS, REAL, pictures

KINDS = ("browser", "notebook", "process", "unit")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test; what takes longest in one piece comes first, and nothing waits for it."""
    for item in items:
        kind = _kind(item)
        item.add_marker(kind)
        if kind == "notebook":
            _compare_real(item)
    items.sort(key=lambda item: KINDS.index(_kind(item)))


def _kind(item: pytest.Item) -> str:
    if item.path.suffix == ".ipynb":
        return "notebook"
    return next((kind for kind in KINDS if item.get_closest_marker(kind)), "unit")


def _compare_real(item: Any) -> None:
    """What a cell says of real data is compared where the data are, its pictures apart."""
    if "FEDBENCH_DATA" in os.environ and REAL in item.cell.metadata.get("tags", []):
        item.options["check"] = not pictures(item.cell)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """The kernel of a notebook, and whatever it starts, sees the shared instructions alone."""
    if _kind(item) == "notebook":
        with mock.patch.dict(os.environ, INSTRUCTIONS):
            return (yield)
    return (yield)  # a fixture may change the environment for its test


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process has all browser tests, for they share a JupyterLab; the others go by file."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "browser" if file.startswith("tests/browser/") else file

    config.option.loadscopereorder = False  # the order of the collection is ours
    return ByFile(config, log)
