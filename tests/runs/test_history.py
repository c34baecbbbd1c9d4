"""Histories: what is said about the clients of a round."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fedbench as fb
from fedbench import tree
from fedbench.metrics import RoundRecord

WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=2))
UNITS = {
    "client": WINES.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Poisson(rate=0.5),
        privacy=fb.ClientLevelDP(epsilon=4, delta=1e-2),
    ),
    "example": WINES.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ExampleLevelDP(epsilon=4, delta=1e-2),
    ),
}


def history(experiment: fb.Experiment, **values: float) -> fb.History:
    made = fb.History(experiment)
    row = {
        "round": 1,
        "metrics": {"accuracy": 0.25, "loss": 2.0},
        "clients": np.array([0.5, 1.0], dtype=np.float32),
        "cohort": np.array([1]),
        "train_loss": 1.0,
        "update_norm": 1.0,
        "clipped": math.nan,
        "epsilon": math.nan,
        "bytes_up": 1,
        "bytes_down": 2,
        "seconds": 0.5,
    }
    made.append(RoundRecord(**(row | values)))
    return made


@pytest.mark.parametrize(
    ("unit", "column", "other"),
    [("client", "epsilon", "example_epsilon"), ("example", "example_epsilon", "epsilon")],
)
def test_units_of_privacy_have_columns_of_their_own(unit: str, column: str, other: str) -> None:
    spent = history(UNITS[unit], epsilon=1.5)
    frame = spent.frame()
    assert (spent.unit, list(frame[column])) == (unit, [1.5])
    assert frame[other].isna().all()
    assert repr(spent) == f"<History of Wine: 1 rounds, accuracy 0.25, {unit}-level ε 1.5>"


def test_without_privacy_nothing_is_spent_in_any_unit() -> None:
    free = history(WINES)
    assert free.unit is None
    assert free.frame()[["epsilon", "example_epsilon", "personal"]].isna().all(axis=None)
    assert repr(free) == "<History of Wine: 1 rounds, accuracy 0.25>"


def test_models_of_ones_own_are_a_column_and_the_clients_are_by_them() -> None:
    personal = history(WINES.replace(strategy=fb.FineTuning()), personal=0.75)
    (row,) = personal.frame().to_dict("records")
    assert (row["accuracy"], row["personal"], row["clients_mean"]) == (0.25, 0.75, 0.75)
    assert repr(personal) == "<History of Wine: 1 rounds, accuracy 0.25, personal models 0.75>"


def test_a_run_of_each_kind_fills_its_own_columns() -> None:
    for unit, experiment in UNITS.items():
        frame = fb.run(experiment.replace(rounds=2)).frame()
        spent = frame[["epsilon", "example_epsilon"]].notna().all()
        assert list(spent) == [unit == "client", unit == "example"]
        assert frame["personal"].isna().all()
    frame = fb.run(WINES.replace(strategy=fb.Ditto(), rounds=2)).frame()
    assert frame["personal"].between(0, 1).all()


class Half(fb.Stage):
    """Sends half of each update, and what is left of it with the next one."""

    def init(self, template):
        return tree.zeros_like(template), {}

    def encode(self, payloads, sending):
        whole = tree.add(payloads, sending.clients)
        sent = tree.scale(whole, 0.5)
        return fb.Encoded(sent, tree.sub(whole, sent))


class Wide(fb.MLP):
    """A model of the user's own."""

    hidden: tuple[int, ...] = (6,)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))])
def test_a_copy_of_a_history_is_equal_to_it(copied: Callable[[fb.History], fb.History]) -> None:
    experiment = WINES.replace(
        model=Wide(),
        strategy=fb.Scaffold(),
        channel=(Half(), fb.Clip()),
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1),
        rounds=3,
    )
    session = fb.Session(experiment)
    session.step()
    session.wait()
    session.amend(rounds=2)
    session.resume()
    session.wait()
    history, again = session.history, copied(session.history)
    assert again == history and hash(again) == hash(history)
    assert again.amendments == history.amendments != []
    pd.testing.assert_frame_equal(again.frame(), history.frame(), check_exact=True)
    pd.testing.assert_frame_equal(again.clients(), history.clients(), check_exact=True)
    assert np.isnan(again.rows[0].personal)  # which makes no difference
    last = history.rows[-1]
    for changed in (
        {"loss": math.nextafter(last.metrics["loss"], 9.0)},
        {"loss": math.nan},
    ):
        other = history.copy([*history.rows[:-1], replace(last, metrics=last.metrics | changed)])
        assert other != history
    for field in ("clients", "cohort"):
        edited = replace(last, **{field: getattr(last, field)[::-1].copy()})
        assert history.copy([*history.rows[:-1], edited]) != history
    assert history.copy(history.rows[:-1]) != history
    again.ended = "otherwise"
    assert again != history
