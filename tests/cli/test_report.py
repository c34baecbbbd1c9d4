"""`fedbench report`, as a person at a terminal meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import fedbench as fb
from fedbench.cli import application as app

pytestmark = pytest.mark.process

baselines = fb.baselines
WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, ["report", *words])


def saved(folder: str, experiment: fb.Experiment = WINES, rounds: bool = True) -> fb.Session:
    session = fb.Session(experiment)
    if rounds:
        session.start()
        assert session.wait() == "done"
    fb.save(session, folder)
    return session


def test_saved_runs_become_one_page() -> None:
    one, other = saved("a"), saved("b", WINES.replace(rounds=3))
    result = invoke("a", "b", "--title", "Wines")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        "Wrote report.html: 2 runs. Open it in any browser.\n"
        "Who gains by the federation is not in it: --baselines trains what that takes.\n"
    )
    text = Path("report.html").read_text("utf-8")
    assert "<h1>Wines</h1>" in text
    for session in (one, other):
        assert f"{session.history.frame()['accuracy'].iloc[-1]:.1%} accuracy" in text
    assert "all 2 rounds done" in text
    assert "all 3 rounds done" in text


def test_what_is_wrong_is_said() -> None:
    saved("empty", rounds=False)
    result = invoke("empty")
    assert (result.exit_code, result.stderr) == (
        2,
        "nothing to report: the run in empty has no rounds yet\n",
    )
    assert not Path("report.html").exists()
    result = invoke("nowhere")
    assert (result.exit_code, result.stderr) == (
        2,
        "nowhere holds no run: experiment.toml is missing\n",
    )


def test_a_file_that_is_no_report_is_kept() -> None:
    saved("a")
    Path("mine.html").write_text("mine")
    result = invoke("a", "--out", "mine.html")
    assert (result.exit_code, result.stderr) == (
        2,
        "mine.html already exists and is not a report; choose another name, or overwrite it with "
        "--force\n",
    )
    assert Path("mine.html").read_text() == "mine"
    assert invoke("a", "--out", "mine.html", "--force").exit_code == 0
    assert invoke("a", "--out", "mine.html").exit_code == 0  # now it is one


@pytest.mark.parametrize("strategy", [fb.FedAvg(), fb.Ditto(lam=0.1)])
def test_who_gains_is_as_if_the_session_were_still_there(strategy: fb.Strategy) -> None:
    hospitals = fb.Experiment(
        data=fb.Hospitals(hospitals=4, patients=800),
        partition=fb.Natural(),
        strategy=strategy,
        training=fb.LocalTraining(lr=0.1),
        rounds=3,
    )
    session = saved("a", hospitals)
    saved("b", hospitals.replace(rounds=2))
    found, expected = fb.load("a").predictions(), session.predictions()
    assert np.array_equal(found.used, expected.used)
    assert (found.personal is None) == (expected.personal is None)
    result = invoke("a", "b", "--baselines", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "Wrote report.html: 2 runs. Open it in any browser.\n"
    page = Path("report.html").read_text("utf-8")
    assert page.count("<h3>Who gains?</h3>") == 2
    levels = fb.baselines(hospitals)
    assert levels is not None and levels.predictions is not None
    assert escape(str(fb.who_gains(expected, levels.predictions))) in page


def test_baselines_go_by_what_a_run_came_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have its last settings, and the rounds that it had; equal ones are trained once."""
    session = fb.Session(WINES.replace(rounds=50))
    session.step()
    session.wait()
    session.amend(**{"training.lr": 0.5})
    session.step()
    session.wait()
    session.stop()
    session.wait()
    fb.save(session, "a")
    saved("b", WINES.replace(**{"training.lr": 0.5}))
    asked: list[fb.Experiment] = []

    def noted(experiment: fb.Experiment, **options: Any) -> fb.Baselines | None:
        asked.append(experiment)
        return baselines(experiment, **options)

    monkeypatch.setattr("fedbench.cli.report.baselines", noted)
    result = invoke("a", "b", "--baselines")
    assert result.exit_code == 0, result.stderr
    (experiment,) = asked
    assert (experiment.rounds, experiment.training.lr) == (2, 0.5)
    assert Path("report.html").read_text("utf-8").count("<h3>Who gains?</h3>") == 2


def test_nothing_is_trained_for_a_file_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved("a")
    Path("mine.html").write_text("mine")
    monkeypatch.setattr("fedbench.cli.report.baselines", lambda *_, **__: pytest.fail("trained"))
    assert invoke("a", "--baselines", "--out", "mine.html").exit_code == 2


def test_a_class_of_ones_own_is_found_in_the_current_folder() -> None:
    Path("mine.py").write_text(
        "from fedbench.strategies import FedAvg\n\nclass Mine(FedAvg):\n    'FedAvg.'\n"
    )
    text = WINES.to_toml().replace('kind = "FedAvg"', 'kind = "mine:Mine"')
    Path("e.toml").write_text(text, encoding="utf-8")
    # as the installed `fedbench`, whose import path does not hold the current folder
    start = [sys.executable, "-P", "-c", "from fedbench.cli import main; main()"]
    paths = os.pathsep.join(str(Path(__file__).parents[2] / each) for each in (".", "widgets"))
    environment = os.environ | {"PYTHONPATH": paths}
    for words in (("run", "e.toml", "--out", "o"), ("report", "o")):
        done = subprocess.run(
            [*start, *words, "--allow-imports"], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
    assert "mine:Mine" in Path("report.html").read_text("utf-8")
