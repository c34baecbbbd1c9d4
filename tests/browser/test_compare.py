"""Runs side by side in a real page, and every file that a person can take away from it."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import ROOT, Lab, WorkbenchPage
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
SVG = "{http://www.w3.org/2000/svg}"


def two_runs(lab: Lab) -> WorkbenchPage:
    """Return a workbench after a run with ε ≤ 8 and one with ε ≤ 2, on its Compare tab."""
    workbench = opened(lab)
    workbench.tab("Compare")
    expect(workbench.root.get_by_text("Finished runs are listed here.")).to_be_visible()
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.type("Budget ε", 2)
    section = workbench.root.get_by_role("button", name=re.compile(r"\bPrivacy\b"))
    expect(section).to_contain_text("client-level ε ≤ 2")
    workbench.button("Start").click()
    expect(rows(workbench)).to_have_count(2, timeout=15_000)
    workbench.wait_state("done")
    return workbench


def rows(workbench: WorkbenchPage) -> Locator:
    """Return the rows of the runs that have ended."""
    return workbench.root.locator(".fb-runs tbody tr:not(.fb-now)")


def named(workbench: WorkbenchPage) -> list[str]:
    fields = workbench.root.get_by_role("textbox", name=re.compile("^Name of"))
    return [field.input_value() for field in fields.all()]


def saved(lab: Lab, button: Locator) -> tuple[str, bytes]:
    """Press a button and return the name and the content of the file that it saves."""
    with lab.page.expect_download() as caught:
        button.click()
    return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()


def test_runs_are_compared_pinned_named_and_deleted(lab: Lab) -> None:
    workbench = two_runs(lab)
    expect(workbench.root.get_by_text("These 2 runs differ only in Budget ε.")).to_be_visible()
    heads = workbench.root.locator(".fb-runs thead th")
    expect(heads).to_contain_text(["run", "test accuracy", "worst tenth", "client-level ε"])
    assert named(workbench) == ["ε ≤ 8", "ε ≤ 2"]
    values = json.loads(
        lab.run(
            "import json; print(json.dumps([run.history.rows[-1].metrics['accuracy'] "
            "for run in wb.runs]))"
        )
    )
    for row, value in zip(rows(workbench).all(), values, strict=True):
        expect(row).to_contain_text(f"{value:.1%}")

    # with the file browser open, all results are in view
    assert lab.page.viewport_size is not None
    assert lab.page.viewport_size["width"] <= 1440
    table = workbench.root.locator(".fb-compare .fb-scroll")
    assert table.evaluate("(element) => element.scrollWidth - element.clientWidth") <= 0

    # in a narrow window what the runs differ in stays in view; what matters less goes first
    lab.page.set_viewport_size({"width": 800, "height": 800})
    budget = workbench.root.locator(".fb-runs th[data-key='privacy.epsilon']")
    expect(budget).to_have_text("Budget ε")
    expect(workbench.root.locator(".fb-runs th[data-key=seconds]")).to_have_count(0)
    place, seen = budget.bounding_box(), table.bounding_box()
    assert place is not None
    assert seen is not None
    assert seen["x"] <= place["x"]
    assert place["x"] + place["width"] <= seen["x"] + seen["width"]
    lab.page.set_viewport_size({"width": 1440, "height": 1000})
    expect(workbench.root.locator(".fb-runs th[data-key=seconds]")).to_have_count(1)

    # a pin is a dashed line in the run's colour, with its name, on every chart that compares
    workbench.root.get_by_role("checkbox", name="Pin ε ≤ 8").check()
    workbench.root.get_by_role("combobox", name="Colour of ε ≤ 8").select_option(label="green")
    field = workbench.root.get_by_role("textbox", name="Name of ε ≤ 8")
    field.fill(EVIL)
    field.press("Enter")
    expect(workbench.root.get_by_role("checkbox", name=f"Pin {EVIL}")).to_be_checked()
    workbench.tab("Live")
    for chart in ("accuracy", "loss", "epsilon", "norm"):
        line = workbench.chart(chart).locator(
            "path[stroke-dasharray='5 4'][stroke='var(--fb-s2)']:not([display=none])"
        )
        expect(line).to_have_count(1)
        expect(workbench.chart(chart).get_by_text(EVIL[:4])).to_have_count(1)
    expect(workbench.root.locator("img")).to_have_count(0)
    workbench.tab("Privacy–utility")
    coloured = workbench.chart("frontier").locator("circle[style='stroke: var(--fb-s2)']")
    expect(coloured).to_have_count(1)

    # a deleted run is gone from table, charts and frontier until it is brought back
    workbench.tab("Compare")
    workbench.root.get_by_role("button", name=f"Delete {EVIL}").click()
    expect(rows(workbench)).to_have_count(1)
    undo = workbench.root.get_by_role("button", name="Undo").last
    expect(workbench.root.get_by_text(f"Deleted {EVIL}.")).to_be_visible()
    workbench.tab("Privacy–utility")
    expect(workbench.chart("frontier")).to_have_attribute("data-points", "1")
    workbench.tab("Compare")
    undo.click()
    expect(rows(workbench)).to_have_count(2)
    assert named(workbench) == [EVIL, "ε ≤ 2"]
    expect(workbench.root.get_by_role("checkbox", name=f"Pin {EVIL}")).to_be_checked()

    # what a person made of the runs is there after the page is loaded again
    lab.reload()
    again = lab.workbench
    again.tab("Compare")
    expect(rows(again)).to_have_count(2)
    assert named(again) == [EVIL, "ε ≤ 2"]
    expect(again.root.get_by_role("checkbox", name=f"Pin {EVIL}")).to_be_checked()


def test_rows_are_sorted_by_hand_and_by_key_and_loaded(lab: Lab) -> None:
    workbench = two_runs(lab)
    head = workbench.root.locator(".fb-runs th[data-key=epsilon]")
    expect(head).to_have_attribute("aria-sort", "none")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert named(workbench) == ["ε ≤ 2", "ε ≤ 8"]
    expect(head.get_by_role("button")).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    assert named(workbench) == ["ε ≤ 8", "ε ≤ 2"]
    lab.page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "none")

    workbench.root.get_by_role("button", name="Load ε ≤ 8").click()
    section = workbench.root.get_by_role("button", name=re.compile(r"\bPrivacy\b"))
    expect(section).to_contain_text("client-level ε ≤ 8")

    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        lab.theme(theme)
        workbench.root.get_by_role("checkbox", name="Pin ε ≤ 8").check()
        workbench.root.get_by_role("button", name="Delete ε ≤ 2").click()
        expect(rows(workbench)).to_have_count(1)
        found = Axe().run(lab.page, context=ROOT)
        assert found.violations_count == 0, found.generate_report()
        workbench.root.get_by_role("button", name="Undo").last.click()
        expect(rows(workbench)).to_have_count(2)


def test_every_file_is_what_it_says(lab: Lab, browser: Browser, tmp_path: Path) -> None:
    workbench = two_runs(lab)
    button = workbench.root.get_by_role

    name, content = saved(lab, button("button", name="Save CSV"))
    assert name == "runs.csv"
    assert content.decode() == lab.run("print(wb.compare().to_csv(index=False))") + "\n"
    assert pd.read_csv(io.BytesIO(content))["privacy.epsilon"].tolist() == [8.0, 2.0]

    workbench.root.get_by_role("checkbox", name="Pin ε ≤ 8").check()
    workbench.tab("Live")
    lab.theme("JupyterLab Light")
    expect(workbench.chart("accuracy")).to_have_attribute("data-points", "30")
    name, content = saved(lab, button("button", name="Save Test accuracy as SVG"))
    assert name == "digits-accuracy.svg"
    picture = ET.fromstring(content)
    assert picture.findtext(f"{SVG}title") == "Test accuracy"
    assert "after round 30 of 30" in (picture.findtext(f"{SVG}desc") or "")
    words = ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]
    assert {"Test accuracy", "global", "100%", "ε ≤ 8"} <= set(words)
    assert words.count("ε ≤ 8") == 2  # beside its line, and in the legend
    dashed = [path.get("stroke-dasharray") for path in picture.iter(f"{SVG}path")]
    assert "5, 4" in dashed
    assert not re.search(rb"var\(|color-mix|class=|url\(|href", content)
    lab.theme("JupyterLab Dark")
    _, dark = saved(lab, button("button", name="Save Test accuracy as SVG"))
    grounds = [ET.fromstring(each)[2].get("fill") for each in (content, dark)]
    assert grounds == ["#ffffff", "#212121"]

    name, content = saved(lab, button("button", name="Save Loss as PNG"))
    assert name == "digits-loss.png"
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes(content[16:20])
    box = workbench.chart("loss").bounding_box()
    assert box is not None
    assert abs(width - 2 * (box["width"] + 24)) <= 20  # the labels may stick out a little
    workbench.tab("Privacy–utility")
    name, content = saved(lab, button("button", name="Save Test accuracy against privacy as SVG"))
    assert name == "digits-privacy-utility.svg"
    assert len(list(ET.fromstring(content).iter(f"{SVG}circle"))) == 2
    name, content = saved(lab, button("button", name="Save Partition as SVG"))
    assert name == "partition.svg"
    assert len(list(ET.fromstring(content).iter(f"{SVG}path"))) > 1

    workbench.tab("Code")
    for language, ending in (("Python", "py"), ("TOML", "toml")):
        name, content = saved(lab, button("button", name=f"Save {language}"))
        assert name == f"digits.{ending}"
        assert content.decode().strip() == lab.run(f"print(wb.experiment.to_{language.lower()}())")
    name, content = saved(lab, button("button", name="History as CSV"))
    assert name == "digits-history.csv"
    assert content.decode() == lab.run("print(wb.history.frame().to_csv(index=False))") + "\n"
    name, content = saved(lab, button("button", name="History as JSON"))
    assert name == "digits-history.json"
    rounds = json.loads(content)["rounds"]
    assert [each["round"] for each in rounds] == list(range(1, 31))
    assert rounds[-1]["accuracy"] == float(
        lab.run("print(wb.history.frame()['accuracy'].iloc[-1])")
    )

    name, content = saved(lab, button("button", name="Report as HTML"))
    assert name == "digits-report.html"
    path = tmp_path / name
    path.write_bytes(content)
    _reads_offline(browser, path, figures=1)


def _reads_offline(browser: Browser, path: Path, figures: int) -> None:
    """Open a report where there is no network: it draws, asks for nothing and breaks no rules."""
    for scheme in ("light", "dark"):
        context = browser.new_context(offline=True, color_scheme=scheme)
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        expect(page.locator(".figure .main-svg").first).to_be_visible()
        assert page.locator(".figure .plot-container").count() == figures
        expect(page.get_by_role("heading", level=1)).to_have_text("Federated learning on Digits")
        assert said == []
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
        found = Axe().run(page, context="main", options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        context.close()


def test_what_cannot_be_saved_is_said_and_a_dead_kernel_is_noticed(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.tab("Code")
    workbench.root.get_by_role("button", name="Report as HTML").click()
    share = workbench.root.get_by_role("region", name="Share")
    expect(share.get_by_role("alert")).to_have_text(
        "nothing to report: the run of Digits has no rounds yet"
    )
    lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    expect(workbench.root.locator("[data-fedbench-banner=kernel]")).to_be_visible(timeout=10_000)
    workbench.root.get_by_role("button", name="History as CSV").click()
    expect(share.get_by_role("alert")).to_contain_text("The kernel does not answer")
    # what the page knows by itself can still be saved
    name, content = saved(lab, workbench.root.get_by_role("button", name="Save Python"))
    assert name == "digits.py"
    assert b"fb.Experiment(" in content
