"""The page's own memory while two thousand rounds go by."""

from __future__ import annotations

import pytest
from playwright.sync_api import CDPSession, expect

from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROUNDS = 2000
PATIENCE = 120_000  # milliseconds for so many rounds on a busy machine
QUICK = f"""
import fedbench as fb
wb.experiment = fb.Experiment(
    data=fb.Digits(), partition=fb.IID(clients=4), training=fb.LocalTraining(steps=1),
    rounds={ROUNDS},
)
"""
# In the kernel, so that the run stands still while the page is weighed.
PAUSE_AT = """
wb._memory_mark = wb.session.subscribe(
    lambda event: getattr(event, "round", 0) in (500, 1000) and wb.session.pause()
)
"""


def weigh(chromium: CDPSession) -> tuple[float, float]:
    """Return bytes of the heap and the number of DOM nodes, garbage left out."""
    chromium.send("HeapProfiler.collectGarbage")
    chromium.send("HeapProfiler.collectGarbage")
    metrics = chromium.send("Performance.getMetrics")["metrics"]
    found = {each["name"]: each["value"] for each in metrics}
    return found["JSHeapUsedSize"], found["Nodes"]


def test_two_thousand_rounds_leave_nothing_behind_in_the_page(lab: Lab) -> None:
    lab.open("workbench.ipynb")
    lab.run_all()
    workbench = lab.workbench
    workbench.wait_points(100, "partition")
    lab.run(QUICK + PAUSE_AT)
    expect(workbench.root.get_by_text(f"/{ROUNDS} rounds")).to_be_visible()
    chromium = lab.page.context.new_cdp_session(lab.page)
    chromium.send("Performance.enable")
    weighed = {}
    workbench.button("Start").click()
    for rounds in (500, 1000, ROUNDS):
        state = "done" if rounds == ROUNDS else "paused"
        expect(workbench.root).to_have_attribute("data-state", state, timeout=PATIENCE)
        workbench.wait_points(rounds)
        weighed[rounds] = weigh(chromium)
        if rounds < ROUNDS:
            workbench.button("Resume").click()
            workbench.wait_state("running")
    heap, nodes = zip(*weighed.values(), strict=True)
    assert max(heap[1:]) <= 1.1 * heap[0], heap
    assert max(nodes[1:]) <= nodes[0] + 50, nodes
