"""What happened: one row a round, as tables and as a figure."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench.experiment import Experiment
from fedbench.rounding import rounded_up
from fedbench.runs.events import Amended
from fedbench.schedules import RoundDone
from fedbench.schedules.record import same

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from fedbench.runs.card import PrivacyCard

# Units of privacy are never mixed: the column that holds the ε of each of them.
SPENT = {"client": "epsilon", "example": "example_epsilon", "local": "local_epsilon"}


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
    rows: list[RoundDone] = field(default_factory=list)
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

    def append(self, row: RoundDone) -> None:
        """Add a round."""
        with self._lock:
            self.rows.append(row)

    def snapshot(self) -> list[RoundDone]:
        """Return the rounds so far as a list of its own."""
        with self._lock:
            return list(self.rows)

    def copy(self, rows: list[RoundDone]) -> History:
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
        if self.experiment.privacy.guarantee is None:
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
        return self.experiment.privacy.unit or None

    @property
    def level(self) -> str | None:
        """Return what the run's ε is called, such as "client-level"; None without privacy."""
        return self.experiment.privacy.level or None

    def frame(self) -> pd.DataFrame:
        """Return one row a round.

        Columns: round, the metrics (accuracy and loss, before them auc where one of two classes is
        rare, or rmse, mae, r2 and loss) of the global model, personal (the first metric over all
        test rows, each by its client's own model), released (accuracy of the cohort as measured
        under privacy), train_loss, epsilon
        (spent up to this round, client-level), example_epsilon and local_epsilon (likewise, for
        those units), bytes_up, bytes_down, seconds and simulated_seconds of the round, asked
        (clients that were drawn and reached), cohort (those of them whose answers counted),
        update_norm (median), clip (the norm that updates were held to), clipped (share), and of the
        first metric over clients with test rows: clients_mean, clients_p10, clients_p90 and
        worst_tenth (mean of the worst tenth, at least one client). NaN stands where something does
        not apply: personal where everybody uses the global model, each ε where the run protects
        another unit or none. Where clients have models of their own, the columns over clients are
        by those.
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


def frame_of(
    rows: Sequence[RoundDone], metrics: Mapping[str, bool], unit: str | None
) -> pd.DataFrame:
    """Return `History.frame()` of some rounds.

    `metrics` says of each, in their order, whether more is better; `unit` is what ε protects.
    """
    import pandas as pd

    columns: dict[str, list[float]] = {"round": [row.round for row in rows]}
    for name in metrics:
        columns[name] = [row.metrics[name] for row in rows]
    for name in ("personal", "released", "train_loss"):
        columns[name] = [getattr(row, name) for row in rows]
    for protected, name in SPENT.items():
        columns[name] = [row.epsilon if protected == unit else np.nan for row in rows]
    for name in ("bytes_up", "bytes_down", "seconds"):
        columns[name] = [getattr(row, name) for row in rows]
    columns["simulated_seconds"] = [row.simulated for row in rows]
    columns["asked"] = [row.asked for row in rows]
    columns["cohort"] = [len(row.cohort) for row in rows]
    columns["update_norm"] = [row.update_norm for row in rows]
    columns["clip"] = [row.clip for row in rows]
    columns["clipped"] = [row.clipped for row in rows]
    worst_is_low = next(iter(metrics.values()))
    summaries = [summary(row.clients, worst_is_low) for row in rows]
    for name in ("clients_mean", "clients_p10", "clients_p90", "worst_tenth"):
        columns[name] = [each[name] for each in summaries]
    return pd.DataFrame(columns)


def clients_of(rows: Sequence[RoundDone], count: int) -> pd.DataFrame:
    """Return `History.clients()` of some rounds of `count` clients with test rows."""
    import pandas as pd

    values = np.stack([row.clients for row in rows], axis=1) if rows else np.empty((count, 0))
    return pd.DataFrame(
        values,
        index=pd.RangeIndex(count, name="client"),
        columns=pd.Index([row.round for row in rows], name="round"),
    )


def summary(values: NDArray[np.float32], worst_is_low: bool) -> dict[str, float]:
    """Return mean, 10th and 90th percentile and the mean of the worst tenth over clients."""
    known = np.sort(values[~np.isnan(values)].astype(np.float64))
    if len(known) == 0:
        return dict.fromkeys(("clients_mean", "clients_p10", "clients_p90", "worst_tenth"), np.nan)
    tenth = max(1, len(known) // 10)
    return {
        "clients_mean": float(known.mean()),
        "clients_p10": _percentile(known, 0.1),
        "clients_p90": _percentile(known, 0.9),
        "worst_tenth": float((known[:tenth] if worst_is_low else known[-tenth:]).mean()),
    }


def worst_called(values: NDArray[np.floating]) -> str:
    """Return what the clients behind `summary`'s worst_tenth are called.

    Below twenty clients with a value a tenth of them is a single one.
    """
    return "the worst tenth" if np.count_nonzero(~np.isnan(values)) >= 20 else "the worst"


def _percentile(ordered: NDArray[np.float64], share: float) -> float:
    # numpy's own costs a multiple of a small round, and this is asked for after each
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    if ordered[below] == ordered[above]:  # both may be infinite, on the way to divergence
        return float(ordered[below])
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))
