"""A scenario chosen in a real browser: it tells its story, runs, and can be gone back to."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from fedbench.scenarios import SCENARIOS, digits, medical
from fedbench_widgets.preview import MAPPED
from tests.browser.lab import Lab
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser


def test_a_scenario_is_chosen_run_changed_and_gone_back_to(lab: Lab) -> None:
    workbench = opened(lab)
    root = workbench.root
    choice = root.get_by_role("combobox", name="Scenario", exact=True)
    section = root.get_by_role("button", name="Scenario", exact=False).first
    back = root.get_by_role("button", name="Back to the scenario")
    expect(section).to_have_attribute("aria-expanded", "true")
    expect(choice.locator("option")).to_have_text([scenario.title for scenario in SCENARIOS])
    expect(root.get_by_text(digits.story)).to_be_visible()

    workbench.choose("Scenario", medical.title)
    expect(root.get_by_text(medical.story)).to_be_visible()
    root.get_by_text("Questions to try").click()
    questions = root.get_by_role("list", name="Questions to try").get_by_role("listitem")
    expect(questions).to_have_text(list(medical.questions))
    expect(workbench.chart("partition")).to_have_attribute("data-points", "4")
    expect(back).to_be_hidden()
    story = root.get_by_text(medical.story).evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert story[0] <= story[1], "the story fits the form"

    workbench.button("Start").click()
    workbench.wait_points(5)
    workbench.wait_state("done")
    workbench.wait_points(40)
    assert lab.run("print(wb.session.experiment.data.kind())") == "Hospitals"

    workbench.type("Budget ε", 1)
    expect(section).to_contain_text("changed")
    expect(back).to_be_visible()
    back.click()
    expect(section).not_to_contain_text("changed")
    expect(back).to_be_hidden()
    assert lab.run("from fedbench.scenarios import medical; print(wb.experiment == medical())") == (
        "True"
    )


def test_a_scenario_waits_for_the_run_that_goes_on(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Step").click()
    workbench.wait_state("paused")
    choice = workbench.root.get_by_role("combobox", name="Scenario", exact=True)
    choice.select_option(label=medical.title)
    workbench.tab("Log")
    expect(workbench.root.get_by_text("cannot change the scenario while a run")).to_be_visible()
    expect(choice).to_have_js_property("selectedIndex", SCENARIOS.index(digits))
    assert lab.run("print(wb.experiment == wb.session.experiment)") == "True"


def test_the_form_holds_each_scenario_as_it_is(lab: Lab) -> None:
    workbench = opened(lab)
    section = workbench.section("Scenario")

    def holds(place: int) -> None:
        scenario = SCENARIOS[place]
        expect(section).to_contain_text(scenario.title)
        # the map comes after the form, and all that the page says to the form before the answer
        shown = str(min(scenario().clients, MAPPED))
        expect(workbench.chart("partition")).to_have_attribute("data-points", shown)
        same = lab.run(f"print(wb.experiment == scenarios.SCENARIOS[{place}]())")
        assert same == "True", scenario.name
        expect(section).not_to_contain_text("changed")

    lab.run("from fedbench import scenarios")
    for place in (*range(1, len(SCENARIOS)), 0):
        workbench.choose("Scenario", SCENARIOS[place].title)
        holds(place)
    for scenario in SCENARIOS[1:]:  # without a pause: what the page says late must not count either
        workbench.choose("Scenario", scenario.title)
    holds(len(SCENARIOS) - 1)


def test_the_form_follows_a_handle_before_it_is_let_go(lab: Lab) -> None:
    workbench = opened(lab)
    handle = workbench.root.get_by_role("slider", name="α", exact=True)
    number = workbench.root.get_by_role("textbox", name="α value", exact=True)
    before = number.input_value()
    handle.evaluate("handle => handle.scrollIntoView({ block: 'center' })")
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 12, y)
    expect(number).not_to_have_value(before)
    passed = number.input_value()
    assert float(lab.run("print(wb.experiment.partition.alpha)")) == float(passed)
    lab.page.mouse.move(x - 12, y)
    lab.page.mouse.up()
    expect(number).not_to_have_value(passed)
    assert float(number.input_value()) < float(before) < float(passed)
    assert float(lab.run("print(wb.experiment.partition.alpha)")) == float(number.input_value())


def test_the_section_breaks_no_rule_of_accessibility(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.choose("Scenario", medical.title)
    expect(workbench.root.get_by_text(medical.story)).to_be_visible()
    workbench.type("Budget ε", 1)
    expect(workbench.root.get_by_role("button", name="Back to the scenario")).to_be_visible()
    assert lab.violations() == ""
