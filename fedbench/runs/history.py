"""What happened: one row a round, as tables and as a figure."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.experiment import Experiment
from fedbench.metrics import RoundRecord, columns, same
from fedbench.privacy import Private
from fedbench.rounding import rounded_up
from fedbench.runs.events import Amended

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from fedbench.runs.card import PrivacyCard


@dataclass(eq=False)
class History:
    """The rounds of one run so far; safe to read while the run goes on.

    Two histories are equal if all that is in them is, as with a copy; NaN equals NaN.

    `experiment` is the configuration that the run started with, `noise_multiplier` the noise that
    was solved for it; `ended` says why the run ended, empty while it has not. `cautions` are what
    came up while it went on, and `unproven` says at the end that the model is not shown to beat a
    prediction that learns nothing, empty where it is.
    """

    experiment: Experiment
    noise_multiplier: float | None = None
    rows: list[RoundRecord] = field(default_factory=list)
    amendments: list[Amended] = field(default_factory=list)
    ended: str = ""
    cautions: list[str] = field(default_factory=list)
    unproven: str = ""
    unfinished: int = 0  # rounds that were charged when they began, and gave no result
    charged: float = math.nan  # ε with these, where there are any
    went_on_from: tuple[int, ...] = ()  # rounds done at each time it was resumed from files
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"} | {
            "rows": self.snapshot()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def __eq__(self, other: object) -> bool:
        """Return whether experiment, rounds and notes are the same, however long they took."""
        return isinstance(other, History) and same(self.__getstate__(), other.__getstate__())

    def __hash__(self) -> int:
        return hash(self.experiment)  # the rest grows

    def append(self, row: RoundRecord) -> None:
        """Add a round."""
        with self._lock:
            self.rows.append(row)

    def snapshot(self) -> list[RoundRecord]:
        """Return the rounds so far as a list of its own."""
        with self._lock:
            return list(self.rows)

    def copy(self, rows: list[RoundRecord]) -> History:
        """Return a history of the same run that holds `rows` and grows no further."""
        lists = {"amendments": list(self.amendments), "cautions": list(self.cautions)}
        return replace(self, rows=rows, **lists, _lock=threading.Lock())

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def metric(self) -> str:
        """Return the metric that is shown first."""
        return self.experiment.metric

    @property
    def spent(self) -> float:
        """Return the ε spent so far, also by unfinished rounds; NaN without privacy."""
        if not isinstance(self.experiment.privacy, Private):
            return math.nan
        rows = self.snapshot()
        done = rows[-1].epsilon if rows else 0.0
        return done if math.isnan(self.charged) else max(done, self.charged)

    def note_unfinished(self, count: int, spent: float) -> None:
        """Keep that `count` rounds were charged and gave no result, with which ε is `spent`."""
        if count:
            self.unfinished, self.charged = count, spent

    @property
    def unit(self) -> str | None:
        """Return what the run's ε protects, such as "client"; None without privacy."""
        privacy = self.experiment.privacy
        return privacy.unit if isinstance(privacy, Private) else None

    @property
    def level(self) -> str | None:
        """Return what the run's ε is called, such as "client-level"; None without privacy."""
        privacy = self.experiment.privacy
        return privacy.level if isinstance(privacy, Private) else None

    def frame(self) -> pd.DataFrame:
        """Return one row a round.

        Columns: those of `RoundRecord`, of which `help(fb.RoundRecord)` says what each means, with
        the metrics of this run's task. NaN stands where something does not apply: each ε where the
        run protects another unit or none, the rest as its sentence says.
        """
        return frame_of(self.snapshot(), self.experiment.metrics, self.unit)

    def clients(self) -> pd.DataFrame:
        """Return the first metric of each client (rows) in each round (columns).

        It is by the model that the client uses: its own if it has one, else the global one. NaN
        marks a client that has no test rows of its own.
        """
        rows = self.snapshot()
        return clients_of(rows, len(rows[0].clients) if rows else self.experiment.clients)

    def participation(self) -> pd.DataFrame:
        """Return whether each client (rows) took part in each round (columns)."""
        import pandas as pd

        rows = self.snapshot()
        took_part = np.zeros((self.experiment.clients, len(rows)), dtype=bool)
        for column, row in enumerate(rows):
            took_part[row.cohort, column] = True
        return pd.DataFrame(
            took_part,
            index=pd.RangeIndex(len(took_part), name="client"),
            columns=pd.Index([row.round for row in rows], name="round"),
        )

    def privacy_card(self) -> PrivacyCard:
        """Return what the run has promised so far, to whom and by what, and what it has not."""
        from fedbench.runs.card import privacy_card

        rows, experiment = self.snapshot(), self.experiment
        for note in self.amendments:
            experiment = experiment.replace(**note.changes)
        return privacy_card(
            experiment,
            epsilon=self.spent,
            rounds=len(rows),
            unfinished=self.unfinished,
            noise_multiplier=self.noise_multiplier,
            amendments=self.amendments,
            went_on_from=self.went_on_from,
        )

    def figure(self, levels: Mapping[str, float] | None = None) -> go.Figure:
        """Return a plotly figure: the first metric with the clients' band, loss, and ε if spent.

        `levels` are drawn to compare with, such as those of `baselines(experiment)`.
        """
        from fedbench.figures import history_figure

        title = self.experiment.describe()
        return history_figure(self.frame(), self.metric, title, levels)

    def __repr__(self) -> str:
        name = self.experiment.data.kind()
        if not self.rows:
            return f"<History of {name}: no rounds yet>"
        last = self.rows[-1]
        own = "" if np.isnan(last.personal) else f", personal models {last.personal:.4g}"
        spent = "" if np.isnan(last.epsilon) else f", {self.level} ε {rounded_up(last.epsilon, 3)}"
        value = last.metrics[self.metric]
        return f"<History of {name}: {len(self)} rounds, {self.metric} {value:.4g}{own}{spent}>"


def frame_of(rows: Sequence[RoundRecord], metrics: Iterable[str], unit: str | None) -> pd.DataFrame:
    """Return `History.frame()` of some rounds of these metrics; `unit` is what ε protects."""
    import pandas as pd

    found = [row.numbers(unit) for row in rows]
    return pd.DataFrame({name: [row[name] for row in found] for name in columns(metrics)})


def clients_of(rows: Sequence[RoundRecord], count: int) -> pd.DataFrame:
    """Return `History.clients()` of some rounds of `count` clients with test rows."""
    import pandas as pd

    values = np.stack([row.clients for row in rows], axis=1) if rows else np.empty((count, 0))
    return pd.DataFrame(
        values,
        index=pd.RangeIndex(count, name="client"),
        columns=pd.Index([row.round for row in rows], name="round"),
    )
