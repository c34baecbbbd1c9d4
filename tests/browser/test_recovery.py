"""A workbench is never stuck: whatever went wrong before, a form that is right can start."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

# as on a machine without a network and with nothing downloaded
OFFLINE = """
import os
os.environ["FEDBENCH_DATA"] = {folder!r}
os.environ["HTTPS_PROXY"] = os.environ["https_proxy"] = "http://127.0.0.1:9"
"""


def test_data_that_cannot_be_fetched_are_left_behind_by_choosing_others(
    lab: Lab, tmp_path: Path
) -> None:
    workbench = opened(lab)
    lab.run(OFFLINE.format(folder=str(tmp_path)))
    lab.run("wb.experiment = wb.experiment.replace(rounds=5)")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.open_section("Data")
    workbench.choose("Data", "AdultIncome")
    banner = workbench.root.locator("[data-fedbench-banner=why-not]")
    expect(banner).to_contain_text("AdultIncome is not available")
    expect(banner).to_contain_text("no connection to the server")
    expect(banner).not_to_contain_text("HTTPSConnectionPool")
    expect(banner).to_contain_text("Settings")
    start = workbench.button("Start")
    expect(start).to_be_disabled()
    expect(workbench.chart("partition")).to_have_attribute("data-points", "0")

    workbench.choose("Data", "Digits")
    expect(banner).to_be_hidden()
    expect(workbench.chart("partition")).to_have_attribute("data-points", "100")
    expect(start).to_be_enabled()
    start.click()
    expect(workbench.root.locator("[data-chip=rounds]")).to_have_text("5/5 rounds")
    workbench.tab("Compare")
    expect(workbench.root.locator(".fb-runs tbody tr")).to_have_count(2)


def test_a_red_message_leads_to_its_field(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.open_section("Run")
    workbench.type("Rounds", 0)
    wrong = workbench.root.locator("[data-fedbench=wrong]")
    expect(wrong).to_contain_text("Rounds")
    workbench.section("Run").click()
    rounds = workbench.root.get_by_role("textbox", name="Rounds value", exact=True)
    expect(rounds).to_be_hidden()
    wrong.click()
    expect(rounds).to_be_visible()
    expect(workbench.root.locator(".fb-at-rounds :focus")).to_have_count(1)
