"""The columns of a history, each declared once, at the field of a round that it is made of.

To add one, add a field to `RoundRecord` with its `Column`, and set it where it is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fedbench.metrics.column import Column
from fedbench.metrics.summary import over_clients, same

# The scores of a model on held-out rows. A run has those of its task, in this order.
METRICS = {
    column.name: column
    for column in (
        Column(
            name="auc",
            title="AUC",
            help="How often a held-out row of the second class gets a higher score than one of "
            "the first: 0.5 is guessing, 1 is always.",
            formula="P[score of a positive > score of a negative]",
            better="higher",
            share=True,
        ),
        Column(
            name="accuracy",
            title="accuracy",
            help="Share of the held-out rows that the global model classifies correctly: higher "
            "is better.",
            formula="1/n Σ [ŷ_i = y_i]",
            better="higher",
            format="percent",
            share=True,
        ),
        Column(
            name="rmse",
            title="RMSE",
            help="Typical error of the global model on the held-out rows: lower is better.",
            formula="√(1/n Σ (ŷ_i − y_i)²)",
            unit="that of the target",
            better="lower",
        ),
        Column(
            name="mae",
            title="MAE",
            help="Mean absolute error of the global model on the held-out rows: lower is better.",
            formula="1/n Σ |ŷ_i − y_i|",
            unit="that of the target",
            better="lower",
        ),
        Column(
            name="r2",
            title="R²",
            help="Share of the target's variance that the global model explains: 1 is all of it.",
            formula="1 − Σ (ŷ_i − y_i)² / Σ (y_i − ȳ)²",
            better="higher",
        ),
        Column(
            name="loss",
            title="loss",
            help="The loss that training minimises: the mean over held-out rows.",
            better="lower",
        ),
    )
}
# The metric that charts show first comes first. Where one of two classes is rare ("ranked"),
# calling every row the other one is accurate and worth nothing.
MEASURED: dict[Literal["classification", "ranked", "regression"], tuple[str, ...]] = {
    "classification": ("accuracy", "loss"),
    "ranked": ("auc", "accuracy", "loss"),
    "regression": ("rmse", "mae", "r2", "loss"),
}


def _spent(protects: str, name: str, title: str, whom: str) -> Column:
    return Column(
        name=name,
        title=title,
        help=f"Privacy spent up to this round, where it protects {whom}: including one of them "
        "changes the odds of any outcome by at most a factor e^ε, apart from probability δ.",
        formula="P[A(D) ∈ S] ≤ e^ε P[A(D′) ∈ S] + δ",
        better="lower",
        format="epsilon",
        protects=protects,
    )


# Units of privacy are never mixed: each has a column of its own.
SPENT = {
    column.protects: column
    for column in (
        _spent("client", "epsilon", "client-level ε", "whole clients"),
        _spent("example", "example_epsilon", "example-level ε", "single examples"),
        _spent("local", "local_epsilon", "local ε", "updates from the server too"),
    )
}
OVER_CLIENTS = (
    Column(
        name="clients_mean",
        title="mean of the clients",
        help="First metric: mean over the clients that have test rows.",
    ),
    Column(
        name="clients_p10",
        title="10th percentile",
        help="First metric: 10th percentile over the clients that have test rows.",
    ),
    Column(
        name="clients_p90",
        title="90th percentile",
        help="First metric: 90th percentile over the clients that have test rows.",
    ),
    Column(
        name="worst_tenth",
        title="worst tenth",
        help="First metric: mean over the worst tenth of the clients that have test rows, at "
        "least one.",
    ),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundRecord:
    """One round: a row of the history. Each field declares the columns that are made of it.

    `metrics` are over the whole test set. `clients` is the first metric on each client's own test
    rows, by the model that the client uses, float32[tested], NaN where a client has none. `cohort`
    holds the ids of the clients whose answers counted. NaN stands where something does not apply.
    `profile` splits the seconds by phase.
    """

    round: Annotated[
        int, Column(title="round", help="Number of the round, from 1.", format="count")
    ]
    metrics: Annotated[dict[str, float], tuple(METRICS.values())]
    personal: Annotated[
        float,
        Column(
            title="personal models",
            help="First metric over all test rows, each by the model of its own client; missing "
            "where all clients use the global model.",
        ),
    ] = math.nan
    released: Annotated[
        float,
        Column(
            title="released accuracy",
            help="Accuracy of the cohort as measured under privacy; missing where it is exact.",
            better="higher",
            format="percent",
            share=True,
        ),
    ] = math.nan
    train_loss: Annotated[
        float,
        Column(
            title="training loss",
            help="Mean loss of the cohort during local training; missing if no client answered.",
            better="lower",
        ),
    ]
    epsilon: Annotated[float, tuple(SPENT.values())]
    bytes_up: Annotated[
        int,
        Column(
            title="sent up",
            help="Bytes that all clients have sent to the server.",
            formula="4·d·K, d numbers of an update, K clients of a cohort, without compression",
            unit="bytes",
            better="lower",
            format="bytes",
            total=True,
        ),
    ]
    bytes_down: Annotated[
        int,
        Column(
            title="sent down",
            help="Bytes that the server sent to the clients that it asked.",
            unit="bytes",
            better="lower",
            format="bytes",
            total=True,
            listed=False,
        ),
    ]
    seconds: Annotated[
        float,
        Column(
            title="took",
            help="Seconds that it took to compute on this machine.",
            unit="s",
            better="lower",
            format="seconds",
            total=True,
        ),
    ]
    simulated_seconds: Annotated[
        float,
        Column(
            title="simulated",
            help="Seconds on the clock of the simulated devices: training, transfers and "
            "waiting; missing without devices.",
            formula="max_i (down_i / downlink_i + examples_i / speed_i + up_i / uplink_i)",
            unit="s",
            better="lower",
            format="seconds",
            total=True,
        ),
    ] = math.nan
    asked: Annotated[
        int,
        Column(
            title="clients asked",
            help="Clients that were sampled and could be reached.",
            format="count",
        ),
    ] = 0
    cohort: Annotated[
        NDArray[np.int64],
        Column(
            title="cohort",
            help="Clients whose answers counted: those asked, less those that dropped out or "
            "missed the deadline.",
            format="count",
        ),
    ]
    grad_steps: Annotated[
        float,
        Column(
            title="local steps",
            help="Local optimiser steps of the clients whose answers counted, those of personal "
            "models included; missing in runs saved before they were counted.",
            formula="Σ_k ⌈n_k / B⌉ · E",
            format="count",
            total=True,
        ),
    ] = math.nan
    update_norm: Annotated[
        float,
        Column(
            title="update norm",
            help="Norm of a client's update before clipping: the median over the cohort.",
            formula="‖Δ‖ = √(Σ Δ_j²)",
        ),
    ]
    clip: Annotated[
        float,
        Column(
            title="clipping norm",
            help="Norm to which updates were clipped; missing where none are.",
        ),
    ] = math.nan
    clipped: Annotated[
        float,
        Column(
            title="clipped",
            help="Share of the cohort whose updates were clipped; missing where none are.",
            format="percent",
            share=True,
        ),
    ]
    clients: Annotated[NDArray[np.float32], OVER_CLIENTS]
    profile: Mapping[str, float] = field(default_factory=dict)

    def numbers(self, unit: str | None) -> dict[str, float]:
        """Return the number in each column, in their order; `unit` is what the run's ε protects."""
        made: dict[str, float] = {**self.metrics, **self.over_clients()}
        made |= {
            column.name: self.epsilon if protects == unit else math.nan
            for protects, column in SPENT.items()
        }
        made["cohort"] = len(self.cohort)
        return {
            name: made[name] if name in made else getattr(self, name)
            for name in columns(self.metrics)
        }

    def over_clients(self) -> dict[str, float]:
        """Return the columns that summarise the first metric over the clients."""
        values = over_clients(self.clients, METRICS[next(iter(self.metrics))].rises)
        return {each.name: value for each, value in zip(OVER_CLIENTS, values, strict=True)}

    def __eq__(self, other: object) -> bool:
        """Return whether two rounds gave the same, NaN as NaN, however long they took."""
        if not isinstance(other, RoundRecord):
            return False
        one, two = ({**vars(row), "seconds": 0.0, "profile": {}} for row in (self, other))
        return same(one, two)

    def __hash__(self) -> int:
        return hash((self.round, self.bytes_up))

    def __repr__(self) -> str:
        words = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"<Round {self.round}: {words}, {len(self.cohort)} clients>"


