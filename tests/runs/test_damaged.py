"""Saved runs whose files are missing, cut or changed: read as far as they are sound, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import fedbench as fb

pytestmark = pytest.mark.process

CHECKPOINT, MODEL, ROUNDS = "checkpoint.safetensors", "model.safetensors", "rounds.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    session = fb.Session(
        fb.Experiment(
            data=fb.Wine(),
            partition=fb.IID(clients=4),
            strategy=fb.FedAvg(weighting="uniform"),
            privacy=fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=1),
            rounds=3,
        )
    )
    session.start()
    session.wait()
    return fb.save(session, tmp_path / "run")


def test_without_its_checkpoint_nothing_is_claimed_about_privacy(folder: Path) -> None:
    (folder / CHECKPOINT).unlink()
    for call in (lambda: fb.load(folder), lambda: fb.resume(folder, rounds=4)):
        with pytest.raises(fb.StoreError, match=r"checkpoint\.safetensors is missing, so what"):
            call()


def test_a_flipped_bit_of_a_weight_is_noticed(folder: Path) -> None:
    content = bytearray((folder / CHECKPOINT).read_bytes())
    content[-2] ^= 0x40
    (folder / CHECKPOINT).write_bytes(content)
    for call in (lambda: fb.load(folder).module(), lambda: fb.resume(folder, rounds=4)):
        with pytest.raises(fb.StoreError, match="were changed since the run was saved"):
            call()
    assert len(fb.load(folder).frame()) == 3


def test_a_changed_model_file_is_noticed(folder: Path) -> None:
    leaves = load_file(folder / MODEL)
    save_file({name: leaf + 1 for name, leaf in leaves.items()}, folder / MODEL)
    with pytest.raises(fb.StoreError, match=r"model\.safetensors does not match its run"):
        fb.load(folder).module()


def test_an_empty_model_file_is_named(folder: Path) -> None:
    (folder / MODEL).write_bytes(b"")
    with pytest.raises(fb.StoreError, match=r"model\.safetensors is damaged"):
        fb.load(folder).module()


def test_rounds_that_are_gone_are_named(folder: Path) -> None:
    (folder / ROUNDS).unlink()
    for call in (lambda: fb.load(folder), lambda: fb.resume(folder, rounds=4)):
        with pytest.raises(fb.StoreError, match=r"rounds\.jsonl is missing"):
            call()


def _settings_that_are_no_text(folder: Path) -> None:
    (folder / "experiment.toml").write_bytes(b"\xff\xfe")


def _settings_that_are_a_folder(folder: Path) -> None:
    (folder / "experiment.toml").unlink()
    (folder / "experiment.toml").mkdir()


def _metadata(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        from safetensors import safe_open

        with safe_open(folder / CHECKPOINT, framework="pt") as file:
            about = json.loads(file.metadata()["fedbench"])
        change(about)
        save_file(
            load_file(folder / CHECKPOINT), folder / CHECKPOINT, {"fedbench": json.dumps(about)}
        )

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        _settings_that_are_no_text,
        _settings_that_are_a_folder,
        *(
            _metadata(lambda about, name=name: about.pop(name))
            for name in ("summary", "metrics", "data", "went_on_from", "ledger", "leaves", "round")
        ),
        _metadata(lambda about: about.update(summary="three")),
        _metadata(lambda about: about.update(leaves=["nothing"])),
    ],
)
def test_whatever_is_damaged_is_a_store_error(folder: Path, damage: Callable) -> None:
    damage(folder)
    for call in (lambda: fb.load(folder).experiment, lambda: fb.resume(folder, rounds=4)):
        with pytest.raises(fb.StoreError, match=r"damaged|cannot be read|differs"):
            call()


class Killing(fb.FedAvg):
    """Ends its worker process in the second round."""

    def update(self, params, payload, server, info):
        import os

        if info.round == 2:
            os._exit(9)
        return super().update(params, payload, server, info)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_killed_runs_make_the_whole_of_a_sweep_infinite() -> None:
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.Explicit(counts=((20, 20, 10), (20, 20, 10))),
        strategy=Killing(weighting="uniform"),
        privacy=fb.ClientLevelDP(noise_multiplier=1.0),
        rounds=3,
    )
    sweep = fb.sweep(experiment, {"privacy.clip": [0.5, 1.0]}, workers=1, levels=False)
    sweep.wait()
    assert all("ended twice" in result.error for result in sweep.results)
    assert sweep.frontier().total_epsilon() == {"client": float("inf")}
