"""A real JupyterLab and the system's Chromium for the browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.browser.lab import Lab
from tests.browser.serving import CHROMIUM, Served, chromium, jupyterlab

ROOT = Path(__file__).parents[2]
WINDOW: ViewportSize = {"width": 1440, "height": 1000}
PATIENCE = 15_000  # milliseconds that anything may take on a busy machine
FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve copies of the notebooks."""
    with jupyterlab(tmp_path_factory.mktemp("jupyter")) as served:
        yield served


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; skip, visibly, where there is none.

    For these tests alone: playwright's event loop would run on under all that come after.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH: install it (Debian: apt-get install chromium)")
    with chromium() as started:
        yield started


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know whether the test has failed."""
    outcome = yield
    report = outcome.get_result()  # pyright: ignore
    if report.when == "call":
        item.stash[FAILED] = report.failed


@pytest.fixture(scope="package")
def shared(server: Served, browser: Browser) -> Iterator[Lab]:
    """Keep one page of JupyterLab: to load it takes longer than most tests."""
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield Lab(context.new_page(), server)
    context.close()


@pytest.fixture
def lab(shared: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Yield the page for a notebook of the test's own; check what the page did.

    The next test has the page with nothing open and the kernel with nothing in it, or new ones if
    this one fails.
    """
    shared.forget()
    shared.page.set_viewport_size(WINDOW)
    yield shared
    raised = list(shared.errors)  # what JupyterLab says while its kernels end is its own affair
    failed = bool(raised) or request.node.stash.get(FAILED, False)
    if failed:
        shared.page.screenshot(path=ROOT / "test-results" / f"{request.node.name}.png")
        print("the page's console:", *shared.console, sep="\n")
    shared.clear(anew=failed)
    assert shared.outside == [], "the page asked for something outside this machine"
    assert raised == [], "the page raised errors"
