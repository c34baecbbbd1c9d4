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
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.browser.serving import chromium, jupyterlab

TARGET = 1200  # of the 2 GB that a public Binder gives
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
        lab.shut_down()
        context.close()


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
