"""Page objects: JupyterLab with one notebook, and the workbench in it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Locator, Page, expect

from fedbench.config.spec import Part
from tests.browser.serving import Served

ROOT = "[data-fedbench=workbench]"
NAMES = {
    kind: cls.display_name()
    for family in Part.__subclasses__()
    for kind, cls in family.choices().items()
}
LAB = "lab/tree"
THEMES = "JupyterLab Light", "JupyterLab Dark"
# A notebook in a page that is there; the kernel of the one before, if any, is given to it.
OPEN = """async path => {
    const { commands, serviceManager } = window.jupyterapp;
    await serviceManager.sessions.refreshRunning();
    for (const model of serviceManager.sessions.running()) {
        const session = serviceManager.sessions.connectTo({ model });
        await session.setPath(path);
        session.dispose();
    }
    const opened = await commands.execute("docmanager:open", { path });
    await opened.context.ready;
}"""
CLEAR = """() => {
    const shell = window.jupyterapp?.shell;
    for (const widget of [...(shell?.widgets("main") ?? [])]) widget.dispose();
    shell?.expandLeft();
    localStorage.clear();
}"""
EMPTY = """
from fedbench_widgets import Workbench
from ipywidgets import Widget
for thing in list(globals().values()):
    if isinstance(thing, Workbench):
        thing.close()
        thing.session.wait(10)
Widget.close_all()
get_ipython().reset(new_session=True)
print("empty")
"""


class Lab:
    """A notebook open in JupyterLab."""

    def __init__(self, page: Page, served: Served) -> None:
        self.page, self.served = page, served
        self.forget()
        page.on("request", self._requested)
        page.on("pageerror", self._raised)
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))

    def forget(self) -> None:
        """Begin to note anew what the page does."""
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.console: list[str] = []

    def open(self, notebook: str, app: str = LAB) -> None:
        """Open a copy of a notebook and wait for its kernel; in Notebook 7, `app` is notebooks."""
        path = f"{self.served.copy()}/{notebook}"
        if app == LAB and urlsplit(self.page.url).path.startswith(f"/{LAB}"):
            self.page.evaluate(OPEN, path)
        else:
            fresh = "?reset" if app == LAB else ""  # without what was open before
            self.page.goto(f"{self.served.address}/{app}/{path}{fresh}")
            self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.wait_idle()

    def reload(self, save: bool = True) -> None:
        """Save the notebook or not, reload the page and wait for its cells, not for the kernel."""
        if save:
            self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        else:  # the page asks whether to leave what was not saved
            self.page.once("dialog", lambda dialog: dialog.accept())
        self.page.reload()
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")

    def add_cell(self, source: str) -> None:
        """Put a cell with `source` at the end of the notebook."""
        self.page.evaluate(
            """source => window.jupyterapp.shell.currentWidget.content.model.sharedModel
                .addCell({ cell_type: "code", source })""",
            source,
        )

    def kernel(self, command: str) -> None:
        """Make the notebook's kernel do "interrupt" or "restart", or end with "shutdown"."""
        self.page.evaluate(
            """command => window.jupyterapp.shell.currentWidget.sessionContext
                .session.kernel[command]()""",
            command,
        )

    def wait_idle(self) -> None:
        """Wait until the notebook has a kernel with nothing to do."""
        self.page.wait_for_function(
            """() => {
                const session = window.jupyterapp?.shell?.currentWidget?.sessionContext;
                return session?.isReady && session.session?.kernel?.status === "idle";
            }"""
        )

    def command(self, name: str, **arguments: object) -> None:
        """Run one of JupyterLab's own commands."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, arguments]
        )

    def run_all(self) -> None:
        """Run all cells; do not wait for their end."""
        # not awaited: the command returns only when the last cell has ended
        self.page.evaluate(
            "() => void window.jupyterapp.commands.execute('notebook:run-all-cells')"
        )

    def run(self, code: str) -> str:
        """Run `code` in the notebook's kernel, apart from its cells, and return what it prints."""
        return self.page.evaluate(
            """async (code) => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({ code, store_history: false });
                let out = "";
                future.onIOPub = (message) => {
                    const { msg_type } = message.header;
                    if (msg_type === "stream") out += message.content.text;
                    if (msg_type === "error") out += message.content.traceback.join("\\n");
                };
                await future.done;
                return out.trim();
            }""",
            code,
        )

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme and wait until it is there."""
        # Each change shows a splash; a second one that meets the first removes it twice.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def violations(self) -> str:
        """Return which of axe's rules the workbench breaks as it is shown, in both themes."""
        reports = []
        for theme in THEMES:
            self.theme(theme)
            found = Axe().run(self.page, context=ROOT)
            if found.violations_count:
                reports.append(f"{theme}:\n{found.generate_report()}")
        return "\n".join(reports)

    def clear(self, anew: bool = False) -> None:
        """Leave the page with nothing open and its kernel with nothing in it, or no page at all."""
        status = self.page.evaluate(
            """() => window.jupyterapp?.shell?.currentWidget?.sessionContext
                ?.session?.kernel?.status"""
        )
        usable = urlsplit(self.page.url).path.startswith(f"/{LAB}") and not anew
        if not usable or status != "idle" or self.run(EMPTY) != "empty":
            self.shut_down()
        self.page.evaluate(CLEAR)
        if not usable:
            self.page.goto("about:blank")

    def shut_down(self) -> None:
        """End the notebook's kernel, so that it does not compete with the next test."""
        self.page.evaluate(
            """async () => {
                const sessions = window.jupyterapp?.serviceManager?.sessions;
                await sessions?.shutdownAll();
            }"""
        )

    @property
    def workbench(self) -> WorkbenchPage:
        """Return the workbench, waiting until it is drawn."""
        self.page.wait_for_selector(ROOT)
        return WorkbenchPage(self.page)

    def _raised(self, error: Error) -> None:
        said = error.stack or str(error)
        # JupyterLab's own complaint when a kernel restarts while a message to it is under way, and
        # what Notebook itself raises: it misses plug-ins that only JupyterLab has
        raised = "".join(said.splitlines()[1:2])
        if "Canceled future" not in said and "/static/notebook/" not in raised:
            self.errors.append(said)

    def _requested(self, request: object) -> None:
        url = urlsplit(request.url)  # type: ignore[attr-defined]
        if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
            self.outside.append(request.url)  # type: ignore[attr-defined]


