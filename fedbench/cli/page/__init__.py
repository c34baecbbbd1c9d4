"""The workbench as a plain web page: Voila runs a notebook of one cell and shows what it shows."""

from __future__ import annotations

import socket
import threading
import webbrowser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zmq
from nbformat import v4, writes
from traitlets.config import Config
from voila.app import Voila

from fedbench.experiment import Experiment

HOST = "127.0.0.1"
TEMPLATE = Path(__file__).parent  # before Voila's own, which fetches an icon font from elsewhere
NAME = "fedbench.ipynb"  # and so the page's title
WIDGETS = [  # all that is needed of what extends JupyterLab
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
FORGOTTEN = 600  # seconds after which a kernel ends that has neither a page nor anything to do


class Page(Voila):
    """Voila with our template, which says where the page is."""

    shown = True  # in a browser, at once

    def setup_template_dirs(self) -> None:
        """Look for templates here first."""
        super().setup_template_dirs()
        self.template_paths = [str(TEMPLATE), *self.template_paths]

    def launch_browser(self) -> None:
        """Print the address, which holds the key to it, and open it if so asked."""
        print(f"The workbench is at {self.display_url}\nCtrl-C ends it.", flush=True)
        if self.shown:
            threading.Thread(target=webbrowser.open, args=[self.display_url], daemon=True).start()


def serve(experiment: Experiment | None, port: int | None, browser: bool, theme: str) -> None:
    """Serve the workbench on 127.0.0.1 until Ctrl-C; each page that is opened has its own kernel.

    Raises OSError where `port` is taken.
    """
    config = Config()
    config.Voila.ip = HOST
    config.Voila.log_level = "ERROR"
    config.Voila.auto_token = True  # others on this machine could run what they like
    config.VoilaConfiguration.theme = theme
    config.VoilaConfiguration.extension_allowlist = WIDGETS
    config.VoilaConfiguration.prelaunch_hook = _let_it_end
    config.Voila.tornado_settings = {"ws_ping_timeout": 30_000}  # as long as the interval
    if zmq.has("curve"):
        config.KernelManager.transport_encryption = "auto"
    # A closed page ends its kernel itself; this is for those that could not.
    config.MappingKernelManager.cull_idle_timeout = FORGOTTEN
    config.MappingKernelManager.cull_interval = FORGOTTEN // 10
    if port is not None:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind((HOST, port))
            port = int(free.getsockname()[1])  # the one that 0 stands for
        config.Voila.port, config.Voila.port_retries = port, 0
    with TemporaryDirectory(prefix="fedbench-") as folder:
        path = Path(folder, NAME)
        path.write_text(notebook(experiment, Path.cwd()), encoding="utf-8")
        page = Page(config=config)
        page.shown = browser
        page.initialize([str(path)])
        page.start()


def _let_it_end(handler: Any, **_: object) -> None:
    """Give a page the cookie without which the server would not let it end its kernel."""
    assert handler.xsrf_token


def notebook(experiment: Experiment | None, folder: Path) -> str:
    """Return the notebook as JSON text; its kernel works in `folder`, as relative paths ask for."""
    lines = ["import os", "from fedbench_widgets import Workbench", f"os.chdir({str(folder)!r})"]
    if experiment is None:
        lines.append("Workbench()")
    else:
        lines.append("from fedbench import Experiment")
        lines.append(f"Workbench(Experiment.from_toml({experiment.to_toml()!r}))")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cell = v4.new_code_cell("\n".join(lines), id="workbench")
    return writes(v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}))
