"""A table of one's own: chosen in the page, given roles, dealt out and trained on."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.lab import NAMES, ROOT, Lab, WorkbenchPage
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

ODD = "<b>ε\"'</b>"
SITES = ("<i>north</i>", "south & east", 'west "side"')


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A table whose names and values would be markup if anything took them for it."""
    rng = random.Random(0)
    lines = ['age,"<b>ε""\'</b>",site,ill']
    for _ in range(300):
        age, odd = rng.randint(20, 80), rng.choice(["x<img src=x onerror=alert(1)>", "y"])
        site = rng.choice(SITES).replace('"', '""')
        lines.append(f'{age},"{odd}","{site}",{"yes" if age + rng.gauss(0, 8) > 50 else "no"}')
    path = tmp_path / "people <b>of mine.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def picker(workbench: WorkbenchPage) -> Locator:
    workbench.open_section("Data")
    shown = workbench.root.locator(".fb-upload")
    expect(shown).to_be_visible()
    return shown


def upload(shown: Locator, *files: Path) -> None:
    shown.locator("input[type=file]").set_input_files(files)


def give(shown: Locator, column: str, role: str) -> None:
    choice = shown.get_by_role("combobox", name=f"Role of {column}", exact=True)
    choice.select_option(role)
    expect(choice).to_have_value(role)


def test_a_table_with_odd_names_is_uploaded_and_trained_on(lab: Lab, csv: Path) -> None:
    workbench = opened(lab)
    shown = picker(workbench)
    upload(shown, csv)
    expect(shown.locator(".fb-columns li")).to_have_count(4)
    names = shown.locator(".fb-name")
    expect(names.nth(1)).to_have_text(ODD)
    status = shown.get_by_role("status")
    expect(status).to_contain_text("300 rows, 4 columns, 3 clients; ill is 2 classes")
    expect(status).to_contain_text("Guessed: ill as target and site as client")
    give(shown, "site", "feature")
    give(shown, "site", "client")
    expect(status).not_to_contain_text("Guessed")
    expect(shown.locator("li").nth(1)).to_contain_text("x<img src=x onerror=alert(1)>")
    expect(workbench.root.get_by_role("combobox", name="Partition", exact=True)).to_have_value(
        NAMES["Natural"]
    )
    expect(workbench.chart("partition")).to_have_attribute("data-points", "3")

    # whatever a table says stays text: nothing of it became an element
    inside = workbench.root.locator(".fb-upload, .fb-partition")
    assert inside.locator("b, i").count() == 0
    assert workbench.root.locator("img").count() == 0
    workbench.choose("Privacy", "NoPrivacy")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(30)
    assert lab.run("print(wb.session.experiment.federation().names)") == repr(SITES)
    assert float(lab.run("print(wb.history.rows[-1].metrics['accuracy'])")) > 0.7
    found = Axe().run(lab.page, context=f"{ROOT} .fb-upload")
    assert found.violations_count == 0, found.generate_report()


def test_what_cannot_be_read_says_why_and_the_table_before_stays(
    lab: Lab, csv: Path, tmp_path: Path
) -> None:
    workbench = opened(lab)
    shown = picker(workbench)
    upload(shown, csv)
    give(shown, "ill", "target")
    before = lab.run("print(wb.form.own.table.path)")
    page = tmp_path / "page.pdf"
    page.write_bytes(b"%PDF")
    upload(shown, page)
    expect(shown.get_by_role("status")).to_contain_text(
        "'page.pdf' is not a kind of table that can be read"
    )
    assert lab.run("print(wb.form.own.table.path)") == before
    broken = tmp_path / "broken.csv"
    broken.write_text("a,a\n1,2\n")
    upload(shown, broken)
    expect(shown.get_by_role("status")).to_contain_text("2 columns are called 'a'")
    upload(shown, csv)
    expect(shown.locator(".fb-columns li")).to_have_count(4)


def test_a_file_of_several_parts_arrives_whole(lab: Lab, tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = (f"{rng.random()},{rng.random()},{k % 2}" for k in range(90_000))
    path = tmp_path / "large.csv"
    path.write_text("a,b,c\n" + "\n".join(rows) + "\n")
    assert path.stat().st_size > 3 * 2**20
    workbench = opened(lab)
    shown = picker(workbench)
    upload(shown, path)
    expect(shown.locator(".fb-columns li")).to_have_count(3)
    give(shown, "c", "target")
    expect(shown.get_by_role("status")).to_contain_text("90,000 rows, 3 columns")
    digest = lab.run(
        "import hashlib; from pathlib import Path\n"
        "print(hashlib.sha256(Path(wb.form.own.table.path).read_bytes()).hexdigest())"
    )
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_table_goes_from_a_scenario_to_a_fair_sentence_and_leaves_no_cell_in_the_notebook(
    lab: Lab, tmp_path: Path
) -> None:
    rng = random.Random(2)
    lines = ["patient,town,age,hospital,ill"]
    for k in range(400):
        # the features say nothing: a fair sentence does not praise the share of the larger class
        ill = "yes" if rng.random() < 0.3 else "no"
        town = f"MARKTOWN{k % 3}"
        lines.append(f"MARKID{k:05},{town},{rng.randint(20, 80)},site {k % 4},{ill}")
    path = tmp_path / "patients.csv"
    path.write_text("\n".join(lines) + "\n")
    workbench = opened(lab)
    lab.run("from fedbench.scenarios import medical; wb.experiment = medical()")
    shown = picker(workbench)
    expect(shown.locator("label")).to_have_text("Choose a file…")
    upload(shown, path)
    status = shown.get_by_role("status")
    expect(status).to_contain_text("400 rows, 5 columns, 4 clients; ill is 2 classes")
    expect(shown.locator("li", has_text="town").first).to_contain_text("MARKTOWN")
    start = workbench.button("Start")
    expect(start).to_be_enabled()
    expect(workbench.root.locator("[data-fedbench-banner=why-not]")).to_be_hidden()
    start.click()
    workbench.wait_state("done")
    expect(workbench.root.locator(".fb-toolbar h2")).to_have_text("patients.csv")
    mode = lab.run(
        "from pathlib import Path; p = Path(wb.form.own.table.path)\n"
        "print(oct(p.stat().st_mode & 0o777), oct(p.parent.stat().st_mode & 0o777))"
    )
    assert mode == "0o600 0o700"
    note = workbench.root.locator(".fb-live .fb-note, .fb-tabpanel:visible .fb-note").first
    expect(note).to_contain_text(re.compile("no better than|always|majority", re.IGNORECASE))

    lab.command("docmanager:save")
    saved = lab.served.root / lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.path"
    )
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    content = saved.read_text()
    assert "fedbench" in content
    assert "widget-state" in content, "the widgets' state was not saved"
    assert "MARK" not in content
