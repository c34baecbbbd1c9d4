"""What objects say when they are printed, compared, copied, reported or given in a wrong place."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.config.problems import problems
from fedbench.reporting import ReportError

SMALL = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2)


@pytest.fixture(scope="module")
def session() -> fb.Session:
    session = fb.Session(SMALL)
    session.start()
    assert session.wait(60) == "done"
    return session


def test_settings_print_as_code() -> None:
    assert str(fb.Mean()) == "fb.Mean()"
    assert f"{fb.FedProx(mu=0.5)}" == "fb.FedProx(mu=0.5)"
    assert str(SMALL) == SMALL.code()


def test_data_and_rounds_show_no_arrays(session: fb.Session) -> None:
    data = SMALL.federation()
    assert repr(data) == "<FederatedDataset of Wine: 4 clients, 142 training and 36 test rows>"
    assert repr(SMALL.data.load()) == "<Dataset of Wine: 142 training and 36 test rows>"
    assert repr(SMALL.data.table()) == "<Raw of Wine: 178 rows>"
    assert repr(session.history.rows[0]).startswith("<Round 1: accuracy 0.")
    assert repr(session.history.rows[0]).endswith(", 4 clients>")


def test_a_history_is_copied_and_pickled_whole(session: fb.Session) -> None:
    history = session.history
    for again in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        pd.testing.assert_frame_equal(again.frame(), history.frame())
        assert again.experiment == history.experiment
        again.append(again.rows[-1])
        assert (len(again), len(history)) == (3, 2)


def test_saved_runs_are_reported_and_shown(session: fb.Session, tmp_path: Path) -> None:
    fb.save(session, tmp_path / "run")
    saved = fb.load(tmp_path / "run")
    assert repr(saved) == repr(session.history)
    for given in (saved, [saved], [saved, session], session.history):
        assert fb.report(given).startswith("<!doctype html>")
    for wrong in (3, [3], None, [str(tmp_path)], SMALL):
        with pytest.raises(ReportError, match=r"runs: a \w+ is not a run; give what fb.run or fb."):
            fb.report(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame({"a": [1.0]}), "give fb.Table(frame, target=...) (given: 'a DataFrame')"),
        (np.ones((3, 2)), "target=...), after pd.DataFrame(array) (given: 'a ndarray')"),
        (Path("clinics.csv"), "data set: give fb.Table('clinics.csv', target=...) (given: "),
        ("clinics.csv", "data set: give fb.Table('clinics.csv', target=...) (given: "),
    ],
)
def test_a_table_in_the_place_of_data_is_told_how_it_becomes_data(given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(data=given)
    (problem,) = problems(caught.value)
    assert problem.path.startswith("data")
    assert said in str(problem)