def _declared() -> dict[str, tuple[Column, ...]]:
    """Return the columns that each field of a record declares."""
    found: dict[str, tuple[Column, ...]] = {}
    for name, hint in get_type_hints(RoundRecord, include_extras=True).items():
        for given in getattr(hint, "__metadata__", ()):
            some = given if isinstance(given, tuple) else (given,)
            found[name] = tuple(replace(each, name=each.name or name) for each in some)
    return found


COLUMNS = {column.name: column for some in _declared().values() for column in some}
RoundRecord.__doc__ = f"{RoundRecord.__doc__}\n    Columns of a history:\n" + "\n".join(
    f"        {name}: {column.help}" for name, column in COLUMNS.items()
)
# The fields that are one number: what a checkpoint writes of a round beside its arrays.
NUMBERS = {
    name: COLUMNS[name]
    for name, kind in get_type_hints(RoundRecord).items()
    if kind in (int, float)
}
TOTALS = {name: column for name, column in COLUMNS.items() if column.total}


def columns(metrics: Iterable[str]) -> dict[str, Column]:
    """Return the columns of a run that is measured by these metrics, in their order."""
    used = set(metrics)
    return {name: column for name, column in COLUMNS.items() if name not in METRICS or name in used}


def totals(rows: Sequence[RoundRecord]) -> dict[str, float]:
    """Return what adds up over rounds; NaN where a round has no such number."""
    return {name: sum(getattr(row, name) for row in rows) for name in TOTALS}
