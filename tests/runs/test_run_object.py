"""One object for a run: what `fb.run` returns, a session holds and `fb.load` reads."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import fedbench as fb

EVIL = "<img src=x onerror=alert(1)>"
DITTO = fb.Experiment(
    data=fb.Hospitals(hospitals=3, patients=200),
    partition=fb.Natural(),
    strategy=fb.Ditto(),
    training=fb.LocalTraining(steps=2),
    sampling=fb.FixedCohort(size=2),
    rounds=1,
)
PRIVATE = fb.Experiment(
    data=fb.Wine(),
    partition=fb.IID(clients=4),
    privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1),
    rounds=2,
)
AMENDED = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=3), rounds=3)


def held(experiment: fb.Experiment) -> fb.History:
    """Return what a session holds, of a run whose target changed on its way."""
    session = fb.Session(experiment)
    session.step()
    assert session.wait(60) in ("paused", "done")
    if session.state == "paused":
        session.amend(target=fb.Target(value=0.999))
        session.resume()
        assert session.wait(60) == "done"
    return session.history


def same_models(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("experiment", [DITTO, PRIVATE, AMENDED])
def test_three_ways_give_one_object(experiment: fb.Experiment, tmp_path: Path) -> None:
    run = held(experiment)
    found = [run, pickle.loads(pickle.dumps(run)), copy.deepcopy(run)]
    found.append(fb.load(run.save(tmp_path / "a")))
    found.append(pickle.loads(pickle.dumps(found[-1])))
    found.append(fb.load(found[-1].save(tmp_path / "b")))
    assert {type(each) for each in (*found, fb.run(experiment, progress=False))} == {fb.History}
    for each in found:
        assert each == run and hash(each) == hash(run)
        assert repr(each) == repr(run) and each._repr_html_() == run._repr_html_()
        assert each.privacy_card() == run.privacy_card()
        assert each.figure().to_json() == run.figure().to_json()
        assert each.summary == run.summary
        assert same_models(each.model, run.model)
        for client in range(experiment.clients):
            assert same_models(each.module(client), run.module(client))
        pd.testing.assert_frame_equal(each.frame(), run.frame(), check_exact=True)
        pd.testing.assert_frame_equal(each.clients(), run.clients(), check_exact=True)
        said, mine = each.predictions().frame(), run.predictions().frame()
        pd.testing.assert_frame_equal(said, mine, check_exact=True)
    resumed = fb.resume(tmp_path / "b", rounds=4)
    resumed.start()
    assert resumed.wait(60) == "done"
    assert len(resumed.history) == 4 and resumed.history != run


def test_a_clients_model_is_its_own_where_it_has_one() -> None:
    run = fb.run(DITTO, progress=False)
    data, trained = DITTO.federation(), run.rows[-1].cohort.tolist()
    (other,) = set(range(3)) - set(trained)
    assert same_models(run.module(other), run.model)
    for client in trained:
        own = run.module(data.names[client])
        assert not same_models(own, run.model) and same_models(own, run.module(client))
        first, last = data.test_offsets[client : client + 2]
        with torch.no_grad():
            guess = own(torch.from_numpy(data.x_test[first:last]))[:, 0] > 0
        right = (guess.numpy() == (data.y_test[first:last] == 1)).mean()
        assert right == pytest.approx(run.rows[-1].clients[client])
    for wrong in (3, -1, "nowhere", EVIL):
        with pytest.raises(ValueError, match=r"there is no such client; give a number from 0 to 2"):
            run.module(wrong)


def test_what_is_not_there_yet_is_said() -> None:
    run = fb.History(DITTO)
    for call in (lambda: run.model, lambda: run.module(0), run.predictions):
        with pytest.raises(ValueError, match="no rounds yet> holds no model"):
            call()
    copied = fb.run(AMENDED, progress=False)
    with pytest.raises(ValueError, match=r"holds no model: .* a copy of rows alone"):
        _ = copied.copy(copied.rows).model


def test_a_running_session_holds_the_model_of_its_last_round() -> None:
    session = fb.Session(AMENDED)
    for _ in range(2):
        session.step()
        assert session.wait(60) == "paused"
        assert same_models(session.history.model, session.module())
    session.stop()
    session.wait()


@pytest.mark.parametrize("stored", [False, True])
def test_names_from_data_are_text_in_a_notebook(stored: bool, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame({"a": numbers, "ill": [0, 1] * 30, "ward": [EVIL, "b", "c"] * 20})
    frame.to_csv(tmp_path / f"{EVIL}.csv", index=False)
    table = fb.Table(str(tmp_path / f"{EVIL}.csv"), target="ill", client="ward")
    run = fb.run(fb.Experiment(data=table, partition=fb.Natural(), rounds=1), progress=False)
    run.ended = EVIL
    if stored:
        run = fb.load(run.save(tmp_path / "run"))
    shown = run._repr_html_()
    assert "&lt;img" in shown and "<img" not in shown
    assert "<th>accuracy</th>" in shown or "<th>AUC</th>" in shown
