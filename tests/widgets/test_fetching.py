"""Data that are not on the machine: fetched in the background, and never in the form's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fedbench as fb
from fedbench.data.files import DataFileError, File
from fedbench_widgets import Workbench
from tests.widgets.test_workbench import WINES, send, until

ADULT = WINES.replace(data=fb.AdultIncome())


class Server:
    """Stands where the network would: answers with a failure, once it is let."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.threads: list[str] = []

    def __call__(self, file: File) -> bytes:
        self.threads.append(threading.current_thread().name)
        assert self.answers.wait(20)
        raise DataFileError(f"{file.path} could not be downloaded (no connection to the server)")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("FEDBENCH_DATA", str(tmp_path))
    made = Server()
    monkeypatch.setattr(File, "_fetched", lambda file: made(file))
    yield made
    made.answers.set()


@pytest.fixture
def workbench(server: Server) -> Iterator[Workbench]:
    made = Workbench(WINES)
    until(lambda: made.form.map.clients == 6)
    yield made
    made.close()


def test_a_form_that_is_right_again_can_start_whatever_came_before(
    workbench: Workbench, server: Server
) -> None:
    server.answers.set()
    workbench.start()
    assert workbench.wait(60) == "done"
    workbench.experiment = ADULT
    until(lambda: "Adult income is not available" in workbench.toolbar.status["why_not"])
    assert not workbench.toolbar.status["can_start"]
    assert "there are the built-in and the simulated sets" in workbench.toolbar.status["why_not"]
    assert workbench.form.map.clients == 0, "the map shows the data before"
    workbench.experiment = WINES
    until(lambda: workbench.toolbar.status["can_start"])
    until(lambda: workbench.form.map.clients == 6)
    assert workbench.toolbar.status["why_not"] == ""
    send(workbench, command="start")
    assert workbench.wait(60) == "done"
    assert len(workbench.runs) == 2


def test_trouble_with_other_data_never_speaks_of_those_on_the_form(workbench: Workbench) -> None:
    """Right after the edit, before any thread had time to look at it."""
    workbench.form.experiment = ADULT
    workbench._dealing._wrong = (ADULT.data, ADULT.partition, ADULT.skews, ADULT.seed), "not there"
    assert workbench._trouble == "not there"
    workbench.form.write(WINES)
    assert workbench._trouble == ""
    assert workbench._fresh() is None


def test_a_server_that_does_not_answer_holds_nothing_up(
    workbench: Workbench, server: Server
) -> None:
    workbench.experiment = ADULT
    until(lambda: "Adult income is being downloaded" in workbench.toolbar.status["why_not"])
    workbench.experiment = WINES
    until(lambda: workbench.toolbar.status["can_start"])
    workbench.start()
    assert workbench.wait(60) == "done"
    assert set(server.threads) == {"fedbench-fetch"}
    server.answers.set()
    assert workbench.toolbar.status["can_start"]


def test_what_is_said_before_a_run_downloads_nothing(workbench: Workbench, server: Server) -> None:
    private = ADULT.replace(privacy=fb.ExampleLevelDP(epsilon=1, delta=0.5))
    workbench.experiment = private
    until(lambda: "is being downloaded" in workbench.toolbar.status["why_not"])
    assert set(server.threads) == {"fedbench-fetch"}
    server.answers.set()
    until(lambda: "is not available" in workbench.toolbar.status["why_not"])
    assert set(server.threads) == {"fedbench-fetch"}


def test_data_that_failed_are_tried_again_when_they_are_chosen_again(
    workbench: Workbench, server: Server
) -> None:
    server.answers.set()
    for turn in (1, 2):
        workbench.experiment = ADULT
        until(lambda: "is not available" in workbench.toolbar.status["why_not"])
        assert len(server.threads) == turn
        workbench.experiment = WINES
        until(lambda: workbench.toolbar.status["can_start"])


