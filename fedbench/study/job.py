"""What a sweep has computed: a whole run, or the levels to compare runs with."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fedbench.audit import loss_threshold
from fedbench.config.sources import code_digest, files_digest
from fedbench.config.usercode import explained
from fedbench.experiment import Experiment
from fedbench.metrics import RoundRecord
from fedbench.privacy import Ledger, Ledgers
from fedbench.study.baselines import alternative, baselines
from fedbench.study.grid import REPEATS, Point

if TYPE_CHECKING:
    from fedbench.runs.rounds import Rounds
    from fedbench.schedules import Progress

Result = dict[str, Any]  # plain JSON data
Advanced = Callable[[int, float], None]  # is told the rounds done and the first metric


OFTEN = 0.1  # seconds from one report of a run that goes on to the next


class GivenUp(Exception):
    """Nobody wants the result any more."""


@dataclass(frozen=True)
class Job:
    """Something to be computed from an experiment, and by nothing else."""

    kind: Literal["run", "levels"]
    experiment: Experiment

    @cached_property
    def toml(self) -> str:
        """The experiment as text."""
        return self.experiment.to_toml()

    @cached_property
    def key(self) -> str:
        """The name of the file that the result is kept in.

        It depends on all that decides the result: the settings, the code of user classes, and what
        is in the files that fields called `path` name.
        """
        text, parts = f"{self.kind}\n{self.toml}", list(self.experiment.parts())
        for digest in (code_digest(map(type, parts)), files_digest(parts)):
            if digest:
                text += f"\n{digest}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def alone(self) -> Job:
        """Return the same without workers of its own: the other cores have jobs of their own.

        The result is the same, but its key is another.
        """
        if "workers" not in type(self.experiment.engine).model_fields:
            return self
        return Job(self.kind, self.experiment.replace(**{"engine.workers": 0}))

    def compute(self, advanced: Advanced, go_on: Callable[[], bool]) -> Result:
        """Return the result; an error is one too.

        `advanced` is told of the rounds of a run, ten a second at most, and `go_on` asked before
        each. Raises GivenUp once that says no.
        """
        if self.kind == "run":
            return _run(self.experiment, advanced, go_on).to_dict()
        try:
            found = baselines(self.experiment, go_on=go_on)
        except Exception as error:
            return {"error": explained(error)}
        if found is None:
            raise GivenUp
        return {"levels": _plain(found.levels), "error": ""}


def levels_of(points: Sequence[Point]) -> list[Job]:
    """Return the levels of what the first point has in common with points of other seeds."""
    first = _but_seed(points[0])
    alike = [point.experiment for point in points if _but_seed(point) == first]
    jobs = (Job("levels", alternative(experiment)) for experiment in alike)
    return list({job.key: job for job in jobs}.values())


def _but_seed(point: Point) -> dict[str, Any]:
    return {path: value for path, value in point.settings.items() if path not in REPEATS}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to.

    `metrics` are those of the last round, and `personal` the first of them by the clients' own
    models, NaN without such. `epsilon` is what was spent, NaN without privacy, `ledger` of what.
    `attack_auc` is how well a membership inference by the loss tells training rows of those who
    took part from test rows, NaN where it cannot be told: `fedbench.audit` says what it proves.
    `noise_multiplier` was given or solved, None without privacy. `ended` says why the run ended;
    where it failed `error` is the reason, and the rest is about the rounds before that. Seconds and
    bytes are of all rounds together. `test_rows` are those that the metrics are of, 0 where that is
    not known, as of results that were kept before it was counted.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    personal: float = math.nan
    epsilon: float = math.nan
    attack_auc: float = math.nan
    noise_multiplier: float | None = None
    rounds: int = 0
    seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    ended: str = ""
    error: str = ""
    ledger: Ledger | Ledgers | None = None
    test_rows: int = 0

    def to_dict(self) -> Result:
        """Return plain JSON data; what is not a finite number is written out."""
        ledger = None if self.ledger is None else self.ledger.to_dict()
        members = {name: getattr(self, name) for name in Outcome.__dataclass_fields__}
        return _plain(members | {"ledger": ledger})

    @classmethod
    def of_lost(cls, experiment: Experiment, error: str) -> Outcome:
        """Return that of a run whose rounds nobody knows, and so not what it spent."""
        spent = math.inf if experiment.privacy.guarantee is not None else math.nan
        return cls(error=error, ended=f"failed: {error}", epsilon=spent)

    @classmethod
    def from_dict(cls, data: Result) -> Outcome:
        """Restore `to_dict`'s data. Raises ValueError for what is not."""
        try:
            ledger = data["ledger"]
            if ledger is not None:
                ledger = (Ledgers if "clients" in ledger else Ledger).from_dict(ledger)
            members: Result = {**data, "ledger": ledger}
            members |= {name: float(data[name]) for name in ("personal", "epsilon", "attack_auc")}
            members["metrics"] = {name: float(value) for name, value in data["metrics"].items()}
            return cls(**members)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this is not the result of a run: {error!r}") from error


def _run(experiment: Experiment, advanced: Advanced, go_on: Callable[[], bool]) -> Outcome:
    import torch

    from fedbench.runs.rounds import Rounds

    torch.set_num_threads(1)  # as a session does
    rows: list[RoundRecord] = []
    rounds = progress = None
    ended, error, due = None, "", 0.0
    try:
        rounds = Rounds(experiment)
        progress = rounds.begin()
        while (ended := rounds.ended(progress, rows[-1] if rows else None)) is None:
            if not go_on():
                raise GivenUp
            progress, row = rounds.next(progress)
            rows.append(row)
            if (now := time.monotonic()) >= due:
                due = now + OFTEN
                advanced(row.round, row.metrics[experiment.metric])
    except GivenUp:
        raise
    except Exception as failure:  # one run that fails is a result of the sweep
        error = explained(failure)
    last = rows[-1] if rows else None
    spent, ledger = math.nan, None
    guarantee = rounds and rounds.privacy.guarantee
    if rounds and progress and guarantee:
        # that of a round that failed was charged when it began
        ledger = rounds.ledger if error and rounds.ledger else progress.ledger
        spent = ledger.epsilon(guarantee.delta)
    return Outcome(
        metrics={} if last is None else last.metrics,
        personal=math.nan if last is None else last.personal,
        epsilon=spent,
        attack_auc=_attacked(rounds, progress, rows) if rounds and progress else math.nan,
        noise_multiplier=getattr(rounds and rounds.privacy, "noise_multiplier", None),
        rounds=len(rows),
        seconds=sum(row.seconds for row in rows),
        bytes_up=sum(row.bytes_up for row in rows),
        bytes_down=sum(row.bytes_down for row in rows),
        ended=ended or f"failed: {error}",
        error=error,
        ledger=ledger,
        test_rows=len(rounds.data.y_test) if rounds else 0,
    )


def _attacked(rounds: Rounds, progress: Progress, rows: Sequence[RoundRecord]) -> float:
    """Return the AUC of a membership inference on the model at the end."""
    clients = np.unique(np.concatenate([np.empty(0, np.int64), *(row.cohort for row in rows)]))
    module = rounds.module(progress.params)
    try:
        return loss_threshold(rounds.experiment.model, module, rounds.data, clients).auc
    except ValueError:  # nobody took part, or the model ended outside the range of numbers
        return math.nan


def _plain(value: Any) -> Any:
    """Return plain data with numbers that JSON does not have as text that `float` reads."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
