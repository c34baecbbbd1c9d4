"""A workbench is never stuck: whatever went wrong before, a form that is right can start."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from fedbench.scenarios import medical
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
    workbench.choose("Data", "Adult income (needs a download)")
    banner = workbench.root.locator("[data-fedbench-banner=why-not]")
    expect(banner).to_contain_text("Adult income is not available")
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


def test_the_list_of_data_sets_says_which_need_a_download(lab: Lab, tmp_path: Path) -> None:
    lab.open("workbench.ipynb")
    lab.run(OFFLINE.format(folder=str(tmp_path)))
    lab.run_all()
    workbench = lab.workbench
    workbench.wait_points(100, "partition")
    workbench.open_section("Data")
    data = workbench.root.get_by_role("combobox", name="Data", exact=True)
    names = [name.replace("\xa0", " ") for name in data.locator("option").all_inner_texts()]
    assert {"Adult income (needs a download)", "MNIST (needs a download)"} <= set(names)
    assert {"Digits", "Wine", "Hospitals", "Your own table"} <= set(names)
    assert data.locator("option:disabled").count() == 0
    workbench.choose("Data", "Adult income (needs a download)")
    expect(workbench.root.locator("[data-fedbench-banner=why-not]")).to_contain_text(
        "Adult income is not available"
    )
    # the choice is what it was before the names changed
    expect(data.locator("option:checked")).to_have_text("Adult income")
    words = data.evaluate(
        "e => { const span = document.createElement('span');"
        " span.style.font = getComputedStyle(e).font;"
        " span.style.whiteSpace = 'nowrap';"
        " span.textContent = e.selectedOptions[0].textContent; document.body.append(span);"
        " const wide = span.getBoundingClientRect().width; span.remove(); return wide }"
    )
    box = data.bounding_box()
    assert box is not None
    assert words < box["width"] - 30, "the choice is cut"
    workbench.choose("Data", "Wine")
    expect(data.locator("option").first).to_have_text("Adult income (needs a download)")


def test_a_scenario_is_left_for_a_set_that_is_not_there_and_that_for_a_table(
    lab: Lab, tmp_path: Path
) -> None:
    rng = random.Random(3)
    lines = ["years,pressure,place,relapse"]
    for k in range(400):
        years, pressure = rng.randint(20, 80), rng.randint(90, 180)
        told = years + rng.gauss(0, 12) > 50
        lines.append(f"{years},{pressure},{'NESW'[k % 4]},{'back' if told else 'gone'}")
    path = tmp_path / "relapses.csv"
    path.write_text("\n".join(lines) + "\n")
    lab.open("workbench.ipynb")
    lab.run(OFFLINE.format(folder=str(tmp_path / "data")))
    lab.run_all()
    workbench = lab.workbench
    workbench.wait_points(100, "partition")
    banner = workbench.root.locator("[data-fedbench-banner=why-not]")
    start = workbench.button("Start")

    workbench.choose("Scenario", medical.title)
    workbench.wait_points(4, "partition")
    expect(workbench.section("Data")).to_contain_text("Hospitals")
    workbench.open_section("Data")
    workbench.choose("Data", "Adult income (needs a download)")
    expect(banner).to_contain_text("Adult income is not available")
    expect(banner).to_contain_text("no connection to the server")
    expect(start).to_be_disabled()
    expect(workbench.chart("partition")).to_have_attribute("data-points", "0")

    workbench.choose("Data", "Your own table")
    expect(banner).to_be_hidden()
    wrong = workbench.root.locator("[data-fedbench=wrong]")
    expect(wrong).to_have_text("Data › Choose a file to begin.")
    expect(workbench.root.locator(".fb-problem:visible")).to_have_count(0)
    shown = workbench.root.locator(".fb-upload")
    shown.locator("input[type=file]").set_input_files(path)
    expect(shown.locator(".fb-columns li")).to_have_count(4)
    expect(shown.get_by_role("status")).to_have_text(
        "Choose the column to predict: give it the role target."
    )
    for column, role in (("relapse", "target"), ("place", "client")):
        expect(start).to_be_disabled()
        choice = shown.get_by_role("combobox", name=f"Role of {column}", exact=True)
        choice.select_option(role)
        expect(choice).to_have_value(role)
    expect(shown.get_by_role("status")).to_have_text(
        "400 rows, 4 columns, 4 clients; relapse is 2 classes."
    )
    expect(workbench.root.locator(".fb-problem:visible")).to_have_count(0)
    expect(wrong).to_be_hidden()
    expect(banner).to_be_hidden()
    workbench.wait_points(4, "partition")

    expect(start).to_be_enabled()
    start.click()
    workbench.wait_state("done")
    workbench.wait_points(int(lab.run("print(wb.experiment.rounds)")))
    expect(workbench.root.locator(".fb-toolbar h2")).to_have_text("relapses.csv")
    note = workbench.root.locator(".fb-tabpanel:visible .fb-note")
    accuracy = float(lab.run("print(wb.history.rows[-1].metrics['accuracy'])"))
    naive = max(sum("back" in line for line in lines), sum("gone" in line for line in lines))
    assert accuracy > naive / 400, "the columns tell nothing"
    # what it is worth is said beside what needs no model
    expect(note).to_contain_text(f"right on {accuracy:.1%}")
    expect(note).to_contain_text(re.compile("always “(back|gone)” \\d+\\.\\d%"))
    expect(note).to_contain_text(re.compile(r"on the worst of the clients on \d+%"))
    assert lab.violations() == ""


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


def test_a_sweep_on_other_data_is_shown_and_so_are_the_runs_before(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run('wb.experiment = wb.experiment.replace(**{"partition.clients": 20, "rounds": 2})')
    workbench.button("Start").click()
    workbench.wait_state("done")
    lab.run(
        "import fedbench as fb\n"
        "digits = wb.experiment\n"
        'wb.experiment = digits.replace(data=fb.Wine(), **{"partition.clients": 8, '
        '"privacy.noise_seed": None})'
    )
    workbench.tab("Privacy–utility")
    sweep = workbench.root.get_by_role("group", name="Sweep", exact=True)
    sweep.get_by_label("Sweep: values").fill("2, 8, ∞")
    sweep.get_by_label("over seeds").fill("2")
    sweep.get_by_role("button", name="Run sweep").click()
    status = sweep.get_by_role("status")
    expect(status).to_have_text("6 of 6 runs done", timeout=60_000)
    chart = workbench.chart("frontier")
    expect(chart).to_have_attribute("data-points", "3")
    others = workbench.root.get_by_role("group", name="Other runs")
    expect(others).to_contain_text("have charts of their own")
    expect(others.get_by_role("button", pressed=True)).to_have_text(re.compile(r"^Wine, .*\(3\)$"))
    rows = workbench.root.locator(".fb-points-table tbody tr")
    expect(rows).to_have_count(3)

    others.get_by_role("button", name="Digits").click()
    expect(chart).to_have_attribute("data-points", "1")
    expect(status).to_have_text("6 of 6 runs done (Wine)")
    others.get_by_role("button", name="Wine").click()
    expect(chart).to_have_attribute("data-points", "3")

    # back on the data before, nothing that was said of the others stays
    lab.run('wb.experiment = digits.replace(**{"privacy.noise_seed": 1})')
    workbench.button("Start").click()
    expect(rows).to_have_count(2)
    expect(others.get_by_role("button", pressed=True)).to_contain_text("Digits")
    expect(sweep.locator(".fb-hint")).to_be_hidden()
    workbench.button("Reset").click()
    expect(rows).to_have_count(2)


def test_two_sweeps_are_told_apart(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run('wb.experiment = wb.experiment.replace(**{"partition.clients": 20, "rounds": 2})')
    workbench.tab("Privacy–utility")
    sweep = workbench.root.get_by_role("group", name="Sweep", exact=True)
    sweep.get_by_label("Sweep: values").fill("2")
    sweep.get_by_label("over seeds").fill("1")
    run = sweep.get_by_role("button", name="Run sweep")
    run.click()
    rows = workbench.root.locator(".fb-points-table tbody tr")
    expect(rows).to_have_count(1, timeout=60_000)
    expect(run).to_be_enabled()
    lab.run('wb.experiment = wb.experiment.replace(**{"training.lr": 0.1})')
    run.click()
    expect(rows).to_have_count(2, timeout=60_000)
    names = sorted(rows.locator("th").all_inner_texts())
    assert names == [
        "ε ≤ 2 · Learning rate 0.1 · sweep 2",
        "ε ≤ 2 · Learning rate 2 · sweep 1",
    ]
