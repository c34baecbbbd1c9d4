"""What the workbench takes of a small machine's memory: JupyterLab, its kernel and the workers.

Run from the root of the checkout: `python -m benchmarks.memory`. Megabytes are proportional set
sizes (Linux): what processes share, as the workers do their libraries, is counted once. The most
that was seen in each phase is printed beside the target, and nothing is asserted.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import CDPSession, expect

from tests.browser.lab import Lab, WorkbenchPage
from tests.browser.serving import chromium, jupyterlab

TARGET = 1200  # of the 2 GB that a public Binder gives
RUNS = 30  # of a long day
EVERY = 0.1  # seconds between two looks
WORKERS = "wb.experiment = wb.experiment.replace(**{'engine.workers': 2})"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home, jupyterlab(Path(home)) as served, chromium() as b:
        server = psutil.Process(served.pid)
        with phase("JupyterLab alone", server):
            pass
        context = b.new_context(viewport={"width": 1440, "height": 1000})
        lab = Lab(context.new_page(), served)
        with phase("the workbench opens", server):
            lab.open("workbench.ipynb")
            lab.run_all()
            workbench = lab.workbench
            expect(workbench.chart("partition")).to_have_attribute("data-points", "100")
            expect(workbench.root.get_by_text("Noise z =")).to_be_visible(timeout=60_000)
        with phase("the first scenario runs", server):
            workbench.button("Start").click()
            workbench.wait_state("done")
        with phase("after it", server):
            pass
        lab.run(WORKERS)
        with phase("a run in two workers", server):
            workbench.button("Start").click()
            workbench.wait_state("running")
            workbench.wait_state("done")
        workbench.tab("Privacy–utility")
        sweep = workbench.root.get_by_role("group", name="Sweep", exact=True)
        sweep.get_by_label("Sweep: values").fill("1, 4, ∞")
        sweep.get_by_label("over seeds").fill("2")
        with phase("a sweep of six runs", server):
            sweep.get_by_role("button", name="Run sweep").click()
            status = sweep.get_by_role("status")
            expect(status).to_have_text("6 of 6 runs done", timeout=300_000)
        with phase("after it", server):
            pass
        a_long_day(lab, workbench, server)
        lab.shut_down()
        context.close()


def a_long_day(lab: Lab, workbench: WorkbenchPage, server: psutil.Process) -> None:
    """Make runs of every scenario and some sweeps; print what page and kernel have grown by."""
    chromium = lab.page.context.new_cdp_session(lab.page)
    chromium.send("Performance.enable")
    before = _heap(chromium), _below(lab, server)
    runs = int(lab.run("print(len(wb.runs))"))
    lab.run("from fedbench.scenarios import SCENARIOS")
    count = int(lab.run("print(len(SCENARIOS))"))
    for number in range(RUNS):
        lab.run(f"wb.experiment = SCENARIOS[{number % count}]().replace(rounds=5)")
        expect(workbench.button("Start")).to_be_enabled(timeout=60_000)
        workbench.button("Start").click()
        lab.run(f"while len(wb.runs) < {runs + number + 1}: wb.wait(1)")
    lab.run("wb.experiment = SCENARIOS[0]().replace(rounds=5)")
    workbench.tab("Privacy–utility")
    sweep = workbench.root.get_by_role("group", name="Sweep", exact=True)
    for values in ("1, 4", "2, 8", "1, 16"):
        sweep.get_by_label("Sweep: values").fill(values)
        sweep.get_by_role("button", name="Run sweep").click()
        lab.run("while wb._sweeping._sweeps[-1].state == 'running': wb.wait(1)")
        expect(sweep.get_by_role("button", name="Run sweep")).to_be_enabled(timeout=60_000)
    for tab in ("Live", "Clients", "Privacy–utility", "Compare", "Code", "Log", "Live"):
        workbench.tab(tab)
    page, kernel = _heap(chromium) - before[0], _below(lab, server) - before[1]
    print(
        f"{count} scenarios, {RUNS} runs and 3 sweeps: the page's heap grew by {page:.0f} MB "
        f"(target under 100), kernel and workers by {kernel:.0f} MB (target under 200)",
        flush=True,
    )


def _heap(chromium: CDPSession) -> float:
    """Return the megabytes of a page's heap, garbage left out."""
    chromium.send("HeapProfiler.collectGarbage")
    metrics = chromium.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize") / 1e6


def _below(lab: Lab, server: psutil.Process) -> float:
    """Return the megabytes of the kernel and its workers, garbage left out."""
    lab.run("import gc; gc.collect()")
    return sum(_look(server)[1:])


@contextmanager
def phase(name: str, server: psutil.Process) -> Iterator[None]:
    """Look at the memory of a server and all below it while something happens; print the most."""
    looks, over = [_look(server)], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            looks.append(_look(server))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
    most = max(looks, key=sum)
    parts = " + ".join(f"{size:.0f}" for size in most)
    print(f"{name:<24} {sum(most):6.0f} MB = {parts}; target under {TARGET}", flush=True)


def _look(server: psutil.Process) -> list[float]:
    sizes = []
    for process in (server, *server.children(recursive=True)):
        try:
            sizes.append(process.memory_full_info().pss / 1e6)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended meanwhile
            continue
    return sizes


if __name__ == "__main__":
    main()
