"""What is in the folder of a run beside its rounds: read and checked when it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedbench.experiment import Experiment
from fedbench.runs import checkpoint
from fedbench.runs.checkpoint import STATE, Checkpoint, StoreError
from fedbench.runs.end import End
from fedbench.runs.recording import EXPERIMENT, MODEL, SUMMARY
from fedbench.runs.relocation import located, restored
from fedbench.runs.succession import refusal
from fedbench.tree import Tree

if TYPE_CHECKING:
    import torch

# What may be different when a run goes on: not what its states and its promise were made by.
CHANGEABLE = (
    *("rounds", "target", "training", "sampling", "aggregator", "attack", "devices", "engine"),
    "data",  # where more of them came in to the same clients
    *("privacy.epsilon", "privacy.noise_multiplier"),
)


@dataclass(frozen=True, eq=False)
class SavedFiles:
    """The folder that a history was read from, with what can be read without its data and classes.

    `moved` says, by path, where its data are now. `metrics` are None where the run never began.
    """

    folder: Path
    summary: dict[str, Any]
    metrics: dict[str, bool] | None
    allow_imports: bool = False
    moved: dict[str, Any] = field(default_factory=dict)

    def read(self) -> tuple[Experiment, End | None]:
        """Return what the run began with, and its end; see `Origin`."""
        if not self.begun:
            return restored(self._text, self.folder, self.allow_imports, self.moved), None
        began, start, _ = self.start({})
        return began, End(start.experiment, start.progress)

    @property
    def begun(self) -> bool:
        """Return whether the run had begun, so that it can go on."""
        return (self.folder / STATE).exists()

    def start(self, changes: dict[str, Any]) -> tuple[Experiment, Checkpoint, dict[str, Any]]:
        """Return what the run began with, what it goes on from with `changes`, and these.

        Changes that only say where the data are now are left out of the latter.
        """
        about, progress, rows = checkpoint.read(self.folder, self._text)
        place = self.folder, self.allow_imports
        now, moved, rest = located(about["experiment"], *place, about["data"], self.moved, changes)
        checkpoint.refuse_strange(self.folder, now, progress, rows)
        began = restored(self._text, *place, moved)
        start = Checkpoint(now, about["noise_multiplier"], progress, rows, about["data"])
        return began, _changed(start, rest) if rest else start, rest

    def module(self, end: End, params: Tree) -> torch.nn.Module:
        """Return a module with `params`; see `Origin`.

        Raises StoreError where the model's class builds another module than the one that was
        trained, and where the file of the model was changed.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        experiment, path = end.experiment, self.folder / MODEL
        card = experiment.federation().card
        try:
            module = experiment.model.loaded(card, experiment.seed, params)
            if path.exists():  # what is never trained, such as buffers
                trained = {
                    name
                    for name, leaf in module.named_parameters(remove_duplicate=False)
                    if leaf.requires_grad
                }
                held = load_file(path)
                if self._written() == end.progress.round and params is end.progress.params:
                    # else it is of before the run went on, and the process was killed
                    _refuse_other_model(path, held, module, trained)
                state = {k: leaf for k, leaf in held.items() if k not in trained}
                module.load_state_dict(state, strict=False)
        except SafetensorError as error:
            raise StoreError(f"{path} is damaged: {error}") from error
        except (RuntimeError, ValueError) as error:
            raise StoreError(
                f"{self.folder}: {experiment.model.kind()} now builds another module than the one "
                f"that was trained: {error}"
            ) from error
        return module

    def _written(self) -> int | None:
        """Return how many rounds the files for people are of, None where there are none."""
        path = self.folder / SUMMARY
        return json.loads(path.read_text(encoding="utf-8"))["rounds"] if path.exists() else None

    @property
    def _text(self) -> str:
        try:
            return (self.folder / EXPERIMENT).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise StoreError(f"{self.folder}: {EXPERIMENT} cannot be read: {reason}") from error


def _refuse_other_model(
    path: Path, held: dict[str, Any], module: torch.nn.Module, trained: set[str]
) -> None:
    """Raise StoreError where the file of the model holds other parameters than the checkpoint."""
    for name, leaf in module.named_parameters(remove_duplicate=False):
        if name in trained and name in held and not held[name].equal(leaf.detach()):
            raise StoreError(
                f"{path} does not match its run: {name} was changed since the run was saved"
            )


def _changed(start: Checkpoint, changes: dict[str, Any]) -> Checkpoint:
    for path in changes:
        if path not in CHANGEABLE and path.partition(".")[0] not in CHANGEABLE:
            raise StoreError(
                f"{path} cannot change when a run is resumed; {', '.join(CHANGEABLE)} can"
            )
    before, now = start.experiment, start.experiment.replace(**changes)
    if reason := refusal(before, now):
        raise StoreError(reason)
    if before.own_accounts != now.own_accounts:
        raise StoreError(
            f"sampling: the privacy spent so far is accounted for {before.sampling.kind()} "
            f"sampling, and {now.sampling.kind()} needs another accounting"
        )
    asked = getattr(now.privacy, "noise_multiplier", None)
    return replace(start, experiment=now, noise_multiplier=asked or start.noise_multiplier)
