"""The workbench in a real JupyterLab, used as a person uses it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import ROOT, Lab, WorkbenchPage

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs"
TABS = ("Live", "Clients", "Privacy–utility", "Compare", "Code", "Log")
LONG = 500  # rounds: long enough to be met in the middle


def opened(lab: Lab) -> WorkbenchPage:
    lab.open("workbench.ipynb")
    lab.run_all()
    # The map of the partition comes last and moves what is below it: a click meant for a button
    # that moves between press and release does nothing.
    drawn = re.compile(r"[1-9]")
    expect(lab.workbench.chart("partition")).to_have_attribute("data-points", drawn)
    return lab.workbench


def long_run(workbench: WorkbenchPage) -> None:
    workbench.open_section("Run")
    workbench.type("Rounds", LONG)
    expect(workbench.root.get_by_text(f"/{LONG} rounds")).to_be_visible()


def test_a_federation_is_shaped_trained_paused_and_reloaded(lab: Lab) -> None:
    workbench = opened(lab)
    expect(workbench.chart("partition")).to_have_attribute("data-points", "100")

    before = workbench.chart("partition").inner_html()
    handle = workbench.root.get_by_role("slider", name="α", exact=True)
    handle.press("End")
    lab.page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).innerHTML !== before",
        arg=[f"{ROOT} svg[data-chart=partition]", before],
    )
    workbench.type("α", 1)

    long_run(workbench)
    workbench.button("Start").click()
    workbench.wait_points(3)
    first = workbench.points()
    workbench.wait_points(first + 3)

    workbench.button("Pause").click()
    workbench.wait_state("paused")
    paused = int(lab.run("print(len(wb.history))"))
    workbench.wait_points(paused)
    assert workbench.points() == paused

    workbench.button("Step").click()
    workbench.wait_points(paused + 1)
    workbench.wait_state("paused")
    assert workbench.points() == paused + 1 == int(lab.run("print(len(wb.history))"))

    workbench.button("Resume").click()
    workbench.wait_points(paused + 3)
    lab.reload()
    again = lab.workbench
    again.wait_points(paused + 3)
    again.wait_state("running", "done")
    again.wait_state("done", timeout=60_000)
    again.wait_points(LONG)
    assert again.points() == LONG


def test_a_second_run_is_a_second_point_on_the_frontier(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.tab("Privacy–utility")
    workbench.wait_points(1, "frontier")
    assert workbench.points("frontier") == 1
    workbench.type("Budget ε", 4)
    workbench.button("Start").click()
    workbench.wait_points(2, "frontier")
    workbench.wait_state("done")
    epsilons = lab.run("print([round(run.history.rows[-1].epsilon, 1) for run in wb.runs])")
    assert epsilons == "[8.0, 4.0]"
    assert workbench.points("frontier") == 2


def test_a_point_of_the_frontier_loads_its_experiment(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.type("Budget ε", 2)
    # the head goes on saying what the run had
    section = workbench.section("Privacy")
    expect(section).to_contain_text("client-level ε ≤ 2")
    workbench.tab("Privacy–utility")
    point = workbench.chart("frontier").get_by_role("button").first
    point.focus()
    lab.page.keyboard.press("Enter")
    expect(section).to_contain_text("client-level ε ≤ 8")
    assert lab.run("print(wb.experiment)") == lab.run("print(wb.runs[0].experiment)")


def test_no_tab_breaks_the_rules_of_accessibility(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(30)
    for section in ("Data", "Model", "Training", "Aggregation", "Run"):
        workbench.open_section(section)
    for tab in TABS:
        workbench.tab(tab)
        assert lab.violations() == ""


def test_dark_theme_and_narrow_page(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(30)
    lab.theme("JupyterLab Light")
    light = workbench.root.evaluate("e => getComputedStyle(e).backgroundColor")
    lab.theme("JupyterLab Dark")
    dark = workbench.root.evaluate("e => getComputedStyle(e).backgroundColor")
    assert brightness(dark) < 80 < 200 < brightness(light)

    lab.command("application:toggle-left-area")
    lab.page.set_viewport_size({"width": 800, "height": 1000})
    workbench.root.scroll_into_view_if_needed()
    lab.page.wait_for_function(
        "selector => document.querySelector(selector).scrollWidth"
        " <= document.querySelector(selector).clientWidth + 1",
        arg=ROOT,
    )
    box = workbench.chart("accuracy").bounding_box()
    assert box is not None
    assert box["width"] > 300
    form = lab.page.locator(f"{ROOT} .fedbench-form")
    expect(form).to_be_hidden()
    workbench.root.get_by_role("button", name="Settings").click()
    expect(form).to_be_visible()


def brightness(colour: str) -> float:
    numbers = [float(n) for n in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


def test_the_picture_in_the_readme(lab: Lab) -> None:
    workbench = opened(lab)
    lab.theme("JupyterLab Light")
    lab.command("application:toggle-left-area")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(30)
    picture = workbench.picture()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000, "an empty picture"
    if os.environ.get("FEDBENCH_PICTURES"):  # drawn anew only when asked: pixels differ by machine
        DOCS.mkdir(exist_ok=True)
        (DOCS / "workbench.png").write_bytes(picture)


def test_a_restarted_kernel_is_noticed(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.button("Start").click()
    workbench.wait_state("done")
    banner = workbench.root.locator("[data-fedbench-banner=kernel]")
    expect(banner).to_be_hidden()
    lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    expect(banner).to_be_visible(timeout=10_000)
    expect(workbench.button("Start")).to_be_disabled()
    # what was measured stays on the screen
    assert workbench.points() == 30


def test_a_new_workbench_in_the_cell_leaves_one_thread_of_each_kind(lab: Lab) -> None:
    workbench = opened(lab)
    long_run(workbench)
    workbench.button("Start").click()
    workbench.wait_points(3)
    lab.run("import gc; old = wb; first = old.session")
    lab.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel
            .setSource("wb = Workbench(new=True)\\nwb")"""
    )
    lab.run_all()
    lab.page.wait_for_selector(f"{ROOT}[data-state=idle]")
    fresh = lab.workbench
    assert fresh.root.count() == 1
    assert lab.run("old.session.wait(10); print(wb is old, old.session.state)") == "False done"
    fresh.button("Start").click()
    fresh.wait_points(2)
    assert lab.run(THREADS) == "{'fedbench-publisher': 1, 'fedbench-training': 1}" or (
        lab.run(THREADS) == "{'fedbench-publisher': 1}"  # thirty rounds may be over by now
    )
    assert lab.run("from ipywidgets.widgets.widget import _instances; print(len(_instances) < 600)")


