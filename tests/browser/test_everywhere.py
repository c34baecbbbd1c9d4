"""The workbench in Notebook 7 and as a web page of its own."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import ROOT, Lab, WorkbenchPage
from tests.browser.serving import web_page
from tests.browser.test_workbench import brightness

pytestmark = pytest.mark.browser

# A path that only the folder of the command knows.
CLINICS = """
rounds = 40
[data]
kind = "Table"
path = "clinics.csv"
target = "ill"
[partition]
kind = "IID"
clients = 4
"""


def test_notebook_7_shows_the_same_workbench(lab: Lab) -> None:
    lab.open("workbench.ipynb", "notebooks")
    lab.run_all()
    workbench = lab.workbench
    workbench.wait_points(100, "partition")
    lab.run("wb.experiment = wb.experiment.replace(rounds=500)")
    workbench.button("Start").click()
    workbench.wait_points(3)
    workbench.button("Pause").click()
    workbench.wait_state("paused")
    done = int(lab.run("print(len(wb.history))"))
    lab.reload()
    again = lab.workbench
    again.wait_state("paused")
    again.wait_points(done)
    assert again.points() == done
    again.button("Step").click()
    again.wait_points(done + 1)
    again.wait_state("paused")
    lab.kernel("restart")
    expect(again.root.locator("[data-fedbench-banner=kernel]")).to_be_visible()
    expect(again.button("Resume")).to_be_disabled()
    assert again.points() == done + 1


def test_a_web_page_has_a_kernel_as_long_as_it_is_open(browser: Browser, tmp_path: Path) -> None:
    rows = [f"{age},{age % 7},{'yes' if age % 7 > 3 else 'no'}" for age in range(20, 220)]
    Path(tmp_path, "clinics.csv").write_text("\n".join(["age,dose,ill", *rows]), encoding="utf-8")
    Path(tmp_path, "e.toml").write_text(CLINICS, encoding="utf-8")
    with web_page(tmp_path, "e.toml", "--theme", "dark") as (address, process):
        server = psutil.Process(process.pid)
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        context.set_default_timeout(15_000)
        page, errors, asked = context.new_page(), [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(urlsplit(request.url)))
        page.goto(address)
        workbench = WorkbenchPage(page)
        page.wait_for_selector(ROOT)
        expect(page).to_have_title("fedbench")
        expect(workbench.root.get_by_role("heading", name="clinics.csv")).to_be_visible()
        dark = workbench.root.evaluate("e => getComputedStyle(e).backgroundColor")
        assert brightness(dark) < 80
        expect(page.locator(".jp-InputArea")).to_have_count(0)
        workbench.button("Start").click()
        workbench.wait_state("done")
        workbench.wait_points(40)
        for tab in ("Privacy–utility", "Code", "Log"):
            workbench.tab(tab)
        expect(workbench.root.get_by_role("log")).to_contain_text("all 40 rounds done")

        (kernel,) = server.children()
        page.reload()
        expect(workbench.root).to_have_attribute("data-state", "idle")
        assert psutil.wait_procs([kernel], timeout=15)[1] == []
        (kernel,) = server.children()
        page.close(run_before_unload=True)
        assert psutil.wait_procs([kernel], timeout=15)[1] == []

        assert errors == []
        web = [url for url in asked if url.scheme in ("http", "https", "ws", "wss")]
        assert {url.hostname for url in web} == {"127.0.0.1"}
        stranger = urlsplit(address)._replace(query="").geturl()
        with urllib.request.urlopen(stranger) as answer:
            assert urlsplit(answer.url).path == "/login"  # the address holds the key
        context.close()
