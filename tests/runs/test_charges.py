"""Privacy is paid for on disk before a round is computed: whatever ends it, it is not forgotten."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedbench as fb
from fedbench.privacy import Ledger, accounting
from fedbench.privacy.events import gaussian
from fedbench.runs.charges import CHARGES, Charges, charges
from fedbench.runs.recording import Recording
from fedbench.runs.store import StoreError

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SPENT = ("epsilon", "example_epsilon", "local_epsilon")
FATAL = """
import os, signal, traceback
from fedbench.strategies import FedAvg

class Fatal(FedAvg):
    'Kill the process between training and the result of a round.'

    def update(self, params, payload, server, info):
        trial = all(frame.name != "next" for frame in traceback.extract_stack())
        if info.round == int(os.environ["FATAL"]) and not trial:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().update(params, payload, server, info)
"""


def kinds(private: fb.Experiment) -> dict[str, fb.Experiment]:
    return {
        "client": private,
        "shuffled": private.replace(sampling=fb.Shuffled(size=2)),
        "local": private.replace(privacy=fb.LocalLaplace(noise_multiplier=0.1, noise_seed=1)),
        "example": private.replace(privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1)),
    }


def copied_in_each_round(
    experiment: fb.Experiment, tmp_path: Path
) -> tuple[fb.Session, list[Path]]:
    """Run an experiment, and return its folder as it is while each round is computed."""
    session = fb.Session(experiment)
    folder = tmp_path / "run"
    folder.mkdir()
    recording, copies = Recording(session, folder), list[Path]()
    charge = session.charge
    assert charge is not None

    def charge_and_copy(number: int, cost: Any) -> None:
        charge(number, cost)
        copies.append(tmp_path / f"in-{number}")
        shutil.copytree(folder, copies[-1])

    session.charge = charge_and_copy
    session.start()
    assert session.wait() == "done", session.failure
    recording.finish()
    return session, copies


def spent(folder: Path) -> float:
    summary = fb.load(folder).summary
    (found,) = (summary[name] for name in SPENT if summary[name] is not None)
    return float(found)


@pytest.mark.parametrize("kind", ["client", "shuffled", "local", "example"])
def test_a_round_is_spent_on_disk_while_it_is_computed(
    private: fb.Experiment, tmp_path: Path, kind: str
) -> None:
    session, copies = copied_in_each_round(kinds(private)[kind], tmp_path)
    rows = session.history.rows
    assert len(copies) == len(rows) == 4
    for folder, row in zip(copies, rows, strict=True):
        saved = fb.load(folder)
        done = len(saved.frame())
        assert done < row.round and saved.summary["unfinished_rounds"] == row.round - done
        assert spent(folder) == pytest.approx(row.epsilon, rel=1e-9)
        assert saved.spent == spent(folder)
        resumed = fb.resume(folder)
        assert (len(resumed.history), resumed.history.spent) == (done, spent(folder))
    # what is finished is not charged twice, and leaves nothing behind
    assert not (tmp_path / "run" / CHARGES).exists()
    assert spent(tmp_path / "run") == rows[-1].epsilon
    assert fb.load(tmp_path / "run").summary["unfinished_rounds"] == 0


def test_a_run_that_goes_on_composes_what_it_lost(private: fb.Experiment, tmp_path: Path) -> None:
    _, copies = copied_in_each_round(private, tmp_path)
    lost = fb.load(copies[2]).summary["unfinished_rounds"]  # of three that began
    resumed = fb.resume(copies[2], rounds=9)
    (text,) = resumed.history.cautions
    assert text.startswith(f"{lost} round") and text.endswith("their privacy is spent")
    resumed.start()
    assert resumed.wait() == "done"
    for row in resumed.history.rows[3 - lost :]:
        exact = accounting.epsilon(0.5, 1.0, row.round + lost, 1e-2)
        assert row.epsilon == pytest.approx(exact, rel=1e-9)
    words = f"After 9 rounds and {lost} unfinished round{'' if lost == 1 else 's'} the run is"
    assert resumed.history.privacy_card().statement.startswith(words)
    fb.save(resumed, tmp_path / "again")
    assert fb.load(tmp_path / "again").summary["unfinished_rounds"] == lost
    assert fb.load(tmp_path / "again").privacy_card().statement.startswith(words)


def test_the_budget_counts_rounds_that_were_lost(private: fb.Experiment, tmp_path: Path) -> None:
    budget = accounting.epsilon(0.5, 1.0, 4, 1e-2)
    privacy = private.privacy.replace(epsilon=budget)
    _, copies = copied_in_each_round(private.replace(privacy=privacy, rounds=4), tmp_path)
    lost = fb.load(copies[3]).summary["unfinished_rounds"]
    resumed = fb.resume(copies[3], rounds=9)
    resumed.start()
    assert resumed.wait() == "done"
    assert len(resumed.history) == 4 - lost < 4
    assert "privacy budget" in resumed.history.ended


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("fatal", [1, 3])
def test_a_process_that_is_killed_in_a_round_has_paid_for_it(
    private: fb.Experiment, tmp_path: Path, fatal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FATAL", str(fatal))
    Path("fatal.py").write_text(FATAL)
    text = private.to_toml().replace('kind = "FedAvg"', 'kind = "fatal:Fatal"')
    Path("e.toml").write_text(text)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "widgets")])
    done = subprocess.run(
        [sys.executable, "-m", "fedbench", "run", "e.toml", "--out", "o", "--allow-imports"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    exact = accounting.epsilon(0.5, 1.0, fatal, 1e-2)
    assert spent(tmp_path / "o") == pytest.approx(exact, rel=1e-9)
    monkeypatch.setenv("FATAL", "0")
    resumed = fb.resume(tmp_path / "o", allow_imports=True)
    assert resumed.history.spent == pytest.approx(exact, rel=1e-9)
    lost = fatal - len(resumed.history)
    assert lost >= 1
    resumed.start()
    assert resumed.wait() == "done", resumed.failure
    exact = accounting.epsilon(0.5, 1.0, 4 + lost, 1e-2)
    assert resumed.history.rows[-1].epsilon == pytest.approx(exact, rel=1e-9)


def test_a_round_that_cannot_be_charged_does_not_begin(
    private: fb.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = fb.Session(private)
    recording = Recording(session, tmp_path)
    add = Charges.add

    def refused(self: Charges, number: int, cost: Any) -> None:
        if number == 3:
            raise OSError(28, "No space left on device")
        add(self, number, cost)

    monkeypatch.setattr(Charges, "add", refused)
    session.start()
    assert session.wait() == "failed"
    assert session.failure is not None and session.failure.message == (
        "the next round did not begin, as its privacy loss cannot be written to "
        f"{tmp_path}: No space left on device"
    )
    recording.finish()
    assert len(fb.load(tmp_path).frame()) == 2
    assert spent(tmp_path) == accounting.epsilon(0.5, 1.0, 2, 1e-2)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text + b'{"number": 9, "co', ""),  # the process died while it wrote
        (lambda text: text.replace(b"number", b"nimber"), "number"),
        (lambda text: text.replace(b"gaussian", b"gausian"), "gausian"),
        (lambda text: b'{"number": 9, "cost": {"clients": {}}}\n', "another kind of accounting"),
    ],
)
def test_a_damaged_file_is_refused(
    private: fb.Experiment, tmp_path: Path, spoil: Callable[[bytes], bytes], words: str
) -> None:
    _, copies = copied_in_each_round(private, tmp_path)
    place = copies[1] / CHARGES
    place.write_bytes(spoil(place.read_bytes()))
    if words:
        with pytest.raises(StoreError, match=f"the checkpoint is damaged: .*{words}"):
            fb.load(copies[1])
    else:
        exact = accounting.epsilon(0.5, 1.0, 2, 1e-2)
        assert spent(copies[1]) == pytest.approx(exact, rel=1e-9)


def test_a_checkpoint_that_is_replaced_meanwhile_is_no_damage(
    private: fb.Experiment, tmp_path: Path
) -> None:
    """A reader may find the charges of before beside the checkpoint of after."""
    session, copies = copied_in_each_round(private, tmp_path)
    shutil.copy(copies[3] / CHARGES, tmp_path / "run" / CHARGES)
    assert spent(tmp_path / "run") == session.history.rows[-1].epsilon


def test_runs_without_privacy_charge_nothing(small: fb.Experiment, tmp_path: Path) -> None:
    session = fb.Session(small)
    recording = Recording(session, tmp_path)
    session.step()
    session.wait()
    assert not (tmp_path / CHARGES).exists()
    recording.finish()


def test_charges_are_read_as_they_were_written_and_forced_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    written, cost = Charges(tmp_path), Ledger().spend(gaussian(0.1, 2.0))
    for number in (1, 2, 3):
        written.add(number, cost)
    assert len(forced) >= 1
    assert charges(tmp_path) == {1: cost, 2: cost, 3: cost}
    written.settle(2)
    assert len(charges(tmp_path)) == 3
    written.settle(3)
    assert charges(tmp_path) == {}
    assert np.isfinite(cost.epsilon(1e-5))
