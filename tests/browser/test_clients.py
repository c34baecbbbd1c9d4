"""The Clients tab: who gains, who took part, and how one client fares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import THEMES, Lab, WorkbenchPage
from tests.browser.test_workbench import opened

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs"
DIABETES = """
import fedbench as fb
wb.experiment = fb.Experiment(
    data=fb.DiabetesProgression(), partition=fb.Dirichlet(clients=8, alpha=1.0), rounds=12
)
"""


def trained(lab: Lab, code: str = "", rounds: int = 30) -> WorkbenchPage:
    """Return a workbench whose run is over, with the Clients tab shown."""
    workbench = opened(lab)
    if code:
        lab.run(code)
        expect(workbench.root.get_by_text(f"/{rounds} rounds")).to_be_visible()
    workbench.tab("Clients")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(rounds, "clients")
    return workbench


def rows(workbench: WorkbenchPage, lab: Lab) -> list[str]:
    """Return the names of the clients from top to bottom, as the arrow keys read them."""
    chart = workbench.chart("clients")
    chart.focus()
    chart.press("Escape")
    names: list[str] = []
    tip = workbench.root.locator(".fb-heatmap .fb-tip")
    for _ in range(int(lab.run("print(len(wb.panel.clients['ids']))"))):
        chart.press("ArrowDown")
        names.append(tip.inner_text().split(" · ")[0])
    return names


COUNTED = """wanted => {
    const paths = [...document.querySelectorAll("svg[data-chart=clients] .fb-took")];
    const dots = paths.map(path => (path.getAttribute("d")?.match(/M/g) ?? []).length);
    return wanted > 0 && dots.reduce((sum, count) => sum + count, 0) === wanted;
}"""


def test_the_map_grows_with_the_rounds_and_marks_who_took_part(lab: Lab) -> None:
    workbench = opened(lab)
    workbench.tab("Clients")
    chart = workbench.chart("clients")
    expect(chart).to_contain_text("Press Start:")
    expect(workbench.chart("alone")).to_contain_text("After the first round.")
    workbench.button("Step").click()
    workbench.wait_points(1, "clients")
    workbench.wait_state("paused")
    height = chart.bounding_box()
    workbench.button("Step").click()
    workbench.wait_points(2, "clients")
    workbench.wait_state("paused")
    assert workbench.points("clients") == 2
    assert chart.bounding_box() == height, "nothing jumps"
    workbench.button("Resume").click()
    workbench.wait_state("done")
    workbench.wait_points(30, "clients")
    took = lab.run("print(wb.history.participation().loc[wb.panel.clients['ids']].sum().sum())")
    wide = lab.page.viewport_size
    assert wide is not None
    caption = workbench.root.get_by_text("a dot marks taking part in the round")
    for width in (wide["width"], 640):  # where no gap is left between the cells of neighbours
        lab.page.set_viewport_size({**wide, "width": width})
        lab.page.wait_for_function(COUNTED, arg=int(took))
        expect(caption).to_be_visible()
    lab.page.set_viewport_size({**wide, "width": 500})  # nor room for a dot
    expect(caption).to_have_count(0)
    lab.page.set_viewport_size(wide)
    lab.reload()
    again = lab.workbench
    again.tab("Clients")
    again.wait_points(30, "clients")


def test_rows_are_sorted_and_read_by_keys(lab: Lab) -> None:
    workbench = trained(lab, DIABETES, 12)
    chart, tip = workbench.chart("clients"), workbench.root.locator(".fb-heatmap .fb-tip")
    last = "last = wb.history.clients()[12].sort_values(kind='stable'); "
    found = lab.run(last + "print(*(f'client {k}' for k in last.index), sep=',')").split(",")
    assert rows(workbench, lab) == found, "from the smallest error to the largest"
    first = lab.run(
        last + "k = last.index[0]; data = wb.experiment.federation(); "
        "held = data.test_offsets[k + 1] - data.test_offsets[k]; "
        "print(f'client {k} · round 12: {last[k]:.1f}, took part, {data.sizes[k]} samples, '"
        "f'{held} test rows')"
    )
    chart.press("Escape")
    chart.press("ArrowDown")
    expect(tip).to_have_text(first)
    chart.press("ArrowLeft")
    expect(tip).to_contain_text("round 11:")
    chart.press("Escape")
    expect(tip).to_be_hidden()
    workbench.root.get_by_role("radio", name="client", exact=True).check()
    assert rows(workbench, lab) == [f"client {k}" for k in range(8)]
    workbench.root.get_by_role("radio", name="size", exact=True).check()
    sizes = lab.run("print(*wb.experiment.federation().sizes)").split()
    by_size = sorted(range(8), key=lambda client: (-int(sizes[client]), client))
    assert rows(workbench, lab) == [f"client {k}" for k in by_size]


def test_who_gains_is_worked_out_with_a_click(lab: Lab) -> None:
    workbench = trained(lab, DIABETES, 12)
    note = workbench.root.locator(".fb-clients .fb-note")
    expect(note).to_contain_text("How even?")
    expect(workbench.chart("alone")).to_contain_text("How would each client do alone?")
    workbench.root.get_by_role("button", name="Compute").click()
    expect(note).to_contain_text("Who gains?", timeout=60_000)
    expect(workbench.chart("alone")).to_have_attribute("data-points", "8")
    said = lab.run(
        "import fedbench as fb; b = fb.baselines(wb.session.experiment); "
        "print(fb.who_gains(wb.session.predictions(), b.predictions))"
    )
    expect(note).to_contain_text(said.strip())
    assert said.startswith("Of 8 clients, ")
    expect(note).to_contain_text("RMSE, lower is better")
    workbench.tab("Live")
    expect(workbench.root.get_by_role("checkbox", name="pooled and alone")).to_be_checked()


def test_a_chosen_client_has_its_curve_and_its_classes(lab: Lab) -> None:
    workbench = trained(lab)
    assert workbench.points("client") == 0
    expect(workbench.chart("client")).to_contain_text("Choose a client:")
    chart = workbench.chart("clients")
    chart.focus()
    chart.press("ArrowDown")
    chart.press("Enter")
    expect(workbench.chart("client")).to_have_attribute("data-points", "30")
    expect(workbench.chart("mix")).to_have_attribute("data-points", "10")
    best = lab.run("print(wb.panel.clients['names'][0], wb.panel.clients['took'][0], sep=',')")
    name, took = best.split(",")
    expect(workbench.root.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(workbench.root.get_by_text(f"took part in {took} of 30 rounds")).to_be_visible()
    sizes = workbench.chart("sizes")
    sizes.focus()
    sizes.press("Home")
    sizes.press("Enter")
    smallest = lab.run("print(min(wb.panel.clients['sizes']))")
    expect(workbench.root.get_by_text(f"{smallest} samples by classes")).to_be_visible()
    sizes.press("Enter")  # once more: nobody
    expect(workbench.chart("client")).to_have_attribute("data-points", "0")


def test_names_of_clients_are_text(lab: Lab) -> None:
    workbench = trained(lab, DIABETES, 12)
    lab.run(
        "wb._publisher.close(); evil = '<img src=x onerror=window.hurt=1>'; "
        "wb.panel.clients = {**wb.panel.clients, 'names': [evil] * 8, 'note': evil}"
    )
    expect(workbench.root.locator(".fb-clients .fb-note")).to_contain_text("<img src=x")
    workbench.chart("clients").press("ArrowDown")
    expect(workbench.root.locator(".fb-heatmap .fb-tip")).to_contain_text("<img src=x")
    workbench.chart("clients").press("Enter")
    expect(workbench.root.get_by_role("heading", name="<img src=x")).not_to_have_count(0)
    assert workbench.root.locator(".fb-clients img").count() == 0
    assert lab.page.evaluate("window.hurt") is None


def test_the_tab_keeps_the_rules_of_accessibility(lab: Lab) -> None:
    workbench = trained(lab)
    chart = workbench.chart("clients")
    chart.focus()
    chart.press("ArrowDown")
    chart.press("Enter")
    workbench.root.get_by_role("button", name="Compute").click()
    expect(workbench.chart("alone")).not_to_have_attribute("data-points", "0", timeout=60_000)
    assert lab.violations() == ""
    cells = chart.locator(".fb-cells path").first
    for theme, colour in zip(THEMES, ("rgb(0, 114, 178)", "rgb(86, 180, 233)"), strict=True):
        lab.theme(theme)
        expect(cells).to_have_css("fill", colour)
    if os.environ.get("FEDBENCH_PICTURES"):  # drawn anew only when asked: pixels differ by machine
        lab.theme(THEMES[0])
        lab.command("application:toggle-left-area")
        lab.page.set_viewport_size({"width": 1440, "height": 1450})
        (DOCS / "clients.png").write_bytes(workbench.picture())