def test_an_edit_while_data_are_looked_at_lets_no_hint_ask_for_the_data_before(
    workbench: Workbench, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers.set()
    show, edited = workbench._dealing.show, threading.Event()
    until(lambda: workbench._hinted is not None)  # before that it gives no hints at all

    def edit(experiment: fb.Experiment, *rest: Any) -> bool:
        shown = show(experiment, *rest)
        if experiment == ADULT and not edited.is_set():
            workbench.form.write(WINES)
            edited.set()
        return shown

    monkeypatch.setattr(workbench._dealing, "show", edit)
    workbench.experiment = ADULT
    assert edited.wait(20)
    until(lambda: workbench._hinted is not None and workbench._hinted[0] == WINES)
    assert set(server.threads) == {"fedbench-fetch"}


def labels(workbench: Workbench) -> dict[str, str]:
    """Return what the list of data sets calls each of them."""
    choice = workbench.form._group("data").choice
    assert choice is not None
    return dict(zip(choice._options_values, choice._options_labels, strict=True))


def test_sets_that_need_a_download_say_so_and_can_be_chosen(
    workbench: Workbench, server: Server
) -> None:
    named = labels(workbench)
    assert named["AdultIncome"] == "Adult income (needs a download)"
    assert named["CMAPSS"] == "C-MAPSS (needs a download)"
    for kind in ("Wine", "Hospitals", "Table", "Arriving", "Digits"):  # built in, simulated, own
        assert "download" not in named[kind]
    assert server.threads == [], "to look at the list asks no network"
    choice = workbench.form._group("data").choice
    assert choice is not None
    choice.index = list(named).index("AdultIncome")  # as the page sends it
    experiment = workbench.experiment
    assert experiment is not None
    assert experiment.data == fb.AdultIncome()
    assert labels(workbench)["AdultIncome"] == "Adult income", "the banner says what is missing"
    workbench.experiment = WINES
    assert labels(workbench)["AdultIncome"] == "Adult income (needs a download)"


def test_a_set_that_was_fetched_is_marked_no_more_while_others_are_on_the_form(
    workbench: Workbench, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(file: File) -> bytes:
        assert server.answers.wait(20)
        (tmp_path / file.path).parent.mkdir(exist_ok=True)
        (tmp_path / file.path).write_bytes(b"")
        return b""

    monkeypatch.setattr(File, "_fetched", fetched)
    workbench.experiment = ADULT
    until(lambda: "is being downloaded" in workbench.toolbar.status["why_not"])
    workbench.experiment = WINES
    assert labels(workbench)["AdultIncome"] == "Adult income (needs a download)"
    before = workbench.form.reads()
    server.answers.set()
    until(lambda: labels(workbench)["AdultIncome"] == "Adult income")
    assert workbench.form.reads() == before
    assert labels(workbench)["CMAPSS"] == "C-MAPSS (needs a download)"


def test_the_last_run_does_not_promise_that_new_settings_start(
    workbench: Workbench, server: Server
) -> None:
    workbench.start()
    assert workbench.wait(60) == "done"
    workbench.experiment = ADULT
    until(lambda: "is being downloaded" in workbench.toolbar.status["why_not"])
    assert workbench.toolbar.status["subtitle"] == (
        "Showing the last run. The new settings cannot start yet."
    )


def test_notes_say_whether_they_are_of_the_form_or_of_the_run(workbench: Workbench) -> None:
    private = fb.ClientLevelDP(epsilon=3, delta=1e-2, noise_seed=1)
    workbench.experiment = WINES.replace(
        privacy=private, sampling=fb.Poisson(rate=0.5), strategy=fb.FedAvg(weighting="uniform")
    )
    until(lambda: workbench.toolbar.status["notes"])
    assert {note["about"] for note in workbench.toolbar.status["notes"]} == {"form"}
    workbench.start()
    assert workbench.wait(60) == "done"
    workbench.experiment = WINES
    until(lambda: {note["about"] for note in workbench.toolbar.status["notes"]} == {"run"})
    paths = [note["path"] for note in workbench.toolbar.status["notes"]]
    assert "privacy.noise_seed" in paths
