"""A run that is written while it goes on: whatever ends it, what was written can be read."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedbench as fb
from fedbench.runs.recording import Recording
from fedbench.runs.store import StoreError, claimed
from tests.processes import SOON, Starting, until

pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]

ROOT = Path(__file__).parents[2]
LONG = """
rounds = 1000000
seed = 3
[data]
kind = "Wine"
[partition]
kind = "IID"
clients = 4
"""


def assert_as_it_ran(folder: Path) -> int:
    """The rounds in a folder are those of its experiment, and it goes on; return how many."""
    saved = fb.load(folder)
    rounds = len(saved.frame())
    again = fb.Session(saved.experiment.replace(rounds=rounds + 1))
    again.start()
    assert again.wait(SOON) == "done"
    pd.testing.assert_frame_equal(
        saved.frame().drop(columns="seconds"),
        again.history.frame().drop(columns="seconds").head(rounds),
    )
    assert saved.clients().shape[1] == rounds == saved.summary["rounds"]
    further = fb.resume(folder, rounds=rounds + 1)
    further.start()
    assert further.wait(SOON) == "done"
    assert further.history.rows[-1].metrics == again.history.rows[-1].metrics
    return rounds


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_the_rounds_that_were_done(
    tmp_path: Path, name: str, started: Starting
) -> None:
    (tmp_path / "e.toml").write_text(LONG)
    going = started(tmp_path, "run", "e.toml", "--out", "o")
    until((tmp_path / "o/summary.json").exists)
    until(lambda: len(fb.load(tmp_path / "o").frame()) > 2)  # it can be read while it goes on
    number = getattr(signal, name)
    going.send_signal(number)
    _, errors = going.communicate(timeout=SOON)
    if name == "SIGKILL":
        assert going.returncode == -number
    else:
        assert going.returncode == 128 + number
        assert errors.splitlines()[-1].startswith(f"{name}: stopped after ")
        assert "continue with `fedbench resume o`" in errors
        assert fb.load(tmp_path / "o").summary["ended"] == "stopped"
        assert not (tmp_path / "o/.lock").exists()
    assert assert_as_it_ran(tmp_path / "o") > 2
    assert all(path.stat().st_mode & 0o044 for path in (tmp_path / "o").iterdir())


def test_a_folder_is_claimed_by_one_run(tmp_path: Path, started: Starting) -> None:
    (tmp_path / "e.toml").write_text(LONG)
    one = started(tmp_path, "run", "e.toml", "--out", "both")
    until((tmp_path / "both/summary.json").exists)
    two = started(tmp_path, "run", "e.toml", "--out", "both")
    assert "both is in use: another run is writing there" in two.communicate(timeout=SOON)[1]
    assert two.returncode == 2
    one.kill()
    one.communicate(timeout=SOON)
    # its claim ended with it, and what it did is not thrown away
    three = started(tmp_path, "run", "e.toml", "--out", "both")
    assert "both already holds a run" in three.communicate(timeout=SOON)[1]
    assert three.returncode == 2
    assert assert_as_it_ran(tmp_path / "both") >= 1


def test_two_runs_at_once_take_names_of_their_own(tmp_path: Path, small: fb.Experiment) -> None:
    names: list[str] = []

    def take() -> None:
        with claimed(tmp_path / "r", small, numbered=True) as folder:
            names.append(folder.name)
            barrier.wait()
            (folder / "history.csv").touch()

    barrier = threading.Barrier(5)
    threads = [threading.Thread(target=take) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == ["r", "r-2", "r-3", "r-4", "r-5"]
    with claimed(tmp_path / "never", small):
        pass
    assert not (tmp_path / "never").exists()


def limited() -> None:
    """Let files grow to 50 kB: as a full disk does, writing fails half-way."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))


def test_a_full_disk_keeps_what_was_written(tmp_path: Path, started: Starting) -> None:
    (tmp_path / "e.toml").write_text(LONG.replace("1000000", "400"))
    going = started(tmp_path, "run", "e.toml", "--out", "o", prepare=limited)
    _, errors = going.communicate(timeout=SOON)
    assert going.returncode == 1
    assert re.search(r"error: the results cannot be saved: .* (is|are) kept in o\b", errors)
    assert "Traceback" not in errors
    assert 1 <= assert_as_it_ran(tmp_path / "o") < 400


def test_a_folder_that_is_deleted_is_said(tmp_path: Path, started: Starting) -> None:
    (tmp_path / "e.toml").write_text(LONG)
    going = started(tmp_path, "run", "e.toml", "--out", "o")
    until((tmp_path / "o/summary.json").exists)
    # the run may put a file there while the others are removed
    until(lambda: shutil.rmtree(tmp_path / "o", True) or not (tmp_path / "o").exists())
    going.send_signal(signal.SIGTERM)
    _, errors = going.communicate(timeout=SOON)
    assert going.returncode == 1
    assert "error: the results cannot be saved: " in errors
    assert "Traceback" not in errors


def test_output_that_cannot_be_written_costs_no_results(tmp_path: Path, started: Starting) -> None:
    (tmp_path / "e.toml").write_text(LONG.replace("1000000", "3"))
    with open("/dev/full", "w") as full:
        going = started(tmp_path, "run", "e.toml", "--out", "o", stdout=full)
        _, errors = going.communicate(timeout=SOON)
    assert going.returncode == 1
    assert errors.splitlines()[-1] == (
        "error: standard output cannot be written to: No space left on device"
    )
    assert "Traceback" not in errors and "Exception ignored" not in errors
    assert len(fb.load(tmp_path / "o").frame()) == 3


def test_files_match_whenever_a_process_is_killed(private: fb.Experiment, tmp_path: Path) -> None:
    """Kill a process before each file that it puts in place, and after."""
    session = fb.Session(private.replace(rounds=9))
    folder = tmp_path / "run"
    folder.mkdir()
    recording, counts = None, []
    for rounds in (2, 3):
        for _ in range(rounds):
            session.step()
            session.wait()
        recording = recording or Recording(session, folder)
        before = set()
        for kill_at in range(1, 20):
            copy = tmp_path / f"{rounds}-{kill_at}"
            shutil.copytree(folder, copy)
            if not written_until(recording, copy, kill_at):
                break
            saved, spent = before_or_after(copy)
            before.add(saved)
            counts.append((rounds, saved))
            assert np.array_equal(spent, session.history.frame()["epsilon"].head(saved))
        assert before == ({0, 2} if rounds == 2 else {2, 5})
        recording.finish()
    assert len(counts) > 10


def written_until(recording: Recording, folder: Path, kill_at: int) -> bool:
    """Write into `folder` in a process that dies when it puts its nth file in place."""
    child = os.fork()
    if not child:
        real, count = os.replace, 0

        def replace(*paths: Any) -> None:
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*paths)

        try:
            os.replace = replace
            recording.folder = recording._writer.folder = folder
            recording.finish()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


def before_or_after(folder: Path) -> tuple[int, Any]:
    """Return how many rounds a folder holds, and the ε after each."""
    try:
        frame = fb.load(folder).frame()
    except StoreError as error:
        assert "holds no run" in str(error)
        return 0, []
    resumed = fb.resume(folder)
    assert len(resumed.history) == len(frame)
    checkpoint = resumed.checkpoint()
    assert checkpoint is not None
    assert checkpoint.progress.ledger.epsilon(1e-2) == frame["epsilon"].iloc[-1]
    return len(frame), frame["epsilon"]
