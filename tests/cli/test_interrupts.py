"""Signals and closed pipes, as real processes meet them: results stay, and the end is a line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import fedbench as fb
from fedbench.cli.exits import Signalled, code_of, first_held, name_of, signals_raised
from tests.processes import SOON, Starting, until

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]

SLOW = """
import time
from fedbench.strategies import FedAvg

class Slow(FedAvg):
    'Rounds after the second take longer than anybody waits.'

    def update(self, params, payload, server, info):
        if info.round > 2:
            time.sleep(600)
        return super().update(params, payload, server, info)
"""
WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(SLOW)
    text = WINES.to_toml()
    (tmp_path / "fast.toml").write_text(text)
    (tmp_path / "slow.toml").write_text(text.replace('kind = "FedAvg"', 'kind = "slow:Slow"'))
    return tmp_path


def running(started: Starting, folder: Path) -> subprocess.Popen[str]:
    """Start a run, and return once it is in its slow round."""
    going = started(folder, "run", "slow.toml", "--allow-imports", "--out", "o")
    until((folder / "o/summary.json").exists)
    return going


def sweeping(started: Starting, folder: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start a sweep, and return it and its workers once one of its runs is done."""
    words = ("--over", "rounds=1,9", "--allow-imports", "--folder", "o", "--workers", "2")
    going = started(folder, "sweep", "slow.toml", *words)
    until(lambda: list((folder / "o").glob("*.json")))
    return going, psutil.Process(going.pid).children()


def signal_until_it_ends(going: subprocess.Popen[str], name: str) -> tuple[int, list[str]]:
    """Send a signal over and over; return the exit code and what was written to stderr."""
    end = time.monotonic() + SOON
    while going.poll() is None and time.monotonic() < end:
        going.send_signal(getattr(signal, name))
        time.sleep(0.02)
    _, errors = going.communicate(timeout=SOON)
    return going.returncode, errors.strip().splitlines()


@pytest.mark.parametrize(("name", "called"), [("SIGTERM", "SIGTERM"), ("SIGINT", "Ctrl-C")])
def test_a_run_is_left_at_once_however_often_it_is_told(
    started: Starting, folder: Path, name: str, called: str
) -> None:
    code, lines = signal_until_it_ends(running(started, folder), name)
    assert (code, lines) == (
        128 + getattr(signal, name),
        [
            f"{called}: stopping after this round; again to leave at once",
            f"{called}: left at once; {kept(folder)} kept in o",
        ],
    )
    assert not (folder / "o/.lock").exists()
    assert 1 <= len(fb.load(folder / "o").frame()) <= 2


def kept(folder: Path) -> str:
    rounds = len(fb.load(folder / "o").frame())
    return "1 round is" if rounds == 1 else f"{rounds} rounds are"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_sweep_and_its_workers_and_keeps_what_is_done(
    started: Starting, folder: Path, name: str
) -> None:
    going, workers = sweeping(started, folder)
    going.send_signal(getattr(signal, name))
    output, errors = going.communicate(timeout=SOON)
    assert going.returncode == 128 + getattr(signal, name)
    assert errors == f"{name}: 1 of 2 runs are done and saved in o: the same command continues\n"
    assert output.split()[:2] == ["rounds", "accuracy"]
    until(lambda: not any(worker.is_running() for worker in workers))
    assert len(workers) == 2 and len(list((folder / "o").iterdir())) == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_sweep_is_left_at_once_however_often_it_is_told(
    started: Starting, folder: Path, name: str
) -> None:
    going, workers = sweeping(started, folder)
    code, lines = signal_until_it_ends(going, name)
    assert code == 128 + getattr(signal, name)
    assert len(lines) == 1 and "1 of 2 runs are done and saved in o" in lines[0]
    until(lambda: not any(worker.is_running() for worker in workers))
    assert len(list((folder / "o").glob("*.json"))) == 1


@pytest.mark.parametrize("words", [("run", "--out"), ("sweep", "--over", "seed=0..1", "--folder")])
def test_output_that_nobody_reads_costs_no_results(
    started: Starting, folder: Path, words: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    command, *options = words
    going = started(folder, command, "fast.toml", *options, "o", stdout=writer)
    os.close(writer)
    os.close(reader)  # as `| head` does once it has read enough
    _, errors = going.communicate(timeout=SOON)
    assert (going.returncode, errors) == (1, "")
    if command == "run":
        assert len(fb.load(folder / "o").frame()) == 3
        assert (folder / "o/model.safetensors").exists()
    else:
        assert len(list((folder / "o").glob("*.json"))) == 2


@pytest.mark.parametrize("closed", [False, True])
def test_a_run_needs_nobody_to_read_its_output(
    started: Starting, folder: Path, closed: bool
) -> None:
    private = fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=1, delta=1e-2)
    text = WINES.replace(privacy=private, strategy=fb.FedAvg(weighting="uniform")).to_toml()
    (folder / "e.toml").write_text(text)  # of which there is something to caution
    reader, writer = os.pipe()
    options: dict[str, Any] = {"stdout": writer, "stderr": writer}
    if closed:
        options = {"prepare": lambda: [os.close(number) for number in (1, 2)]}
    going = started(folder, "run", "e.toml", "--out", "o", **options)
    os.close(writer)
    os.close(reader)
    going.communicate(timeout=SOON)
    assert len(fb.load(folder / "o").frame()) == 3
    assert fb.load(folder / "o").summary["ended"] == "all 3 rounds done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_waits_for_what_should_be_whole(number: signal.Signals) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with signals_raised():
            with first_held() as held:
                os.kill(os.getpid(), number)
            (interrupt,) = held
            assert code_of(interrupt) == 128 + number
            assert name_of(interrupt) == ("Ctrl-C" if number == signal.SIGINT else "SIGTERM")
            with pytest.raises((Signalled, KeyboardInterrupt)), first_held() as held:
                for _ in range(2):
                    os.kill(os.getpid(), number)
                pytest.fail("the second signal was held too")
            # and from then on as before
            with pytest.raises((Signalled, KeyboardInterrupt)):
                os.kill(os.getpid(), number)
                pytest.fail("a signal was lost")
    finally:
        signal.signal(signal.SIGINT, before)
