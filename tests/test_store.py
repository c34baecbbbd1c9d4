"""A run as a folder of plain files, and back."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fedbench as fb
from fedbench.runs import store
from fedbench.runs.store import StoreError
from fedbench.scenarios import digits


@pytest.fixture(scope="module")
def session() -> fb.Session:
    session = fb.Session(digits().replace(rounds=3))
    session.start()
    assert session.wait() == "done"
    return session


def test_a_run_comes_back_as_it_was(session: fb.Session, tmp_path: Path) -> None:
    assert store.save(session, tmp_path / "deep/o") == tmp_path / "deep/o"
    back = store.load(tmp_path / "deep/o")
    assert back.experiment == session.experiment
    pd.testing.assert_frame_equal(back.frame(), session.history.frame())
    pd.testing.assert_frame_equal(back.clients(), session.history.clients())


def test_the_model_comes_back_to_the_bit(session: fb.Session, tmp_path: Path) -> None:
    store.save(session, tmp_path)
    trained, back = session.module().state_dict(), store.load(tmp_path).module().state_dict()
    assert trained.keys() == back.keys()
    assert all(torch.equal(leaf, back[name]) for name, leaf in trained.items())
    assert any(bool(leaf.any()) for leaf in trained.values())


def test_the_summary_says_what_was_reached_and_spent(session: fb.Session, tmp_path: Path) -> None:
    summary = store.load(store.save(session, tmp_path)).summary
    last = session.history.rows[-1]
    assert summary["metrics"] == last.metrics
    assert (summary["epsilon"], summary["delta"], summary["unit"]) == (last.epsilon, 1e-3, "client")
    assert summary["noise_multiplier"] == session.history.noise_multiplier
    assert (summary["rounds"], summary["ended"]) == (3, "all 3 rounds done")
    assert summary["bytes_up"] == sum(row.bytes_up for row in session.history.rows)
    assert set(summary["versions"]) == {"fedbench", "torch", "numpy"}
    assert summary["versions"]["torch"] == torch.__version__


def test_numbers_that_are_not_there_are_null(tmp_path: Path) -> None:
    session = fb.Session(fb.Experiment(data=fb.Wine(), rounds=1))
    session.step()
    session.wait()
    summary = json.loads((store.save(session, tmp_path) / "summary.json").read_text())
    assert (summary["epsilon"], summary["delta"], summary["unit"]) == (None, None, None)
    assert (summary["example_epsilon"], summary["personal"]) == (None, None)
    assert math.isnan(session.history.rows[-1].epsilon)


def test_the_epsilon_of_examples_is_never_called_that_of_clients(tmp_path: Path) -> None:
    private = fb.Experiment(
        data=fb.Wine(),
        strategy=fb.FineTuning(),
        privacy=fb.ExampleLevelDP(noise_multiplier=5, delta=1e-2),
        rounds=2,
    )
    session = fb.Session(private)
    session.start()
    session.wait()
    back = store.load(store.save(session, tmp_path))
    last = session.history.rows[-1]
    for saved in (back.summary, back.frame().iloc[-1]):
        assert saved["example_epsilon"] == last.epsilon > 0
        assert saved["personal"] == last.personal > 0
    assert back.summary["epsilon"] is None
    assert back.frame()["epsilon"].isna().all()
    assert (back.summary["unit"], back.summary["delta"]) == ("example", 1e-2)
    pd.testing.assert_frame_equal(back.frame(), session.history.frame())


def test_a_run_without_rounds_is_saved_without_a_model(tmp_path: Path) -> None:
    session = fb.Session(digits())
    session.stop()
    back = store.load(store.save(session, tmp_path))
    assert len(back.frame()) == 0
    assert back.clients().shape == (100, 0)
    assert back.summary["metrics"] == {}
    with pytest.raises(ValueError, match="holds no model"):
        back.module()


def test_amendments_are_recorded(tmp_path: Path) -> None:
    session = fb.Session(fb.Experiment(data=fb.Wine(), rounds=4))
    session.step()
    session.wait()
    session.amend(target=fb.Target(value=0.5), **{"training.lr": 0.5})
    session.resume()
    session.wait()
    summary = store.load(store.save(session, tmp_path)).summary
    changes = {"target": {"metric": "accuracy", "value": 0.5}, "training.lr": 0.5}
    assert summary["amendments"] == [{"round": 2, "changes": changes}]


def test_a_folder_that_holds_a_run_is_left_alone(session: fb.Session, tmp_path: Path) -> None:
    store.save(session, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match="already holds a run"):
        store.save(session, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", store.RESULTS)
def test_any_result_counts_as_a_run(session: fb.Session, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(StoreError, match=name):
        store.prepare(tmp_path, session.experiment)


def test_an_experiment_file_may_lie_there_if_it_is_this_one(
    session: fb.Session, tmp_path: Path
) -> None:
    own = "# my notes\n" + session.experiment.to_toml()
    (tmp_path / "experiment.toml").write_text(own, encoding="utf-8")
    store.save(session, tmp_path)
    assert (tmp_path / "experiment.toml").read_text(encoding="utf-8") == own


@pytest.mark.parametrize("text", ["rounds = 3\n", "not TOML", "[strategy]\nkind = 'os:system'\n"])
def test_another_experiment_is_refused(session: fb.Session, tmp_path: Path, text: str) -> None:
    (tmp_path / "experiment.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="holds another experiment"):
        store.prepare(tmp_path, session.experiment)


def test_files_of_others_do_not_matter(session: fb.Session, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    store.save(session, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written to"):
        store.prepare(tmp_path / "file/below", digits())


def test_a_folder_without_a_run_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds no run: experiment\.toml is missing"):
        store.load(tmp_path)


def test_values_of_clients_keep_their_type(session: fb.Session, tmp_path: Path) -> None:
    clients = store.load(store.save(session, tmp_path)).clients()
    assert set(clients.dtypes) == {np.dtype(np.float32)}
    assert clients.isna().to_numpy().any() == session.history.clients().isna().to_numpy().any()
