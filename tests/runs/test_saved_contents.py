"""What is saved can be read, and is what was run: modules of any kind, and data that moved."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import fedbench as fb
from fedbench.data import Card, RandomSplit, Raw, federated, source
from fedbench.runs.store import StoreError
from fedbench.tree import Tree


class Tied(fb.MLP):
    """An auto-encoder whose two layers share a weight, with buffers and a head."""

    def build(self, card: Any) -> nn.Module:
        return _Tied(card.shape[0], card.outputs)


class _Tied(nn.Module):
    unit: torch.Tensor

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(width, width), nn.Linear(width, width)
        self.decoder.weight = self.encoder.weight
        self.head = nn.Linear(width, outputs)
        self.fixed = nn.Parameter(torch.randn(width).to(torch.bfloat16), requires_grad=False)
        self.register_buffer("unit", torch.randn(width, 2).T)  # not contiguous
        self.register_buffer("empty", torch.empty(0, 3, dtype=torch.bool))
        self.register_buffer("count", torch.tensor(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.decoder(self.encoder(x).tanh()) + self.unit[0] + self.fixed)


class Nothing(fb.MLP):
    """A module that has no parameters that are trained, but one."""

    def build(self, card: Any) -> nn.Module:
        layer = nn.Linear(card.shape[0], card.outputs, bias=False)
        return nn.Sequential(nn.Identity(), layer)


class Odd(fb.FedAvg):
    """A strategy whose states are of kinds that share memory, or are no floats."""

    def init(self, params: Tree) -> Tree:
        weight = next(iter(params.values()))
        return {
            "same": weight,
            "view": weight.T,
            "wide": weight[:1].expand(4, -1),
            "flags": torch.tensor([True, False]),
            "count": torch.tensor(7),
            "half": weight.to(torch.bfloat16),
            "empty": torch.empty(0),
        }

    def update(self, params: Tree, payload: Tree, server: Tree, info: Any) -> Any:
        after, _ = super().update(params, payload, {}, info)
        return after, server


def ran(experiment: fb.Experiment, folder: Path) -> fb.Session:
    session = fb.Session(experiment)
    session.start()
    assert session.wait(60) == "done", session.failure
    fb.save(session, folder)
    return session


@pytest.mark.parametrize("model", [Tied(), Nothing(), fb.Linear()], ids=["tied", "bare", "usual"])
def test_modules_come_back_as_they_were(
    small: fb.Experiment, tmp_path: Path, model: fb.MLP
) -> None:
    session = ran(small.replace(model=model, strategy=Odd(), rounds=2), tmp_path / "a")
    saved = fb.load(tmp_path / "a", allow_imports=True)
    before, after = session.module().state_dict(), saved.module().state_dict()
    assert before.keys() == after.keys()
    for name, leaf in before.items():
        assert leaf.dtype == after[name].dtype and torch.equal(leaf, after[name])
    checkpoint = session.checkpoint()
    assert checkpoint is not None
    again = fb.resume(tmp_path / "a", allow_imports=True, rounds=3)
    start = again.checkpoint()
    assert start is not None
    for name, leaf in checkpoint.progress.server.items():
        assert torch.equal(leaf, start.progress.server[name])
    again.start()
    assert again.wait(60) == "done", again.failure


def test_an_idle_session_is_saved_and_begins_when_it_is_resumed(
    private: fb.Experiment, tmp_path: Path
) -> None:
    fb.save(fb.Session(private), tmp_path)
    saved = fb.load(tmp_path)
    assert (saved.summary["rounds"], len(saved.frame())) == (0, 0)
    assert len(saved) == 0
    with pytest.raises(ValueError, match="holds no model: the run ended before its first round"):
        saved.module()
    session = fb.resume(tmp_path, rounds=2)
    session.start()
    assert session.wait(60) == "done"
    assert len(session.history) == 2


def test_only_runs_are_saved(small: fb.Experiment, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"save takes a Session or a History, not Experiment"):
        fb.save(small, tmp_path / "a")  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "a").exists()


def test_a_saved_run_can_be_reported(private: fb.Experiment, tmp_path: Path) -> None:
    session = ran(private.replace(rounds=2), tmp_path / "a")
    saved = fb.load(tmp_path / "a")
    assert [row.metrics for row in saved.rows] == [row.metrics for row in session.history.rows]
    assert saved.ended == session.history.ended
    assert saved.cautions == session.history.cautions
    assert saved.unproven == session.history.unproven
    for runs in (saved, [saved, session]):
        assert "all 2 rounds done" in fb.report(runs)
    with pytest.raises(ValueError, match="a str is not a run"):
        fb.report(["a"])  # pyright: ignore[reportArgumentType]


def test_a_run_that_was_resumed_says_so_when_it_is_read(
    private: fb.Experiment, tmp_path: Path
) -> None:
    ran(private.replace(rounds=1), tmp_path / "a")
    assert fb.load(tmp_path / "a").went_on_from == ()
    more = fb.resume(tmp_path / "a", rounds=2)
    more.start()
    more.wait()
    fb.save(more, tmp_path / "b")
    found = fb.load(tmp_path / "b")
    assert found.went_on_from == more.history.went_on_from == (1,)
    assert found.privacy_card() == more.history.privacy_card()


def table(folder: Path, name: str = "a.csv") -> tuple[fb.Experiment, Path]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((80, 2)), columns=["age", "dose"])
    frame["ill"] = np.where(frame["age"] + frame["dose"] > 0, "yes", "no")
    path = folder / name
    frame.to_csv(path, index=False)
    data = fb.Table(str(path), target="ill")
    return fb.Experiment(data=data, partition=fb.IID(clients=4), rounds=2), path


def test_data_that_moved_are_found_where_they_are_said_to_be(tmp_path: Path) -> None:
    experiment, path = table(tmp_path)
    session = ran(experiment, tmp_path / "run")
    moved = tmp_path / "moved.csv"
    shutil.move(path, moved)

    saved = fb.load(tmp_path / "run")
    pd.testing.assert_frame_equal(saved.frame(), session.history.frame())
    assert saved.summary["rounds"] == 2
    for read in (lambda: saved.experiment, lambda: saved.model, lambda: saved.privacy_card()):
        with pytest.raises(StoreError, match=r"the data of the run cannot be read: .*a\.csv"):
            read()
    with pytest.raises(StoreError, match=r"summary can be read\..*--set data\.path=") as caught:
        fb.resume(tmp_path / "run", rounds=3)
    assert f"it was {path} when the run was saved" in str(caught.value)

    for given in ({"data.path": str(moved)}, {"data": fb.Table(str(moved), target="ill")}):
        found = fb.load(tmp_path / "run", **given)
        assert torch.equal(found.module()[-1].weight, session.module()[-1].weight)  # pyright: ignore
        further = fb.resume(tmp_path / "run", rounds=3, **given)
        assert [each.changes for each in further.history.amendments] == [{"rounds": 3}]
        further.start()
        assert further.wait(60) == "done", further.failure
        assert further.experiment.data.path == str(moved)  # pyright: ignore
    with pytest.raises(StoreError, match="cannot change when a run is read"):
        fb.load(tmp_path / "run", rounds=3)


def test_data_that_changed_are_refused_and_said(tmp_path: Path) -> None:
    experiment, path = table(tmp_path)
    ran(experiment, tmp_path / "run")
    whole = path.read_text()
    path.write_text(whole.replace("yes", "no", 1))
    for read in (
        lambda: fb.resume(tmp_path / "run", rounds=3),
        lambda: fb.load(tmp_path / "run").module(),
    ):
        with pytest.raises(StoreError, match=r"the targets had the hash [0-9a-f]{12}, and have"):
            read()
    assert fb.load(tmp_path / "run").summary["rounds"] == 2
    path.write_text("\n".join(whole.splitlines()[:-5]) + "\n")
    with pytest.raises(StoreError, match="there were 64 training and 16 test rows, and are"):
        fb.resume(tmp_path / "run", rounds=3)
    # a copy with other content is not taken for the data either
    copy = tmp_path / "copy.csv"
    copy.write_text(whole.replace("no", "yes", 1))
    with pytest.raises(StoreError, match="are not those that the run trained on"):
        fb.resume(tmp_path / "run", **{"data.path": str(copy)})
    copy.write_text(whole)
    assert len(fb.resume(tmp_path / "run", **{"data.path": str(copy)}).history) == 2


def test_a_file_that_goes_while_a_run_goes_on_costs_no_rounds(tmp_path: Path) -> None:
    experiment, path = table(tmp_path)
    session = fb.Session(experiment)
    session.step()
    session.wait()
    path.unlink()
    fb.save(session, tmp_path / "run")
    assert len(fb.load(tmp_path / "run").frame()) == 1


class Clinics(RandomSplit):
    """A source of the user's own, whose content is decided elsewhere."""

    task: ClassVar[Any] = "regression"
    shape: ClassVar[tuple[int, ...]] = (2,)
    offset: ClassVar[float] = 0.0

    def table(self) -> Any:
        x = np.random.default_rng(0).standard_normal((60, 2))
        card = Card("Clinics", "ours", "ours", "regression", (2,), ("a", "b"), "mmHg")
        return Raw(card, x.astype(np.float32), x[:, 0] ** 3 + self.offset * x[:, 1])


def test_a_source_of_ones_own_that_changed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    experiment = fb.Experiment(data=Clinics(), partition=fb.IID(clients=3), rounds=1)
    ran(experiment, tmp_path / "run")
    folder = tmp_path / "run"
    assert fb.resume(folder, allow_imports=True, rounds=2).history.rows
    monkeypatch.setattr(Clinics, "offset", 1.0)
    source._load.cache_clear()

    federated._build.cache_clear()
    with pytest.raises(StoreError, match="the targets had the hash"):
        fb.resume(folder, allow_imports=True, rounds=2)
