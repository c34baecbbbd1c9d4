"""Start JupyterLab on a copy of the notebooks, and the system's Chromium."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


class Served(NamedTuple):
    """A running JupyterLab: its address, the folder that it shows, and its process."""

    address: str
    root: Path
    pid: int

    def copy(self) -> str:
        """Copy the notebooks to a new folder and return its name.

        A notebook of one's own has no session that is still ending and no output of somebody else.
        """
        folder = Path(tempfile.mkdtemp(dir=self.root))
        shutil.copytree(NOTEBOOKS, folder, dirs_exist_ok=True)
        return folder.name


@contextmanager
def jupyterlab(home: Path) -> Iterator[Served]:
    """Serve a folder in `home` on a free port of 127.0.0.1."""
    root = home / "notebooks"
    root.mkdir()
    for name, value in SETTINGS.items():
        path = home / "settings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_CONFIG_PATH": str(ROOT / "fedbench" / "cli" / "jupyter"),  # as `make lab` has it
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "XDG_CACHE_HOME": str(home / "cache"),  # where uploads are kept
    }
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
    log = home / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_until_served(address, process, log)
            yield Served(address, root, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_served(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
    raise RuntimeError(f"JupyterLab ended: {log.read_text()[-2000:]}")


@contextmanager
def web_page(folder: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `fedbench app` in `folder`; yield the address that it prints, and the process."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "widgets")])
    process = subprocess.Popen(
        [sys.executable, "-m", "fedbench", "app", "--no-browser", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if "http" not in line:
            raise RuntimeError(f"the app ended: {line}{process.stdout.read()}")
        yield line[line.index("http") :].strip(), process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium without a window."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            yield started
        finally:
            started.close()
