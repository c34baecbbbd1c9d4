"""Help in place and the guided first run, used as a person uses them."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.lab import ROOT, Lab, WorkbenchPage

pytestmark = pytest.mark.browser


def opened(lab: Lab) -> WorkbenchPage:
    lab.open("workbench.ipynb")
    lab.run_all()
    drawn = re.compile(r"[1-9]")
    expect(lab.workbench.chart("partition")).to_have_attribute("data-points", drawn)
    return lab.workbench


def no_violations(lab: Lab, where: str) -> None:
    found = Axe().run(lab.page, context=ROOT)
    assert found.violations_count == 0, f"{where}:\n{found.generate_report()}"


def described(control: Locator, card: Locator) -> None:
    """Check that the card is what assistive tools are given as the control's description."""
    expect(control).to_have_attribute("aria-describedby", card.get_attribute("id") or "none")


def test_a_field_explains_itself_by_keyboard_and_by_mouse(lab: Lab) -> None:
    workbench = opened(lab)
    card = workbench.root.get_by_role("tooltip")
    clip = workbench.root.get_by_role("textbox", name="Clipping norm C value", exact=True)
    clip.focus()
    expect(card).to_contain_text("Clipping norm of one client's update")
    expect(card.locator(".fb-formula")).to_have_text("Δ·min(1, C/‖Δ‖)")
    expect(card).to_contain_text("1e-06 or more, at most 1,000,000; default 1")
    described(clip, card)
    no_violations(lab, "a field's help")
    field, shown = clip.bounding_box(), card.bounding_box()
    assert field and shown
    assert shown["x"] >= field["x"] + field["width"], "it covers what it speaks of"

    lab.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(clip).not_to_have_attribute("aria-describedby", re.compile(""))

    privacy = workbench.root.get_by_role("combobox", name="Privacy", exact=True)
    privacy.hover()
    expect(card).to_contain_text("ClientLevelDP: Differential privacy for all updates of a client")
    expect(card).to_contain_text("McMahan et al. 2018 (arXiv:1710.06963)")
    described(privacy, card)
    card.hover()
    expect(card).to_be_visible()
    lab.page.mouse.move(1, 1)
    expect(card).to_be_hidden()

    workbench.choose("Privacy", "LocalGaussian")
    clipping = workbench.root.get_by_role("combobox", name="Clipping", exact=True)
    expect(clipping).to_be_hidden()
    tick = lab.page.get_by_role("checkbox", name="Noise z")
    noise = workbench.root.locator(tick)
    # the fields of another choice are told of a little after they are there
    expect(workbench.root.locator("[data-help]").filter(has=tick)).to_have_count(1)
    noise.focus()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Shift+Tab")
    expect(card.locator(".fb-formula")).to_have_text("Δi + N(0, (2zC)²), ‖Δi‖ ≤ C")
    assert card.locator("sub").all_inner_texts() == ["i", "i"]
    # who edits looks at what the edit does
    lab.page.keyboard.press("Space")
    expect(card).to_be_hidden()


def test_every_number_explains_itself_by_one_stop_of_the_keyboard(lab: Lab) -> None:
    workbench = opened(lab)
    card = workbench.root.get_by_role("tooltip")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(30)

    chips = workbench.root.get_by_role("group", name="Progress and cost")
    assert [chip.get_attribute("tabindex") for chip in chips.get_by_role("button").all()] == [
        "0",
        "-1",
        "-1",
        "-1",
    ]
    lab.page.keyboard.press("Tab")  # from the buttons, of which Start was pressed
    expect(card).to_contain_text("Rounds completed, of those planned.")
    lab.page.keyboard.press("ArrowLeft")
    expect(card).to_contain_text("Bytes that all clients have sent")
    described(lab.page.locator(":focus"), card)
    lab.page.keyboard.press("ArrowLeft")
    expect(card.locator(".fb-formula")).to_have_text("P[A(D) ∈ S] ≤ eε P[A(D′) ∈ S] + δ")
    expect(card).to_contain_text(
        "Neighbours differ in that: one client's updates are what they are"
    )

    workbench.button("Test accuracy").click()
    expect(card.locator(".fb-formula")).to_have_text("1/n Σ [ŷi = yi]")
    lab.page.keyboard.press("ArrowRight")
    expect(workbench.button("Loss")).to_be_focused()
    expect(card.locator(".fb-formula")).to_have_text("−1/n Σ log p(yi | xi)")
    lab.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    workbench.button("What these numbers are").click()
    expect(card).to_contain_text("The worst tenth are the clients")

    workbench.tab("Privacy–utility")
    workbench.button("rounds").click()
    expect(card).to_contain_text("Number of rounds of the run.")
    no_violations(lab, "a number's help")


