"""What happened: one row a round, as tables and as a figure."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench.experiment import Experiment
from fedbench.metrics import SPENT, RoundRecord, same
from fedbench.rounding import rounded_up
from fedbench.runs.end import End, Origin
from fedbench.runs.events import Amended
from fedbench.runs.tables import clients_of, frame_of, overview

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from torch import nn

    from fedbench.runs.card import PrivacyCard
    from fedbench.runs.checkpoint import Checkpoint
    from fedbench.runs.predictions import Predictions


class History:
    """A run: its rounds so far, the model that they made, and what it promises.

    `fb.run` returns it, a session holds it as `history`, and `fb.load` reads it; it is safe to read
    while the run goes on. Two histories are equal if their experiment, rounds and notes are,
    however long they took; NaN equals NaN.

    `experiment` is the configuration that the run started with, `noise_multiplier` the noise that
    was solved for it; `ended` says why the run ended, empty while it has not. `cautions` are what
    came up while it went on, and `unproven` says at the end that the model is not shown to beat a
    prediction that learns nothing, empty where it is. `unfinished` rounds were charged when they
    began and gave no result, and `charged` is the ε with these, NaN where there are none.
    `went_on_from` are the rounds done at each time it was resumed from files.

    Of a run that was loaded, rounds, tables, notes and `summary` need neither its data nor classes
    of yours. What else there is raises StoreError where its data are missing or hold something
    else now, and ValidationError where its experiment.toml names a class that cannot be imported.
    """

    def __init__(
        self,
        experiment: Experiment | Origin,
        noise_multiplier: float | None = None,
        rows: Iterable[RoundRecord] = (),
        amendments: Iterable[Amended] = (),
        *,
        ended: str = "",
        cautions: Iterable[str] = (),
        unproven: str = "",
        went_on_from: Iterable[int] = (),
        end: End | None = None,
    ) -> None:
        known = isinstance(experiment, Experiment)
        self._experiment = experiment if known else None
        self._origin = None if known else experiment
        self.noise_multiplier = noise_multiplier
        self.rows, self.amendments, self.cautions = list(rows), list(amendments), list(cautions)
        self.ended, self.unproven = ended, unproven
        self.unfinished, self.charged = 0, math.nan
        self.went_on_from = tuple(went_on_from)
        self._end = end
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            state = {name: value for name, value in vars(self).items() if name != "_lock"}
            lists = {name: list(state[name]) for name in ("rows", "amendments", "cautions")}
            return state | lists

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def __eq__(self, other: object) -> bool:
        """Return whether experiment, rounds and notes are the same, however long they took."""
        return isinstance(other, History) and same(self._content(), other._content())

    def __hash__(self) -> int:
        return hash(self.experiment)  # the rest grows

    def _content(self) -> dict[str, Any]:
        state = {name: x for name, x in self.__getstate__().items() if not name.startswith("_")}
        changed = json.dumps([each.to_dict() for each in self.amendments])
        return state | {"experiment": self.experiment, "amendments": changed}

    @property
    def experiment(self) -> Experiment:
        """The configuration that the run started with."""
        if self._experiment is None:
            assert self._origin is not None
            self._experiment, self._end = self._origin.read()
        return self._experiment

    @property
    def end(self) -> End | None:
        """Where the run has come to, None before it has begun."""
        _ = self.experiment  # which is read together with it
        return self._end

    def append(self, row: RoundRecord, end: End | None = None) -> None:
        """Add a round, after which the run is at `end`."""
        with self._lock:
            self.rows.append(row)
            self._end = end

    def reach(self, end: End) -> None:
        """Keep where the run has come to without another round."""
        with self._lock:
            self._end = end

    def snapshot(self) -> list[RoundRecord]:
        """Return the rounds so far as a list of its own."""
        with self._lock:
            return list(self.rows)

    def copy(self, rows: Iterable[RoundRecord] | None = None) -> History:
        """Return a history of the same run that grows no further; `rows` take the place of its own.

        With rows of its own it holds no model.
        """
        made = History.__new__(History)
        made.__setstate__(self.__getstate__())
        if rows is not None:
            made.rows, made._end = list(rows), None
        return made

    def checkpoint(self) -> Checkpoint | None:
        """Return all that the run needs to go on from here, None before it has begun."""
        from fedbench.runs.checkpoint import Checkpoint
        from fedbench.runs.contents import fingerprint

        held = self.copy()
        if (end := held.end) is None:
            return None
        now, progress = end.experiment, end.progress
        rows = tuple(held.rows[: progress.round])
        known = fingerprint(now.data, now.federation())
        return Checkpoint(now, self.noise_multiplier, progress, rows, known)

    def save(self, folder: str | Path) -> Path:
        """Write the run into `folder` as `fb.save` does, and return it."""
        from fedbench.runs.store import save

        return save(self, folder)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def metrics(self) -> dict[str, bool]:
        """Return the metrics of the run in their order, and whether more of each is better."""
        known = None if self._origin is None else self._origin.metrics
        return self.experiment.metrics if known is None else known

    @property
    def metric(self) -> str:
        """Return the metric that is shown first."""
        return next(iter(self.metrics))

    @property
    def summary(self) -> dict[str, Any]:
        """Return what the run came to, as plain JSON data; of a loaded run, as it was saved."""
        from fedbench.runs.outcome import outcome

        return outcome(self) if self._origin is None else self._origin.summary

    @property
    def spent(self) -> float:
        """Return the ε spent so far, also by unfinished rounds; NaN without privacy."""
        if self.unit is None:
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
        if self._origin is not None:
            return self._origin.summary["unit"]
        return self.experiment.privacy.unit or None

    @property
    def level(self) -> str | None:
        """Return what the run's ε is called, such as "client-level"; None without privacy."""
        if self._origin is None:
            return self.experiment.privacy.level or None
        return None if self.unit is None else SPENT[self.unit].title.removesuffix(" ε")

    @property
    def model(self) -> nn.Module:
        """The global model after the last round, as a torch module of its own; see `module`."""
        return self.module()

    def module(self, client: int | str | None = None) -> nn.Module:
        """Return a trained model as a torch module of its own: the global one, or a client's.

        `client` is a number or a name; where clients use the global model, theirs is that one.
        Raises ValueError before the first round and for an unknown client, and StoreError where the
        files of a loaded run hold another model than it trained.
        """
        end = self._reached()
        params, strategy = end.progress.params, end.experiment.strategy
        if client is not None:
            number = end.experiment.federation().number(client)
            if (state := end.progress.clients.get(number)) is not None:
                own = strategy.personal(params, state.strategy)
                params = params if own is None else own
        if self._origin is not None:
            return self._origin.module(end, params)
        card = end.experiment.federation().card
        return end.experiment.model.loaded(card, end.experiment.seed, params)

    def predictions(self) -> Predictions:
        """Return what the trained models say of each held-out test row.

        Raises ValueError before the first round, and where the experiment cannot be prepared here.
        """
        from fedbench.runs.predictions import predictions
        from fedbench.runs.rounds import Rounds

        end = self._reached()
        rounds = Rounds(end.experiment, noise_multiplier=self.noise_multiplier)
        return predictions(rounds, end.progress)

    def _reached(self) -> End:
        if not len(self) or (end := self.end) is None:
            raise ValueError(
                f"{self!r} holds no model: the run ended before its first round, or the history is "
                "a copy of rows alone"
            )
        return end

    def frame(self) -> pd.DataFrame:
        """Return one row a round.

        Columns: those of `RoundRecord`, of which `help(fb.RoundRecord)` says what each means, with
        the metrics of this run's task. NaN stands where something does not apply: each ε where the
        run protects another unit or none, the rest as its sentence says.
        """
        return frame_of(self.snapshot(), self.metrics, self.unit)

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

        rows, experiment, notes = self.snapshot(), self.experiment, list[Amended]()
        for note in self.amendments:
            experiment = experiment.replace(**note.changes)
            notes.append(note.restored(experiment))
        return privacy_card(
            experiment,
            epsilon=self.spent,
            rounds=len(rows),
            unfinished=self.unfinished,
            noise_multiplier=self.noise_multiplier,
            amendments=notes,
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
        name = self._kind
        if not self.rows:
            return f"<History of {name}: no rounds yet>"
        last = self.rows[-1]
        own = "" if np.isnan(last.personal) else f", personal models {last.personal:.4g}"
        spent = "" if np.isnan(last.epsilon) else f", {self.level} ε {rounded_up(last.epsilon, 3)}"
        value = last.metrics[self.metric]
        return f"<History of {name}: {len(self)} rounds, {self.metric} {value:.4g}{own}{spent}>"

    @property
    def _kind(self) -> str:
        return self.experiment.data.kind() if self._origin is None else self.summary["data"]

    def _repr_html_(self) -> str:
        """Return what the run came to as a table; nothing in it depends on how long it took."""
        return overview(self)
