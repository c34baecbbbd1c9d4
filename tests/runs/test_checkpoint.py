"""A run that is saved goes on as if it had never stopped, and its ledger with it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import save_file

import fedbench as fb
from fedbench.cli.printed import report
from fedbench.privacy import accounting
from fedbench.privacy.events import gaussian
from fedbench.runs.checkpoint import FORMAT
from fedbench.runs.store import StoreError


def ran(experiment: fb.Experiment, folder: Path | None = None) -> fb.Session:
    session = fb.Session(experiment)
    session.start()
    assert session.wait() == "done"
    if folder is not None:
        fb.save(session, folder)
    return session


def gone_on(folder: Path, **changes: Any) -> fb.Session:
    session = fb.resume(folder, **changes)
    session.start()
    assert session.wait() == "done", session.failure
    return session


def kinds(private: fb.Experiment) -> dict[str, fb.Experiment]:
    def under(**more: object) -> fb.Experiment:
        return private.replace(privacy=private.privacy.replace(**more))

    return {
        "none": private.replace(privacy=fb.NoPrivacy()),
        "adam": private.replace(privacy=fb.NoPrivacy(), strategy=fb.FedAdam(weighting="uniform")),
        "scaffold": private.replace(strategy=fb.Scaffold(weighting="uniform")),
        "personal": private.replace(strategy=fb.FedPer(weighting="uniform"), model=fb.MLP()),
        "adaptive": under(clipping=fb.AdaptiveClipping(per_layer=True), evaluation_share=0.1),
        "clip": private.replace(
            privacy=fb.NoPrivacy(),
            channel=(fb.Clip(norm=0.2, clipping=fb.AdaptiveClipping(rate=0.5)), fb.Clip()),
        ),
        "shuffled": private.replace(sampling=fb.Shuffled(size=2)),
        "local": private.replace(privacy=fb.LocalLaplace(noise_multiplier=0.1, noise_seed=1)),
        "example": private.replace(privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1)),
    }


@pytest.mark.parametrize(
    "kind",
    ["none", "adam", "scaffold", "personal", "adaptive", "clip", "shuffled", "local", "example"],
)
def test_six_rounds_are_two_saved_and_four_more(
    private: fb.Experiment, tmp_path: Path, kind: str
) -> None:
    experiment = kinds(private)[kind]
    whole = ran(experiment.replace(rounds=6))
    ran(experiment.replace(rounds=2), tmp_path / "first")
    gone_on(tmp_path / "first", rounds=3)  # and once more on the way, saved or not
    rest = gone_on(tmp_path / "first", rounds=6)
    assert len(rest.history) == 6
    for row, again in zip(whole.history.rows, rest.history.rows, strict=True):
        assert row.metrics == again.metrics
        assert np.array_equal(row.clients, again.clients, equal_nan=True)
        assert row.cohort.tolist() == again.cohort.tolist()
        for name in ("clip", "epsilon", "released", "train_loss", "update_norm"):
            assert np.array_equal(getattr(row, name), getattr(again, name), equal_nan=True)
    first, last = whole.module().state_dict(), rest.module().state_dict()
    assert all(torch.equal(leaf, last[name]) for name, leaf in first.items())
    assert [(each.round, each.changes) for each in rest.history.amendments] == [(3, {"rounds": 6})]


def test_sixty_rounds_and_forty_spend_what_a_hundred_do(
    private: fb.Experiment, tmp_path: Path
) -> None:
    privacy = fb.ClientLevelDP(noise_multiplier=1.0, delta=1e-5)
    experiment = private.replace(privacy=privacy, sampling=fb.Poisson(rate=0.1))
    session = ran(experiment.replace(rounds=60), tmp_path / "sixty")
    rest = gone_on(tmp_path / "sixty", rounds=100)
    assert rest.history.rows[-1].epsilon == pytest.approx(7.0466, rel=1e-3)
    exact = accounting.epsilon(0.1, 1.0, 100, 1e-5)
    assert rest.history.rows[-1].epsilon == pytest.approx(exact, rel=1e-9)
    # noise from the system: not the same again
    assert rest.history.rows[60].metrics["loss"] != session.history.rows[59].metrics["loss"]


def test_the_noise_stays_as_it_was_solved_and_the_budget_holds(
    private: fb.Experiment, tmp_path: Path
) -> None:
    privacy = fb.ClientLevelDP(epsilon=3, delta=1e-3, noise_seed=1)
    session = ran(private.replace(privacy=privacy, rounds=5), tmp_path / "five")
    rest = gone_on(tmp_path / "five", rounds=9)
    assert rest.history.noise_multiplier == session.history.noise_multiplier
    assert len(rest.history) == 5 and "past 3" in rest.history.ended
    more = gone_on(tmp_path / "five", rounds=9, **{"privacy.epsilon": 3.5})
    assert 5 < len(more.history) < 9
    assert more.history.rows[-1].epsilon <= 3.5


def test_changed_noise_composes_with_what_was_spent(private: fb.Experiment, tmp_path: Path) -> None:
    ran(private.replace(rounds=3), tmp_path / "a")
    rest = gone_on(tmp_path / "a", rounds=5, **{"privacy.noise_multiplier": 4.0})
    events = [(gaussian(0.5, 1.0), 3), (gaussian(0.5, 4.0), 2)]
    assert rest.history.rows[-1].epsilon == accounting.composed(events, 1e-2)
    fb.save(rest, tmp_path / "b")
    again = gone_on(tmp_path / "b", rounds=6)
    events[1] = (events[1][0], 3)
    assert again.history.rows[-1].epsilon == accounting.composed(events, 1e-2)
    assert [each.round for each in again.history.amendments] == [4, 6]


def test_noise_is_never_used_again(private: fb.Experiment, tmp_path: Path) -> None:
    hidden = private.replace(privacy=fb.ClientLevelDP(noise_multiplier=50.0, delta=1e-2))
    session = ran(hidden.replace(rounds=2), tmp_path / "a")
    start = torch.cat([leaf.flatten() for leaf in session.module().parameters()])
    steps = []
    for _ in range(3):
        rest = gone_on(tmp_path / "a", rounds=3)
        after = torch.cat([leaf.flatten() for leaf in rest.module().parameters()])
        steps.append((after - start).detach().numpy())
    correlation = np.corrcoef(steps) - np.eye(3)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(steps[0]))


@pytest.fixture
def saved(private: fb.Experiment, tmp_path: Path) -> Path:
    ran(private.replace(rounds=2), tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 3}, "seed cannot change when a run is resumed; rounds, target"),
        ({"model": fb.MLP()}, "model cannot change"),
        ({"privacy": fb.NoPrivacy()}, "privacy cannot change"),
        # each of these would make a false promise of the rounds that are done
        ({"privacy.delta": 1e-3}, r"privacy\.delta cannot change"),
        ({"privacy.noise_seed": None}, r"privacy\.noise_seed cannot change"),
        ({"privacy.clip": 0.1}, r"privacy\.clip cannot change"),
        ({"privacy.clipping": fb.PerLayerClipping()}, r"privacy\.clipping cannot change"),
        ({"channel": (fb.Clip(),)}, "channel cannot change"),
        ({"sampling": fb.FixedCohort(size=2)}, "FixedCohort needs another accounting"),
    ],
)
def test_what_its_state_does_not_allow_is_refused(
    saved: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(StoreError, match=words):
        fb.resume(saved, **changes)


def test_a_bad_value_is_refused_by_name(saved: Path) -> None:
    with pytest.raises(ValidationError, match="must be at least 1"):
        fb.resume(saved, rounds=0)


def test_what_was_changed_since_is_refused(saved: Path) -> None:
    path = saved / "rounds.jsonl"
    path.write_text(path.read_text().replace("1", "2", 1))
    for read in (fb.load, fb.resume):
        with pytest.raises(StoreError, match=r"rounds.jsonl does not match its run: it was chan"):
            read(saved)


def rewritten(folder: Path, about: Callable[[dict[str, Any]], None]) -> None:
    """Change what a checkpoint says of its run, and leave its tensors as they are."""
    path = folder / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = json.loads(file.metadata()["fedbench"])
    about(told)
    save_file(state, path, metadata={"fedbench": json.dumps(told)})


def test_a_ledger_that_holds_less_than_was_spent_is_refused(
    private: fb.Experiment, tmp_path: Path
) -> None:
    ran(private.replace(sampling=fb.Shuffled(size=2), rounds=3), tmp_path)

    def fewer(about: dict[str, Any]) -> None:
        assert len(about["ledger"]["clients"]) == 6
        for own in about["ledger"]["clients"].values():
            own["entries"][0]["noise_multipliers"] = [9.0]

    rewritten(tmp_path, fewer)
    with pytest.raises(StoreError, match=r"the ledger and rounds\.jsonl do not match their run"):
        fb.resume(tmp_path)


@pytest.mark.parametrize("read", [fb.load, fb.resume])
def test_a_run_of_the_former_format_is_refused_with_a_sentence(
    saved: Path, read: Callable[[Path], Any]
) -> None:
    def as_before(about: dict[str, Any]) -> None:
        assert about["format"] == FORMAT == 3
        assert about.pop("stages") == 2  # the norms were no state of a stage
        about |= {"format": 2, "bounds": [1.0]}

    assert read(saved) is not None
    rewritten(saved, as_before)
    with pytest.raises(StoreError) as caught:
        read(saved)
    assert str(caught.value) == (
        f"{saved}: the checkpoint was written by another version of fedbench; that version can "
        "read it"
    )


@pytest.mark.parametrize("number", [1, 4])
def test_a_checkpoint_of_another_version_is_refused(saved: Path, number: int) -> None:
    rewritten(saved, lambda about: about.update(format=number))
    with pytest.raises(StoreError, match="written by another version of fedbench"):
        fb.resume(saved)


def test_another_experiment_is_refused(saved: Path) -> None:
    path = saved / "experiment.toml"
    path.write_text(path.read_text().replace("lr = 0.1", "lr = 0.2"))
    with pytest.raises(StoreError, match=r"experiment.toml differs from what the run started with"):
        fb.resume(saved)


def test_missing_and_damaged_files_are_named(saved: Path) -> None:
    (saved / "checkpoint.safetensors").write_bytes(b"no")
    with pytest.raises(StoreError, match="the checkpoint is damaged"):
        fb.resume(saved)
    (saved / "checkpoint.safetensors").unlink()
    with pytest.raises(StoreError, match=r"checkpoint.safetensors is missing"):
        fb.resume(saved)


def test_a_state_without_its_mark_is_refused(saved: Path) -> None:
    path = saved / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(state, path)
    with pytest.raises(StoreError, match="the checkpoint is damaged"):
        fb.resume(saved)


class Unbounded(fb.ClientLevelDP):
    """Releases that nothing is known about: each is accounted for as one without noise."""

    keeps_privacy: ClassVar[bool] = True

    def event(self, rate: float) -> Any:
        return gaussian(rate, 0.0)


def test_a_run_of_infinite_epsilon_says_so_and_goes_on(
    private: fb.Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    privacy = Unbounded(noise_multiplier=1.0, delta=1e-2, noise_seed=1)
    experiment = private.replace(privacy=privacy, rounds=2)
    session = ran(experiment, tmp_path / "two")
    summary = json.loads((tmp_path / "two" / "summary.json").read_text())
    assert summary["epsilon"] == "inf"
    report(session, tmp_path / "two")
    assert "ε         ∞: no privacy, at δ = 0.01" in capsys.readouterr().out
    assert "no privacy: ε is infinite" in session.history.privacy_card().statement
    rest = fb.resume(tmp_path / "two", allow_imports=True, rounds=3)
    rest.start()
    assert rest.wait() == "done"
    assert [row.epsilon for row in rest.history.rows] == [math.inf] * 3


def test_a_run_saved_with_another_accounting_goes_on(
    private: fb.Experiment, tmp_path: Path
) -> None:
    ran(private.replace(rounds=2), tmp_path / "two")
    spending(tmp_path / "two", lambda epsilon: epsilon * 1.0001)
    assert gone_on(tmp_path / "two", rounds=3).history.rows[0].epsilon > 0
    ran(private.replace(rounds=2), tmp_path / "old")
    spending(tmp_path / "old", lambda epsilon: None)  # infinity was once not written down
    assert len(gone_on(tmp_path / "old", rounds=3).history.rows) == 3


def spending(folder: Path, change: Callable[[float], float | None]) -> None:
    """Change the ε of the saved rounds, and their hash as the run that wrote them would have."""
    path = folder / "rounds.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    text = "".join(json.dumps(row | {"epsilon": change(row["epsilon"])}) + "\n" for row in rows)
    path.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    rewritten(folder, lambda about: about["rounds"].update(bytes=len(text), sha256=digest))
