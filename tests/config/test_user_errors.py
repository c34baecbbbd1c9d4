"""Exceptions from user code: the cause, the file and the line, in runs, sweeps and listeners."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import fedbench as fb
from fedbench.config.usercode import explained, where
from fedbench.engine.worker import _failure
from fedbench.metrics import RoundRecord
from fedbench.runs import Cautioned, Event
from fedbench.runs.script import RunFailed
from fedbench.strategies import RoundInfo
from fedbench.study.job import Job

MODULE = """
import torch
import fedbench as fb
from fedbench.strategies import Strategy

class Nope(Strategy):
    "Asks its state for what is not there, in the second round."
    def update(self, params, payload, server, info):
        if info.round == 2:
            server["nope"]
        return super().update(params, payload, server, info)

class Late(Strategy):
    "Multiplies what does not fit, on the clients and in the second round."
    def finish(self, delta, anchor, client, server, steps, info):
        if info.round == 2:
            torch.ones(2, 3) @ torch.ones(2, 3)
        return delta, client

class Meant(Strategy):
    "Says itself what is wrong."
    def update(self, params, payload, server, info):
        if info.round == 2:
            raise ValueError("two is too many")
        return super().update(params, payload, server, info)
"""
SMALL = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "faults_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("faults_of_mine", None)
    return importlib.import_module("faults_of_mine")


@pytest.mark.parametrize(
    ("name", "cause", "said"),
    [
        ("Nope", KeyError, """KeyError: 'nope' (FILE, line 10, in update: `server["nope"]`)"""),
        (
            "Late",
            RuntimeError,
            "RuntimeError (FILE, line 17, in finish: `torch.ones(2, 3) @ torch.ones(2, 3)`)",
        ),
        (
            "Meant",
            ValueError,
            "ValueError: two is too many (FILE, line 24, in update: "
            '`raise ValueError("two is too many")`)',
        ),
    ],
)
def test_a_failed_run_has_the_cause_and_names_the_line(
    mine: ModuleType, name: str, cause: type[Exception], said: str
) -> None:
    with pytest.raises(RunFailed) as caught:
        fb.run(SMALL.replace(strategy=getattr(mine, name)()))
    assert str(caught.value) == said.replace("FILE", str(mine.__file__))
    assert isinstance(caught.value.__cause__, cause)
    assert len(caught.value.history) == 1
    place = where(caught.value.__cause__)
    assert place.startswith(f"{mine.__file__}, line ")


def test_the_line_is_named_from_worker_processes_and_in_sweeps(mine: ModuleType) -> None:
    late = SMALL.replace(strategy=mine.Late(), engine=fb.StackedEngine(workers=0))
    said = f"RuntimeError ({mine.__file__}, line 17, in finish: "
    try:
        mine.Late().finish({}, {}, {}, {}, torch.tensor(1), RoundInfo(2, 0.1, 4, 4.0))
    except RuntimeError as error:
        _, sent, _ = pickle.loads(pickle.dumps(_failure(error)))
    # what a worker process sends has none; where Dask is loaded, as by other tests, it travels here
    sent.__traceback__ = None
    assert explained(sent).startswith(said)
    outcome = Job("run", late).compute(lambda round, value: None, lambda: True)
    assert outcome["error"].startswith(said)
    assert outcome["rounds"] == 1


def test_an_error_of_a_library_alone_keeps_its_words() -> None:
    with pytest.raises(RuntimeError) as caught:
        exec(compile("import torch; torch.ones(2) @ torch.ones(3)", torch.__file__, "exec"))
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # type: ignore[union-attr]
    assert "size" in explained(error)
    assert explained(ValueError()) == "ValueError"


def test_a_listener_that_raises_is_reported_once_with_its_traceback() -> None:
    session = fb.Session(SMALL)
    heard: list[Any] = []

    def breaks(event: Event) -> None:
        raise LookupError("not mine to bear")

    session.subscribe(breaks)
    session.subscribe(heard.append)
    with pytest.warns(RuntimeWarning) as warned:
        session.start()
        assert session.wait(30) == "done"
    (said,) = [str(each.message) for each in warned if "listener" in str(each.message)]
    assert "was unsubscribed" in said and "Traceback (most recent call last)" in said
    assert 'raise LookupError("not mine to bear")' in said
    (caution,) = [event for event in heard if isinstance(event, Cautioned)]
    assert "LookupError: not mine to bear (" in caution.text
    assert "test_user_errors.py, line" in caution.text
    assert sum(isinstance(event, RoundRecord) for event in heard) == 3


def test_a_long_line_is_quoted_up_to_an_ellipsis(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"[][{' + '.join(['1'] * 60)}]\n")
    with pytest.raises(IndexError) as caught:
        exec(compile(path.read_text(), str(path), "exec"))
    quoted = where(caught.value).partition("`")[2].removesuffix("`")
    assert quoted == f"{path.read_text()[:99]}…"
