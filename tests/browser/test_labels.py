"""Words are shown whole; where there is no room for all of them, the whole is a tooltip."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import ROOT, Lab, WorkbenchPage
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

WIDTHS = (1440, 800)
# The words of the form that end outside a box that hides what does, and are not its tooltip.
CUT = """form => {
    const found = [], texts = document.createTreeWalker(form, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const words = text.data.trim(), range = document.createRange();
        range.selectNodeContents(text);
        const own = range.getBoundingClientRect();
        if (!words || own.width < 2 || text.parentElement.closest("option, title")) continue;
        for (let box = text.parentElement; box !== form.parentElement; box = box.parentElement) {
            const { width, right } = box.getBoundingClientRect();
            if (box.title === words) break;
            if (getComputedStyle(box).overflowX === "visible") continue;
            if (width > 2 && own.right > right + 1) found.push(words);
        }
    }
    return found;
}"""
# Of the words in all drawings that are shown: those that are cut without a tooltip, or that lie
# where the page ends.
LOST = """root => [...root.querySelectorAll("svg[data-chart] text")].filter(each => {
    const box = each.getBoundingClientRect(), edge = root.getBoundingClientRect();
    if (box.width === 0) return false;
    const whole = each.querySelector("title")?.textContent ?? "";
    const cut = each.firstChild.textContent.includes("…") && !whole;
    return cut || box.right > edge.right + 1 || box.left < edge.left - 1;
}).map(each => each.textContent)"""
LONG = "a patient of the second group, treated early"


@pytest.fixture
def long_names(tmp_path: Path) -> Path:
    """A table whose classes, columns and holders have long names."""
    rng = random.Random(4)
    lines = ["age at the first visit (years),hospital of the last treatment,outcome"]
    for k in range(300):
        age = rng.randint(20, 80)
        told = LONG if age + rng.gauss(0, 10) > 45 else "another patient"
        lines.append(f'{age},University hospital of a far away town {k % 4},"{told}"')
    path = tmp_path / "long.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def sections(workbench: WorkbenchPage) -> None:
    for section in ("Data", "Model", "Training", "Aggregation", "Run", "Attack", "Devices"):
        workbench.open_section(section)


def test_no_name_in_the_form_is_cut(lab: Lab, long_names: Path) -> None:
    workbench = opened(lab)
    lab.command("application:toggle-left-area")
    form = lab.page.locator(f"{ROOT} .fedbench-form")
    sections(workbench)
    lab.run("from fedbench.scenarios import SCENARIOS; import fedbench as fb")
    experiments = [f"SCENARIOS[{k}]()" for k in range(int(lab.run("print(len(SCENARIOS))")))]
    experiments.append("SCENARIOS[0]().replace(devices=fb.Devices(), target=fb.Target())")
    experiments.append(f"fb.Experiment(data=fb.Table({str(long_names)!r}, target='outcome'))")
    for width in WIDTHS:
        lab.page.set_viewport_size({"width": width, "height": 1000})
        if width == 800:
            workbench.button("Settings").click()
        expect(form).to_be_visible()
        for experiment in experiments:
            lab.run(f"wb.experiment = {experiment}")
            expect(workbench.section("Run")).to_contain_text(
                lab.run("print(f'{wb.experiment.rounds} rounds')")
            )
            lab.page.wait_for_timeout(150)  # until the page has drawn the other fields
            assert form.evaluate(CUT) == [], f"{experiment} at {width} pixels"
    expect(workbench.root.locator(".fb-all")).not_to_have_attribute("title", "null")


def test_a_level_with_a_long_name_is_whole(lab: Lab, long_names: Path) -> None:
    workbench = opened(lab)
    lab.command("application:toggle-left-area")
    lab.run(
        "import fedbench as fb\n"
        f"table = fb.Table({str(long_names)!r}, target='outcome',"
        " client='hospital of the last treatment')\n"
        "wb.experiment = fb.Experiment(data=table, partition=fb.Natural(), rounds=3)"
    )
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(3)
    label = lab.run("print(wb.panel.snapshot['naive'][0]['label'])")
    assert label.startswith(f"always “{LONG}” ")
    for width in WIDTHS:
        lab.page.set_viewport_size({"width": width, "height": 1400})
        for tab, chart in (("Live", "accuracy"), ("Privacy–utility", "frontier")):
            workbench.tab(tab)
            expect(workbench.chart(chart).get_by_text(label, exact=True)).to_be_visible()
            assert workbench.root.evaluate(LOST) == [], f"{tab} at {width} pixels"
        workbench.tab("Clients")
        assert workbench.root.evaluate(LOST) == [], f"Clients at {width} pixels"
    names = workbench.chart("clients").locator("text[data-cut]")
    expect(names.first.locator("title")).to_contain_text("University hospital of a far away town")


def test_what_is_known_of_the_levels_stays_beside_the_charts(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run("from fedbench.scenarios import medical; wb.experiment = medical()")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.root.get_by_role("checkbox", name="pooled and alone").check()
    said = workbench.root.locator(".fb-levels-comment")
    expect(said).to_contain_text("Alone beats pooled", timeout=60_000)
    panel = workbench.root.locator(".fb-panel")
    for width in WIDTHS:
        lab.page.set_viewport_size({"width": width, "height": 1000})
        inner, outer = said.bounding_box(), panel.bounding_box()
        assert inner is not None
        assert outer is not None
        assert outer["x"] <= inner["x"]
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]
        assert said.evaluate("e => e.scrollWidth <= e.clientWidth")
