"""What may happen to a notebook's kernel and file while a workbench is in it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import ROOT, Lab, WorkbenchPage
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

LONG = 2000
SECOND = f"""
from fedbench_widgets import Workbench
other = Workbench(wb.experiment.replace(**{{"partition.clients": 30, "rounds": {LONG}}}))
other
"""


def test_two_workbenches_run_side_by_side_through_an_interrupt(lab: Lab) -> None:
    lab.open("workbench.ipynb")
    lab.add_cell(SECOND)
    lab.run_all()
    roots = lab.page.locator(ROOT)
    expect(roots).to_have_count(2)
    lab.run(f"wb.experiment = wb.experiment.replace(rounds={LONG})")
    first, second = (WorkbenchPage(lab.page, roots.nth(index)) for index in range(2))
    some = re.compile(r"[1-9]")
    for workbench in (first, second):
        expect(workbench.chart("partition")).to_have_attribute("data-points", some)
        workbench.button("Start").click()
    for workbench in (first, second):
        expect(workbench.chart("accuracy")).to_have_attribute("data-points", some)
    lab.kernel("interrupt")
    rounds = lab.run("print(len(wb.history), len(other.history))").split()
    for workbench, before in zip((first, second), rounds, strict=True):
        expect(workbench.root.locator(".fb-state")).to_have_text("Running")
        beyond = re.compile(rf"^(?!{before}$)\d+$")
        expect(workbench.chart("accuracy")).to_have_attribute("data-points", beyond)
    first.button("Stop").click()
    expect(first.root).to_have_attribute("data-state", "done")
    expect(second.root).to_have_attribute("data-state", "running")
    expect(second.root.locator(".fb-subtitle")).to_contain_text("30 clients")
    assert lab.run("print(wb.session.state, other.session.state)") == "done running"
    second.button("Stop").click()
    expect(second.root).to_have_attribute("data-state", "done")


def test_a_cell_run_again_keeps_its_runs_also_after_a_reload_that_saved_nothing(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run("wb.experiment = wb.experiment.replace(rounds=3)")
    for number in range(1, 6):
        workbench.button("Start").click()
        assert lab.run(f"while len(wb.runs) < {number}: wb.wait(1)\nprint(len(wb.runs))") == str(
            number
        )
        workbench.wait_state("done")
    lab.run("old = wb")
    lab.run_all()
    lab.wait_idle()
    workbench = lab.workbench
    workbench.tab("Compare")
    expect(workbench.root.locator(".fb-runs tbody tr")).to_have_count(5)
    assert lab.run("print(wb is old)") == "True"

    workbench.tab("Live")
    lab.run(f"wb.experiment = wb.experiment.replace(rounds={LONG})")
    workbench.button("Start").click()
    workbench.wait_points(10)
    lab.reload(save=False)
    expect(lab.page.locator(ROOT)).to_have_count(0)  # the output is gone
    lab.wait_idle()
    lab.run_all()
    workbench = lab.workbench
    expect(workbench.root.locator(".fb-state")).to_have_text("Running")
    workbench.wait_points(11)
    workbench.button("Pause").click()
    workbench.wait_state("paused")
    rounds = lab.run("print(len(wb.history), len(wb.runs))")
    assert rounds.endswith(" 5")
    expect(workbench.chart("accuracy")).to_have_attribute("data-points", rounds.split()[0])
    workbench.tab("Compare")
    expect(workbench.root.locator(".fb-runs tbody tr")).to_have_count(6)
    workbench.button("Stop").click()
    workbench.wait_state("done")


def test_a_reloaded_page_is_heard_at_its_first_click(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Step").click()
    workbench.wait_points(1)
    workbench.wait_state("paused")
    # as the kernel remembers a page that told it to end its threads while it was left
    lab.run("for child in wb.children: child.comm._reply_subshell_id = 'of a page that was left'")
    workbench.button("Step").click()
    workbench.wait_points(2)
    workbench.wait_state("paused")
    assert lab.run("print(len(wb.history))") == "2"


def test_a_notebook_without_its_kernel_shows_what_it_saved(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(30)
    lab.kernel("shutdown")
    banner = workbench.root.locator("[data-fedbench-banner=kernel]")
    expect(banner).to_contain_text("The kernel does not answer")
    expect(workbench.button("Start")).to_be_disabled()
    lab.reload()
    expect(banner).to_contain_text("This is the saved output, without a running kernel")
    expect(workbench.root.locator(".fb-state")).to_have_text("Saved")
    for name in ("Start", "Reset"):
        expect(workbench.button(name)).to_be_disabled()
    assert workbench.points() == 30
    expect(workbench.chart("accuracy")).to_contain_text("%")
    workbench.tab("Log")
    expect(workbench.root.get_by_role("log")).to_contain_text("Done after round 30")
    lab.wait_idle()  # with the kernel that comes with the page
    lab.run_all()
    expect(banner).to_be_hidden()
    expect(workbench.root).to_have_attribute("data-state", "idle")
    expect(workbench.button("Start")).to_be_enabled()