def test_the_tour_goes_on_by_what_the_person_does(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Take the tour").click()
    card = workbench.root.get_by_role("dialog")
    expect(card).to_be_focused()
    expect(card).to_contain_text("Step 1 of 5")
    pointed = workbench.root.locator(".fb-pointed")
    expect(pointed).to_have_text("Start")
    no_violations(lab, "the first step")

    workbench.button("Start").click()
    workbench.wait_state("done")
    expect(card).to_contain_text("Step 2 of 5")
    expect(pointed.locator("svg[data-chart=accuracy]")).to_be_visible()
    workbench.wait_points(30)
    chart = workbench.chart("accuracy")
    chart.focus()
    for row in (29, 28, 27):  # what is pressed faster than the page draws is no reading
        lab.page.keyboard.press("ArrowLeft")
        expect(chart).to_have_attribute("data-row", str(row))
    lab.page.keyboard.press("Escape")

    expect(card).to_contain_text("Step 3 of 5")
    expect(pointed).to_have_class(re.compile("fb-at-partition-alpha"))
    workbench.type("α", 0.1)
    expect(pointed).to_have_text("Start")
    ran_again(workbench)

    expect(card).to_contain_text("Step 4 of 5")
    expect(pointed).to_have_class(re.compile("fb-at-privacy-epsilon"))
    workbench.type("Budget ε", 1)
    expect(pointed).to_have_text("Start")
    ran_again(workbench)

    expect(card).to_contain_text("Step 5 of 5")
    workbench.tab("Privacy–utility")
    workbench.wait_points(3, "frontier")
    expect(pointed).to_have_text("Code")
    workbench.tab("Code")
    expect(card).to_contain_text("That was the tour.")
    no_violations(lab, "the last step")
    card.get_by_role("button", name="Finish").click()
    expect(card).to_be_hidden()
    expect(pointed).to_have_count(0)
    expect(workbench.button("Tour")).to_be_focused()


def ran_again(workbench: WorkbenchPage) -> None:
    workbench.button("Start").click()
    expect(workbench.button("Pause")).to_be_visible()
    workbench.wait_state("done")


def test_a_tour_that_was_left_is_not_offered_again(lab: Lab) -> None:
    workbench = opened(lab)
    offer = workbench.button("Take the tour")
    expect(offer).to_be_visible()
    offer.click()
    card = workbench.root.get_by_role("dialog")
    card.get_by_role("button", name="Next").click()
    expect(card).to_contain_text("There are no rounds yet.")
    lab.page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(offer).to_be_hidden()
    expect(workbench.button("Tour")).to_be_focused()

    lab.reload()
    again = lab.workbench
    expect(again.button("Tour")).to_be_visible()
    expect(again.button("Take the tour")).to_be_hidden()
    expect(again.root.get_by_role("dialog")).to_be_hidden()
    again.button("Tour").click()
    expect(again.root.get_by_role("dialog")).to_contain_text("Step 1 of 5")


def test_the_tour_unfolds_the_form_of_a_narrow_page(lab: Lab) -> None:
    workbench = opened(lab)
    lab.command("application:toggle-left-area")
    lab.page.set_viewport_size({"width": 800, "height": 1000})
    form = lab.page.locator(f"{ROOT} .fedbench-form")
    expect(form).to_be_hidden()
    lab.run("import fedbench as fb; wb.experiment = fb.Experiment(partition=fb.IID())")
    workbench.button("Tour").click()
    card = workbench.root.get_by_role("dialog")
    for _ in range(2):
        card.get_by_role("button", name="Next").click()
    expect(card).to_contain_text("By label (Dirichlet)")
    expect(form).to_be_visible()
    workbench.choose("Partition", "Dirichlet")
    expect(card).to_contain_text("Now press Start again.")
    card.get_by_role("button", name="Next").click()
    expect(card).to_contain_text("choose Client-level DP as the privacy")
    box, root = card.bounding_box(), workbench.root.bounding_box()
    assert box and root
    assert root["x"] <= box["x"]
    assert box["x"] + box["width"] <= root["x"] + root["width"]
