"""The levels that a federation is compared with, asked for with a click."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser


def test_pooled_and_alone_are_lines_of_the_accuracy_chart(lab: Lab) -> None:
    workbench = opened(lab)
    choice = workbench.root.get_by_role("checkbox", name="pooled and alone")
    expect(choice).not_to_be_checked()
    lab.run("wb.experiment = wb.experiment.replace(rounds=8)")
    workbench.button("Start").click()
    workbench.wait_state("done")
    chart = workbench.root.locator("svg[data-chart=accuracy]")
    share = lab.run("print(wb.panel.snapshot['naive'][0]['label'])").strip()
    assert share.startswith("always “")
    expect(chart.get_by_text(share)).to_be_visible()  # what needs no model needs no click
    choice.check()
    expect(chart.get_by_text("alone")).to_be_visible(timeout=60_000)
    found = lab.run(
        "import fedbench as fb; b = fb.baselines(wb.session.experiment); "
        "print(f'{b.pooled:.1%} {b.local:.1%}')"
    ).split()
    for word, value in zip(("pooled", "alone"), found, strict=True):
        expect(chart.get_by_text(f"{word} {value}")).to_be_visible()
    choice.uncheck()
    expect(chart.get_by_text("alone")).to_be_hidden()
