"""The result of one point of a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fedbench.config.spec import Spec
from fedbench.experiment import Experiment
from fedbench.metrics import SPENT
from fedbench.study.grid import label, shown
from fedbench.study.job import Outcome

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class SweepResult(Outcome):
    """What the run of one point came to; `settings` tell it from the others."""

    settings: Mapping[str, Any]
    experiment: Experiment

    @property
    def metric(self) -> str:
        """The metric that is shown first."""
        return self.experiment.metric

    @property
    def value(self) -> float:
        """The first metric after the last round, NaN before the first."""
        return self.metrics.get(self.metric, math.nan)

    @property
    def unit(self) -> str | None:
        """What ε protects, such as "client"; None without privacy."""
        return self.experiment.privacy.unit or None

    @property
    def delta(self) -> float | None:
        """The δ at which ε is told; None without privacy."""
        guarantee = self.experiment.privacy.guarantee
        return None if guarantee is None else guarantee.delta

    def row(self) -> dict[str, Any]:
        """Return a row of a table.

        Columns: the settings by their paths, the task's metrics, personal, epsilon (client-level),
        example_epsilon, local_epsilon, delta, attack_auc (of a membership inference),
        noise_multiplier, rounds_done, seconds, bytes_up, bytes_down, ended and error. NaN stands
        where something does not apply.
        """
        return {
            **cells(self.settings),
            **{name: self.metrics.get(name, math.nan) for name in self.experiment.metrics},
            "personal": self.personal,
            **spent(self.epsilon, self.unit),
            "delta": _or_nan(self.delta),
            "attack_auc": self.attack_auc,
            "noise_multiplier": _or_nan(self.noise_multiplier),
            "rounds_done": self.rounds,
            "seconds": self.seconds,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "ended": self.ended,
            "error": self.error,
        }

    def __repr__(self) -> str:
        what = self.error or f"{self.metric} {self.value:.4g}"
        return f"<SweepResult {label(self.settings)}: {what}>"


def table(results: Sequence[SweepResult], axes: Iterable[str]) -> pd.DataFrame:
    """Return the rows of results; without any, the columns of the axes."""
    import pandas as pd

    rows = [result.row() for result in results]
    return pd.DataFrame(rows, columns=None if rows else pd.Index(list(axes)))


def cells(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as cells of a table: numbers and texts as they are, parts as text."""
    plain = (Spec, list, tuple)
    return {k: shown(v) if isinstance(v, plain) else v for k, v in settings.items()}


def spent(epsilon: float, unit: str | None) -> dict[str, float]:
    """Return the ε spent in the column of its unit, NaN in the other: they are never mixed."""
    return {column.name: epsilon if of == unit else math.nan for of, column in SPENT.items()}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
