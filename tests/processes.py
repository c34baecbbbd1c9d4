"""The command line as a process of its own, which never outlives its test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
Starting = Callable[..., subprocess.Popen[str]]
SOON = 60  # seconds by which anything here has happened


@pytest.fixture
def started() -> Iterator[Starting]:
    """Return what starts the command line in a folder; it ends with the test, come what may."""
    processes: list[subprocess.Popen[str]] = []

    def start(
        folder: Path, *words: str, prepare: Callable[[], Any] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        def before() -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup leaves it ignored
            if prepare is not None:
                prepare()

        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen(
            [sys.executable, "-m", "fedbench", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "widgets")])},
            text=True,
            preexec_fn=before,
            **streams,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        with process:  # which closes its pipes and waits for it
            process.kill()


def until(found: Callable[[], object]) -> None:
    """Wait until something is there."""
    end = time.monotonic() + SOON
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)
