"""The partition, changed by hand in a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import NAMES, Lab, WorkbenchPage
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

ODD = "<b>ε\"'</b>"
SMALL = "fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=5, alpha=0.5), rounds=3)"


def designer(lab: Lab, experiment: str = SMALL) -> tuple[WorkbenchPage, Locator]:
    workbench = opened(lab)
    lab.run(f"import fedbench as fb\nwb.experiment = {experiment}")
    count = lab.run("print(wb.experiment.clients)")
    editor = workbench.root.get_by_role("application", name="Partition")
    expect(editor).to_have_attribute("data-points", count)
    editor.scroll_into_view_if_needed()
    return workbench, editor


def counts(lab: Lab) -> list[list[int]]:
    """What the run would use."""
    return json.loads(lab.run("print(wb.experiment.federation().counts().tolist())"))


def made(lab: Lab, count: int = 1) -> None:
    """Wait until the kernel has taken so many changes by hand."""
    lab.page.wait_for_timeout(50)
    for _ in range(50):
        if lab.run("print(wb.form.design.token.rpartition('/')[2])") == str(count):
            return
        lab.page.wait_for_timeout(50)
    raise AssertionError("the change never came to the kernel")


def middle(editor: Locator, client: int, row: int, shape: tuple[int, int]) -> tuple[float, float]:
    """Where a cell is on the page."""
    clients, rows = shape
    place = editor.evaluate(
        """(svg, [client, row, clients, rows]) => {
            const box = svg.getBoundingClientRect();
            const cells = svg.querySelector(".fb-cells").getBBox();
            const bars = svg.querySelector(".fb-sizes").getBBox();
            const scale = box.width / svg.width.baseVal.value;
            const tall = bars.y + bars.height;
            return [
                box.left + scale * (cells.x + (cells.width / clients) * (client + 0.5)),
                box.top + (cells.height / rows) * (row + 0.5),
                tall,
            ];
        }""",
        [client, row, clients, rows],
    )
    return place[0], place[1]


def drag(lab: Lab, editor: Locator, row: int, start: int, end: int) -> None:
    before = counts(lab)
    shape = len(before), len(before[0])
    lab.page.mouse.move(*middle(editor, start, row, shape))
    lab.page.mouse.down()
    lab.page.mouse.move(*middle(editor, end, row, shape), steps=4)


def test_a_cell_is_dragged_to_another_client_and_the_run_uses_it(lab: Lab) -> None:
    workbench, editor = designer(lab)
    before = counts(lab)
    row = max(range(3), key=lambda k: before[0][k])
    hint = workbench.root.locator(".fb-partition .fb-hint").first
    said = hint.inner_text()
    drag(lab, editor, row, 0, 4)
    moved = before[0][row] - (before[0][row] == sum(before[0]))
    expect(workbench.root.locator(".fb-tip:visible")).to_have_text(f"{moved} to client 4")
    expect(hint).not_to_have_text(said)  # the distance while the hand still holds the cell
    assert counts(lab) == before, "nothing is changed before it is dropped"
    on_the_way = hint.inner_text()
    lab.page.mouse.up()
    made(lab)
    wanted = [list(each) for each in before]
    wanted[0][row] -= moved
    wanted[4][row] += moved
    assert counts(lab) == wanted
    expect(hint).to_have_text(on_the_way)
    expect(workbench.root.get_by_role("combobox", name="Partition")).to_have_value(
        NAMES["Explicit"]
    )

    workbench.tab("Code")
    toml = workbench.root.get_by_role("tabpanel").locator("pre").last
    expect(toml).to_contain_text(f"counts = {wanted}")
    workbench.button("Start").click()
    workbench.wait_state("done")
    code = "print(wb.session.history.experiment.federation().counts().tolist())"
    assert json.loads(lab.run(code)) == wanted

    workbench.root.get_by_role("button", name="Undo").click()
    expect(workbench.root.get_by_role("combobox", name="Partition")).to_have_value(
        NAMES["Dirichlet"]
    )
    assert counts(lab) == before


def test_escape_puts_a_cell_back(lab: Lab) -> None:
    _, editor = designer(lab)
    before = editor.inner_html()
    editor.focus()
    drag(lab, editor, 1, 0, 3)
    lab.page.keyboard.press("Escape")
    lab.page.mouse.up()
    lab.page.mouse.move(5, 5)
    assert lab.run("print(wb.experiment.partition.kind(), wb.form.design.token)") == "Dirichlet"
    cells = editor.locator(".fb-cells")
    assert cells.inner_html() in before


def test_everything_is_done_with_keys(lab: Lab) -> None:
    workbench, editor = designer(lab)
    before = counts(lab)
    spoken = workbench.root.locator(".fb-partition [aria-live]")
    editor.focus()
    editor.press("ArrowRight")
    editor.press("+")
    made(lab)
    now = counts(lab)
    assert now[0][0] == before[0][0] + 1
    assert [sum(each) for each in zip(*now, strict=True)] == [
        sum(each) for each in zip(*before, strict=True)
    ]
    expect(spoken).to_have_text(f"client 0 · grower 1: {now[0][0]} of {sum(now[0])}")
    editor.press("-")
    made(lab, 2)
    editor.press("Space")
    expect(spoken).to_contain_text("Picked up: ")
    editor.press("ArrowRight")
    editor.press("ArrowRight")
    editor.press("Enter")
    made(lab, 3)
    carried = counts(lab)
    assert carried[0][0] in (0, 1)
    assert sum(map(sum, carried)) == sum(map(sum, before))

    workbench.root.get_by_role("button", name="Add client").press("Enter")
    made(lab, 4)
    assert len(counts(lab)) == 6
    expect(editor).to_have_attribute("data-points", "6")
    workbench.root.get_by_role("button", name="Remove client").press("Enter")
    made(lab, 5)
    after = counts(lab)
    assert len(after) == 5 and sum(map(sum, after)) == sum(map(sum, before))
    editor.press("Control+z")
    made(lab, 6)
    assert len(counts(lab)) == 6


def test_more_clients_than_a_hand_can_meet_are_only_shown(lab: Lab) -> None:
    workbench = opened(lab)
    lab.run("wb.experiment = wb.experiment.replace(**{'partition.clients': 101})")
    limit = "To edit by hand, choose at most 100 clients."
    expect(workbench.root.get_by_text(limit)).to_be_visible()
    expect(workbench.root.get_by_role("button", name="Add client")).to_be_hidden()
    expect(workbench.chart("partition")).to_have_attribute("role", "img")


def test_names_from_data_are_text(lab: Lab) -> None:
    named = f"fb.Explicit(counts=((9, 2, 1), (1, 8, 3)), names=({ODD!r}, 'b'))"
    workbench, editor = designer(lab, f"fb.Experiment(data=fb.Wine(), partition={named})")
    editor.focus()
    editor.press("ArrowRight")
    expect(workbench.root.locator(".fb-tip:visible")).to_contain_text(ODD)
    assert workbench.root.locator(".fb-partition b, .fedbench-form b").count() == 0
    workbench.root.get_by_role("button", name="Add client").click()
    made(lab)
    assert lab.run("print(wb.experiment.partition.names)") == repr((ODD, "b", "new client 1"))


def test_the_designer_and_lists_of_parts_are_accessible(lab: Lab) -> None:
    workbench, editor = designer(lab)
    workbench.choose("Skews", "FeatureNoise")
    workbench.root.get_by_role("button", name="Add", exact=True).click()
    expect(workbench.root.get_by_role("combobox", name="Skew 1")).to_have_value(
        NAMES["FeatureNoise"]
    )
    editor.focus()
    editor.press("ArrowRight")
    editor.press("+")
    made(lab)
    assert lab.violations() == ""
    workbench.root.get_by_role("button", name="Remove", exact=True).click()
    expect(workbench.root.get_by_role("combobox", name="Skew 1")).to_be_hidden()
    assert lab.run("print(wb.experiment.skews)") == "()"


# Names in lists that are wider than the lists, each with its width and the room for it, in px.
# That a set needs a download is said in the open list alone, which is as wide as it needs.
CUT = """form => [...form.querySelectorAll("select")].filter(each => each.offsetParent).flatMap(
    list => {
        const style = getComputedStyle(list), pen = document.createElement("span");
        const { fontFamily, fontSize, fontWeight, paddingLeft, paddingRight } = style;
        const room = list.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        Object.assign(pen.style, { position: "fixed", fontFamily, fontSize, fontWeight });
        document.body.append(pen);
        const wide = [...list.options].map(({ text }) => {
            pen.textContent = text.replace(/\\s\\(needs\\sa\\sdownload\\)$/, "");
            return [text, pen.getBoundingClientRect().width, room];
        });
        pen.remove();
        return wide.filter(([, width]) => width > room);
    })"""


def test_no_name_of_a_part_is_cut_off(lab: Lab) -> None:
    workbench, _ = designer(lab, "fb.Experiment(skews=(fb.FeatureNoise(),), devices=fb.Devices())")
    form = workbench.root.locator(".fedbench-form")
    workbench.section("Scenario").click()  # titles of scenarios are sentences
    for title in ("Data", "Model", "Training", "Aggregation", "Run", "Attack", "Devices"):
        workbench.open_section(title)
    for name in ("Data", "Partition", "Skews", "Skew 1", "Availability", "Privacy", "Engine"):
        expect(workbench.root.get_by_role("combobox", name=name, exact=True)).to_be_visible()
    assert form.evaluate(CUT) == []
    # the channel's stages have a button of that name, too
    adding = workbench.root.get_by_role("button", name="Add", exact=True)
    add = adding.first.bounding_box()
    skews = workbench.root.get_by_role("combobox", name="Skews", exact=True).bounding_box()
    assert add and skews
    assert add["y"] >= skews["y"] + skews["height"], "the button stands below"
