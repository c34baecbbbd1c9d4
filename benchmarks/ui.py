"""How quick the workbench feels: JupyterLab and Chromium as in the browser tests, on a clock.

Run from the root of the checkout: `python -m benchmarks.ui`. Figures are in seconds unless they
say otherwise; targets are printed beside them, and nothing is asserted.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.lab import ROOT, Lab
from tests.browser.serving import Served, chromium, jupyterlab

REPEATS = 5
ROUNDS = 400
PRESSES = 40

# When the kernel hands a number of points to the page, on the clock that the page has too.
HANDED = """
import time
handed = {}
def note(change):
    handed.setdefault(str(change.new['points']), 1e3 * time.time())
wb.panel.observe(note, 'snapshot')
"""
# When the page has drawn them: one frame after the chart says so.
DRAWN = """selector => {
    window.drawn = {};
    const chart = document.querySelector(selector);
    new MutationObserver(() => {
        const points = chart.dataset.points;
        requestAnimationFrame(() => { window.drawn[points] ??= Date.now(); });
    }).observe(chart, { attributes: true, attributeFilter: ["data-points"] });
}"""
# From a press of a page key on a slider to the frame after the one in which something is another.
RESHAPED = """async ([slider, map, presses]) => {
    const handle = document.querySelector(slider), drawing = document.querySelector(map);
    const ANYTHING = { attributes: true, subtree: true, childList: true, characterData: true };
    const times = [];
    for (let k = 0; k < presses; k += 1) {
        const began = performance.now();
        const changed = new Promise((done) => new MutationObserver((_, watch) => {
            watch.disconnect();
            requestAnimationFrame(() => done(performance.now() - began));
        }).observe(drawing, ANYTHING));
        const key = k % 2 ? "PageDown" : "PageUp";
        handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        times.push(await changed);
        await new Promise((wait) => setTimeout(wait, 150));
    }
    return times;
}"""
# The same run with and without a page that watches it, in turn, in the same kernel.
COST = """
import json, time
import fedbench as fb
long = wb.experiment.replace(rounds=%d)
times = {'alone': [], 'watched': []}
def clock(start, wait, name):
    began = time.perf_counter()
    start()
    wait()
    times[name].append(time.perf_counter() - began)
wb.experiment = long
for _ in range(5):
    session = fb.Session(long)
    clock(session.start, session.wait, 'alone')
    clock(wb.start, wb.wait, 'watched')
print(json.dumps(times))
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, jupyterlab(Path(home)) as served, chromium() as b:
        opening, first = zip(*(_open_and_start(b, served) for _ in range(REPEATS)), strict=True)
        drawn = _kernel_to_drawn(b, served)
        cost = _cost_of_watching(b, served)
        reshaped = _slider_to(b, served, "α", f"{ROOT} svg[data-chart=partition]")
        hinted = _slider_to(b, served, "Budget ε", f"{ROOT} .fb-hint.widget-label")
    _show("cell to workbench", statistics.median(opening), max(opening), "under 3 s")
    _show("Start to first point", statistics.median(first), max(first), "under 1 s")
    p95 = statistics.quantiles(drawn, n=20)[-1]
    print(f"kernel to drawn        p95 {p95:6.1f} ms of {len(drawn)}; target under 50 ms")
    p95 = statistics.quantiles(reshaped, n=20)[-1]
    print(
        f"slider to map          median {statistics.median(reshaped):.1f} ms, p95 {p95:.1f} ms of "
        f"{len(reshaped)}, 100 clients by 10 classes; target under 100 ms"
    )
    p95 = statistics.quantiles(hinted, n=20)[-1]
    print(
        f"budget to noise        median {statistics.median(hinted):.1f} ms, p95 {p95:.1f} ms of "
        f"{len(hinted)}; target under 50 ms"
    )
    ratios = [w / a for a, w in zip(cost["alone"], cost["watched"], strict=True)]
    share = 100 * (statistics.median(ratios) - 1)
    print(
        f"cost of being watched  {share:+6.1f} % of {statistics.median(cost['alone']):.2f} s "
        f"({ROUNDS} rounds); target under 5 %"
    )


def _show(name: str, median: float, worst: float, target: str) -> None:
    print(f"{name:<22} {median:6.2f} s, worst {worst:.2f} s of {REPEATS}; target {target}")


def _page(browser: Browser, served: Served) -> Lab:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    lab = Lab(context.new_page(), served)
    lab.open("workbench.ipynb")
    return lab


def _open_and_start(browser: Browser, served: Served) -> tuple[float, float]:
    lab = _page(browser, served)
    began = time.perf_counter()
    lab.run_all()
    workbench = lab.workbench
    expect(workbench.button("Start")).to_be_enabled()
    opening = time.perf_counter() - began
    expect(workbench.chart("partition")).not_to_have_attribute("data-points", "0")
    began = time.perf_counter()
    workbench.button("Start").click()
    workbench.wait_points(1)
    first = time.perf_counter() - began
    _close(lab)
    return opening, first


def _kernel_to_drawn(browser: Browser, served: Served) -> list[float]:
    lab = _page(browser, served)
    lab.run_all()
    workbench = lab.workbench
    lab.run(f"wb.experiment = wb.experiment.replace(rounds={ROUNDS})")
    lab.run(HANDED)
    lab.page.evaluate(DRAWN, f"{ROOT} svg[data-chart=accuracy]")
    workbench.button("Start").click()
    workbench.wait_state("done")
    workbench.wait_points(ROUNDS)
    handed = json.loads(lab.run("import json; print(json.dumps(handed))"))
    drawn = lab.page.evaluate("window.drawn")
    _close(lab)
    return [at - handed[points] for points, at in drawn.items() if points in handed]


def _slider_to(browser: Browser, served: Served, name: str, shown: str) -> list[float]:
    lab = _page(browser, served)
    lab.run_all()
    workbench = lab.workbench
    expect(workbench.chart("partition")).to_have_attribute("data-points", "100")
    expect(workbench.root.get_by_text("Noise z =")).to_be_visible()  # all is loaded
    handle = workbench.root.get_by_role("slider", name=name, exact=True)
    handle.evaluate("handle => handle.setAttribute('data-bench', 'slider')")
    handle.focus()
    times = lab.page.evaluate(RESHAPED, ["[data-bench=slider]", shown, PRESSES])
    _close(lab)
    return times


def _cost_of_watching(browser: Browser, served: Served) -> dict[str, list[float]]:
    lab = _page(browser, served)
    lab.run_all()
    expect(lab.workbench.button("Start")).to_be_enabled()
    times = json.loads(lab.run(COST % ROUNDS).splitlines()[-1])
    _close(lab)
    return times


def _close(lab: Lab) -> None:
    lab.shut_down()
    lab.page.context.close()


if __name__ == "__main__":
    main()
