"""A table of one's own: chosen in the page, given roles, dealt out and trained on."""

from __future__ import annotations

import hashlib
import random
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
    workbench.choose("Data", "Table")
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
    expect(shown.get_by_role("listitem")).to_have_count(4)
    names = shown.locator(".fb-name")
    expect(names.nth(1)).to_have_text(ODD)
    expect(shown.get_by_role("status")).to_have_text("Give one column the role of target.")

    give(shown, "ill", "target")
    give(shown, "site", "client")
    expect(shown.get_by_role("status")).to_contain_text(
        "300 rows, 4 columns, 3 clients; ill is 2 classes"
    )
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
    expect(shown.get_by_role("status")).to_contain_text("'page.pdf' is none of .csv")
    assert lab.run("print(wb.form.own.table.path)") == before
    broken = tmp_path / "broken.csv"
    broken.write_text("a,a\n1,2\n")
    upload(shown, broken)
    expect(workbench.root.locator(".fb-problem:visible")).to_contain_text(
        "2 columns are called 'a'"
    )
    upload(shown, csv)
    expect(shown.get_by_role("listitem")).to_have_count(4)


def test_a_file_of_several_parts_arrives_whole(lab: Lab, tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = (f"{rng.random()},{rng.random()},{k % 2}" for k in range(90_000))
    path = tmp_path / "large.csv"
    path.write_text("a,b,c\n" + "\n".join(rows) + "\n")
    assert path.stat().st_size > 3 * 2**20
    workbench = opened(lab)
    shown = picker(workbench)
    upload(shown, path)
    expect(shown.get_by_role("listitem")).to_have_count(3)
    give(shown, "c", "target")
    expect(shown.get_by_role("status")).to_contain_text("90,000 rows, 3 columns")
    digest = lab.run(
        "import hashlib; from pathlib import Path\n"
        "print(hashlib.sha256(Path(wb.form.own.table.path).read_bytes()).hexdigest())"
    )
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
