"""What a data set is: its name, source, licence, task and the names of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Card:
    """Facts about a data set that models, metrics and the interface need.

    `shape` is the shape of one example. `classes` is empty for regression, whose targets are stored
    standardised: `target_mean` and `target_std` convert them back to `target_unit`. `vocabulary` is
    empty for numeric features. For ids, 0 to V-1, it holds the number V of distinct ids of each
    column, or a single V for a sequence of tokens, whose id 0 is padding. `ranked` says that one of
    two classes is rare, so that a model is judged by how it ranks rows. `client` names the column
    with the holder of each row, if there is one; `traps` are sentences about common mistakes with
    these data. Names come from data and are untrusted text. `latest` names the feature that is the
    last known value of the target, in its unit, where there is one.
    """

    name: str
    source: str
    licence: str
    task: Task
    shape: tuple[int, ...]
    features: tuple[str, ...]
    target: str
    classes: tuple[str, ...] = ()
    target_unit: str = ""
    target_mean: float = 0.0
    target_std: float = 1.0
    vocabulary: tuple[int, ...] = ()
    ranked: bool = False
    client: str = ""
    traps: tuple[str, ...] = ()
    latest: str = ""

    @property
    def outputs(self) -> int:
        """Return how many numbers a model gives: one logit for two classes, one for regression."""
        return len(self.classes) if len(self.classes) > 2 else 1

    @property
    def inputs(self) -> int:
        """Return how many numbers one example holds."""
        count = 1
        for length in self.shape:
            count *= length
        return count