class WorkbenchPage:
    """The workbench as a person finds it: by role and name."""

    def __init__(self, page: Page, root: Locator | None = None) -> None:
        self.page = page
        self.root = page.locator(ROOT) if root is None else root

    def picture(self) -> bytes:
        """Return the workbench from its top, as far as the window shows it."""
        self.root.evaluate("root => root.scrollIntoView({ block: 'start' })")
        # less JupyterLab's line of status below
        box, window = self.root.bounding_box(), self.page.viewport_size
        assert box and window
        height = min(box["height"], window["height"] - box["y"] - 26)
        return self.page.screenshot(clip={**box, "height": height})

    def button(self, name: str) -> Locator:
        """Return a button of the toolbar."""
        return self.root.get_by_role("button", name=name, exact=True)

    def tab(self, name: str) -> None:
        """Show a tab."""
        self.root.get_by_role("tab", name=name).click()
        expect(self.root.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")

    def chart(self, name: str) -> Locator:
        """Return a chart's svg."""
        return self.root.locator(f"svg[data-chart={name}]")

    def points(self, chart: str = "accuracy") -> int:
        """Return how many points a chart shows."""
        return int(self.chart(chart).get_attribute("data-points") or -1)

    def wait_points(self, at_least: int, chart: str = "accuracy") -> None:
        """Wait until a chart shows so many points."""
        self.page.wait_for_function(
            "([selector, least]) => Number(document.querySelector(selector)?.dataset.points)"
            " >= least",
            arg=[f"{ROOT} svg[data-chart={chart}]", at_least],
        )

    def wait_state(self, *states: str, timeout: float | None = None) -> None:
        """Wait until the run is in one of `states`, for `timeout` ms if work takes longer."""
        wanted = ", ".join(f"{ROOT}[data-state={state}]" for state in states)
        self.page.wait_for_selector(wanted, timeout=timeout)

    def section(self, title: str) -> Locator:
        """Return the heading of a section of the form."""
        form = self.root.locator(".fedbench-form")
        return form.get_by_role("button", name=re.compile(rf"\b{title}\b"))

    def open_section(self, title: str) -> None:
        """Unfold a section of the form."""
        header = self.section(title)
        if header.get_attribute("aria-expanded") != "true":
            header.click()
            expect(header).to_have_attribute("aria-expanded", "true")

    def type(self, field: str, value: object) -> None:
        """Type a number into the readout of a slider."""
        readout = self.root.get_by_role("textbox", name=f"{field} value", exact=True)
        readout.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(str(value))
        self.page.keyboard.press("Enter")

    def choose(self, field: str, option: str) -> None:
        """Choose from a list, by what it shows; a part also by its class name."""
        label = NAMES.get(option, option)
        self.root.get_by_role("combobox", name=field, exact=True).select_option(label=label)
