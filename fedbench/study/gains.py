"""Who gains by the federation, who loses by it, and of whom the test rows cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.config.problems import expect
from fedbench.metrics import METRICS, over_clients, worst_called
from fedbench.runs.paired import Advantage, Verdict, advantage, columns

if TYPE_CHECKING:
    import pandas as pd

    from fedbench.data import FederatedDataset
    from fedbench.runs.predictions import Predictions

FEW_TESTS = 30  # rows of a client below which it is said how few they are


@dataclass(frozen=True, eq=False)
class Gains:
    """What each client gets in the federation, against what it gets alone, on its own test rows.

    All arrays are over clients with test rows, NaN where a client has none: `federated` and `alone`
    are its metric, `advantage` the paired difference with its 95 % interval, positive where the
    federation is better, and `overall` the same over all test rows together.
    """

    metric: str
    names: tuple[str, ...]
    federated: NDArray[np.float64]
    alone: NDArray[np.float64]
    advantage: Advantage
    overall: Advantage

    @property
    def verdicts(self) -> list[Verdict]:
        """Return "gains", "loses" or "cannot tell" for each client, by its interval."""
        return self.advantage.verdicts

    def frame(self) -> pd.DataFrame:
        """Return one row a client with test rows.

        Columns: federated, alone, gain, low and high (95 % interval of the gain), test_rows,
        verdict.
        """
        import pandas as pd

        found = self.advantage
        frame = pd.DataFrame(
            {
                "federated": self.federated,
                "alone": self.alone,
                "gain": found.value,
                "low": found.low,
                "high": found.high,
                "test_rows": found.rows,
                "verdict": self.verdicts,
            },
            index=pd.Index(self.names, name="client"),
        )
        return frame.loc[np.isfinite(found.value)]

    def __str__(self) -> str:
        """Say it in a sentence."""
        known = np.isfinite(self.advantage.value)
        count = int(known.sum())
        if not count:
            return "Clients have no test rows of their own, so they cannot be compared."
        verdicts = [v for v, one in zip(self.verdicts, known.tolist(), strict=True) if one]
        gains, loses, open_ = (verdicts.count(v) for v in ("gains", "loses", "cannot tell"))
        clients = f"{count} client{'' if count == 1 else 's'}"
        whole = clients if count == len(known) else f"{clients} with test rows"
        text = f"Of {whole}, {gains or 'none'} gain{'s' if gains == 1 else ''} by the federation, "
        text += f"{loses or 'none'} lose{'s' if loses == 1 else ''}"
        if open_:
            text += f", and for {open_} the test rows cannot tell"
        metric = METRICS[self.metric]
        worst, bare = (
            metric.text(over_clients(each.astype(np.float32), metric.rises)[-1], 3)
            for each in (self.federated, self.alone)
        )
        who = worst_called(self.federated[known])
        text += f"; {who} is at {worst}, alone {who} would be at {bare}"
        text += "" if metric.rises else f" ({self.metric.upper()}, lower is better)"
        fewest = int(self.advantage.rows[known].min())
        if fewest < FEW_TESTS:
            text += f"; the smallest test set has {fewest} row{'' if fewest == 1 else 's'}"
        return f"{text}."

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{self.verdicts.count(verdict)} {verdict}"
            for verdict in ("gains", "loses", "cannot tell")
        )
        return f"<Gains in {self.metric}: {counts}>"


def who_gains(federated: Predictions, alone: Predictions, metric: str | None = None) -> Gains:
    """Return what each client gains by one set of predictions against another, on its test rows.

    `federated` is `session.predictions()` of a run, `alone` the `predictions` of its `baselines`;
    both by the models that clients use. `metric` is accuracy, auc, rmse or mae, by default the one
    that is shown first. A client gains or loses where the 95 % interval of the paired difference
    leaves out 0 (see `fedbench.runs.paired`): with no difference that happens to one client in
    twenty. Raises ValueError for predictions on different test rows, and for another metric.
    """
    from fedbench.runs.predictions import Predictions

    expect(federated, Predictions, "federated")
    expect(alone, Predictions, "alone")
    data, other = federated.data, alone.data
    same = np.array_equal(data.y_test, other.y_test)
    if not same or not np.array_equal(data.test_offsets, other.test_offsets):
        raise ValueError("predictions are of different test rows: compare runs of the same data")
    metric = metric or _first(data)
    targets, ours = columns(data, metric, federated.used)
    _, theirs = columns(data, metric, alone.used)
    ways = _scores(metric, targets, ours, data), _scores(metric, targets, theirs, data)
    return Gains(
        metric,
        tuple(data.name(client) for client in range(data.tested)),
        *ways,
        advantage(metric, targets, ours, theirs, data.test_offsets),
        advantage(metric, targets, ours, theirs),
    )


def _first(data: FederatedDataset) -> str:
    if data.card.task == "regression":
        return "rmse"
    return "auc" if data.card.ranked else "accuracy"


def _scores(
    metric: str,
    targets: NDArray[np.generic],
    values: NDArray[np.generic],
    data: FederatedDataset,
) -> NDArray[np.float64]:
    """Return the metric of each client: its lead over predictions of a known score."""
    offsets = data.test_offsets
    if metric == "accuracy":
        return advantage(metric, targets, values, np.full(len(targets), -1), offsets).value
    if metric == "auc":
        return 0.5 + advantage(metric, targets, values, np.zeros(len(targets)), offsets).value
    return -advantage(metric, targets, values, targets, offsets).value
