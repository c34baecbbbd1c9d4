"""`fedbench.run`: a bar where a person sees it, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

import fedbench as fb

pytestmark = pytest.mark.process

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def shown() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Return a function that runs a cell in a kernel and returns what it displays or prints."""
    manager, client = start_new_kernel(env=dict(_environment()))

    def run(code: str, *, asked: bool) -> list[dict[str, Any]]:
        number, found = client.execute(code, allow_stdin=asked), []
        while True:
            message = client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != number:
                continue
            content = message["content"]
            if content.get("execution_state") == "idle":
                return found
            if message["msg_type"] in ("stream", "display_data", "error"):
                found.append(content)

    try:
        run("import fedbench as fb; e = fb.Experiment(data=fb.Wine(), rounds=3)", asked=False)
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _environment() -> Iterator[tuple[str, str]]:
    import os

    paths = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    for name, value in os.environ.items():
        if name not in ("CI", "TQDM_DISABLE"):
            yield name, value
    yield "PYTHONPATH", paths


def test_an_open_notebook_shows_a_bar(shown: Callable[..., list[dict[str, Any]]]) -> None:
    (content,) = shown("h = fb.run(e)", asked=True)
    assert WIDGET in content["data"]
    assert shown("h = fb.run(e, progress=False)", asked=True) == []


def test_a_notebook_that_runs_by_itself_shows_none(
    shown: Callable[..., list[dict[str, Any]]],
) -> None:
    assert shown("h = fb.run(e)", asked=False) == []
    (content,) = shown("h = fb.run(e, progress=True)", asked=False)
    assert WIDGET in content["data"]
    quiet = "import os; os.environ['TQDM_DISABLE'] = '1'; h = fb.run(e)"
    assert shown(quiet, asked=True) == []


def test_a_script_prints_nothing_unless_asked(
    small: fb.Experiment, capfd: pytest.CaptureFixture[str]
) -> None:
    fb.run(small)
    assert tuple(capfd.readouterr()) == ("", "")
    fb.run(small, progress=True)
    out, errors = capfd.readouterr()
    assert out == "" and "round" in errors