THREADS = """
import threading, collections
kinds = ('fedbench-publisher', 'fedbench-training')
names = [t.name for t in threading.enumerate() if t.name in kinds]
print(dict(sorted(collections.Counter(names).items())))
"""


def test_a_bad_value_shows_its_reason_and_cannot_be_started(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.open_section("Aggregation")
    workbench.choose("Weights", "samples")
    reason = workbench.root.locator(".fb-problem:visible")
    expect(reason).to_contain_text("set it to 'uniform'")
    expect(workbench.button("Start")).to_be_disabled()
    workbench.choose("Weights", "uniform")
    expect(workbench.root.locator(".fb-problem:visible")).to_have_count(0)
    expect(workbench.button("Start")).to_be_enabled()


def test_a_number_is_taken_as_it_is_typed(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.open_section("Run")
    for rounds in (5000, 30):  # beyond the slider, and back inside
        workbench.type("Rounds", rounds)
        expect(workbench.root.get_by_text(f"/{rounds} rounds")).to_be_visible()
        field = workbench.root.get_by_role("textbox", name="Rounds value", exact=True)
        expect(field).to_have_value(str(rounds))
        assert lab.run("print(wb.experiment.rounds)") == str(rounds)
    workbench.type("α", 0)
    expect(workbench.root.locator(".fb-problem:visible")).to_contain_text("more than 0")
    expect(workbench.button("Start")).to_be_disabled()
    expect(workbench.root.get_by_role("textbox", name="α value", exact=True)).to_have_value("0")


def test_settings_that_may_change_do_so_in_the_middle_of_a_run(lab: Lab) -> None:
    workbench = opened(lab)
    long_run(workbench)
    workbench.button("Start").click()
    workbench.wait_points(2)
    workbench.button("Pause").click()
    workbench.wait_state("paused")
    workbench.open_section("Training")
    workbench.type("Learning rate", 0.5)
    workbench.tab("Log")
    expect(workbench.root.get_by_role("log")).to_contain_text("training.lr = 0.5")
    workbench.type("Clients", 50)
    waits = workbench.root.locator(".fb-pending")
    expect(waits).to_have_count(1)
    expect(waits.get_by_role("textbox", name="Clients value", exact=True)).to_have_value("50")
    said = waits.evaluate("field => getComputedStyle(field, '::after').content")
    assert said == '"applies on reset"'
    expect(workbench.root.locator("[data-fedbench=waits]")).to_have_text("1 change waits for Reset")
    assert lab.run("print(wb.session.experiment.clients)") == "100"
    workbench.button("Reset").click()
    expect(waits).to_have_count(0)
    expect(workbench.root.locator("[data-fedbench=waits]")).to_be_hidden()
    workbench.wait_state("idle")
    assert lab.run("print(wb.session.experiment.clients)") == "50"


def test_start_and_charts_stay_in_view_while_the_form_scrolls(lab: Lab) -> None:
    lab.page.set_viewport_size({"width": 1440, "height": 1000})
    workbench = opened(lab)
    lab.command("application:toggle-left-area")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.root.evaluate("root => root.scrollIntoView({ block: 'start' })")
    last = workbench.section("Devices")
    expect(last).not_to_be_in_viewport()
    workbench.root.locator(".fedbench-form").hover()
    lab.page.mouse.wheel(0, 3000)
    expect(last).to_be_in_viewport(ratio=1)
    expect(workbench.button("Start")).to_be_in_viewport(ratio=1)
    for chart in workbench.root.locator(".fb-panel svg[data-chart]:visible").all():
        expect(chart).to_be_in_viewport(ratio=1)


def test_a_change_on_the_way_stands_on_the_charts(lab: Lab) -> None:
    workbench = opened(lab)
    long_run(workbench)
    workbench.button("Step").click()
    workbench.wait_state("paused")
    workbench.open_section("Training")
    workbench.type("Learning rate", 0.5)
    turns = workbench.root.locator("svg[data-chart=accuracy] .fb-turn path")
    expect(turns).to_have_count(0)
    workbench.button("Step").click()
    expect(turns).to_have_count(1)
    workbench.chart("accuracy").focus()
    lab.page.keyboard.press("End")
    said = workbench.root.locator(".fb-reading", has_text="from round 2 on training.lr = 0.5")
    expect(said.first).to_be_visible()


def test_waiting_in_a_cell_leaves_the_buttons_alive(lab: Lab) -> None:
    workbench = opened(lab)
    long_run(workbench)
    workbench.button("Start").click()
    workbench.wait_points(1)
    lab.page.evaluate(
        """() => { const kernel =
            window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            window.waiting = kernel.requestExecute({ code: "await wb.wait_async()" }).done; }"""
    )
    workbench.wait_points(5)
    workbench.button("Stop").click()
    workbench.wait_state("done")
    lab.page.evaluate("() => window.waiting")
    assert lab.run("print(wb.session.state, wb.history.ended)") == "done stopped"


def test_the_code_tab_gives_the_same_history(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run("wb.experiment = wb.experiment.replace(**{'privacy.noise_seed': 7, 'rounds': 5})")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.tab("Code")
    python = workbench.root.get_by_role("tabpanel").locator("pre").first.inner_text()
    assert "fb.Experiment(" in python
    program = f"{python}\nsame = history.frame().drop(columns='seconds')\n"
    program += "mine = wb.history.frame().drop(columns='seconds')\nprint(same.equals(mine))"
    assert lab.run(f"import warnings; warnings.simplefilter('ignore')\n{program}") == "True"


def test_own_models_are_a_line_of_their_own(lab: Lab) -> None:
    workbench = opened(lab)
    for section in ("Model", "Aggregation", "Run"):
        workbench.open_section(section)
    workbench.choose("Privacy", "NoPrivacy")
    workbench.choose("Strategy", "FedPer")
    workbench.choose("Model", "MLP")
    workbench.type("Rounds", 3)
    expect(workbench.root.get_by_text("/3 rounds")).to_be_visible()
    legend = workbench.root.get_by_role("button", name="personal models", exact=True)
    expect(legend).to_have_attribute("aria-pressed", "true")
    workbench.button("Start").click()
    workbench.wait_points(3)
    workbench.wait_state("done")
    band = workbench.root.get_by_role("button", name="personal models, 10–90%")
    expect(band).to_be_visible()
    workbench.chart("accuracy").press("End")
    personal = lab.run("print(f'{wb.history.frame().personal.iloc[-1]:.1%}')")
    assert 0 < float(personal.rstrip("%")) <= 100
    readout = workbench.root.locator(".fb-readout")
    expect(readout).to_contain_text(f"personal models {personal}")
    expect(workbench.chart("accuracy")).to_contain_text(f"own {personal}")
    legend.click()
    expect(legend).to_have_attribute("aria-pressed", "false")
    expect(workbench.chart("accuracy")).not_to_contain_text(f"own {personal}")


def test_the_privacy_of_examples_is_called_that_everywhere(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run("wb.experiment = wb.experiment.replace(rounds=5)")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.choose("Privacy", "ExampleLevelDP")
    hint = workbench.root.locator(".widget-label.fb-hint", has_text="Noise z")
    expect(hint).to_contain_text("example-level ε reaches 8")  # the budget stays
    workbench.button("Start").click()
    meter = workbench.root.locator("[data-chip=privacy]")
    expect(meter).to_contain_text("example-level ε")
    workbench.wait_state("done")
    workbench.wait_points(5)
    expect(workbench.root.get_by_text("example-level ε at δ = 1e-3", exact=True)).to_be_visible()
    workbench.chart("epsilon").press("End")
    expect(workbench.chart("epsilon")).to_contain_text("example-level ε")
    spent = lab.run("print(wb.history.frame()[['epsilon', 'example_epsilon']].notna().all().sum())")
    assert spent == "1"
    workbench.tab("Privacy–utility")
    assert workbench.points("frontier") == 1  # the run before promised something to clients
    table = workbench.root.get_by_role("table")
    expect(table.get_by_role("columnheader", name="example-level ε")).to_be_visible()
    others = workbench.root.get_by_role("group", name="Other runs")
    expect(others.get_by_role("button", pressed=True)).to_contain_text("example-level ε")
    expect(others.get_by_role("button", pressed=False)).to_contain_text("client-level ε")
    # but for the button that leads to the chart of that run
    assert workbench.root.locator(".fb-panel").inner_text().count("client-level") == 1
