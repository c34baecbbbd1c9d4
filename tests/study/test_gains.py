"""Who gains is decided by a client's own test rows, for losses as for gains, in every metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.data import Card, FederatedDataset
from fedbench.runs.predictions import Predictions
from fedbench.study.gains import Gains

torch.set_num_threads(1)

CLIENTS, ROWS = 40, 60


def federation(task: str, rows: int = ROWS, clients: int = CLIENTS) -> FederatedDataset:
    rng, count = np.random.default_rng(5), rows * clients
    classes = () if task == "regression" else ("no", "yes")
    card = Card(
        *("Made", "made", "CC0"),
        "regression" if task == "regression" else "classification",
        (1,),
        ("x",),
        "y",
        classes,
        target_mean=50.0 if task == "regression" else 0.0,
        target_std=4.0 if task == "regression" else 1.0,
        ranked=task == "auc",
    )
    y = rng.integers(0, 2, count) if classes else rng.standard_normal(count).astype(np.float32)
    x = np.zeros((count, 1), dtype=np.float32)
    offsets = np.arange(clients + 1) * rows
    strata, names = np.zeros(count, dtype=np.int64), ("all",)
    return FederatedDataset(card, x, y, offsets, x, y, offsets, strata, names)


def predicted(data: FederatedDataset, skill: float | np.ndarray, seed: int) -> Predictions:
    """Return predictions that are the better the higher the skill of each row."""
    rng, count = np.random.default_rng(seed), len(data.y_test)
    if data.card.task == "regression":
        target = data.y_test.astype(float) * 4 + 50
        return Predictions(data, (target + rng.standard_normal(count) / skill)[:, None])
    score = 1 / (1 + np.exp(-skill * (data.y_test - 0.5) - rng.standard_normal(count)))
    return Predictions(data, np.stack([1 - score, score], axis=1))


@pytest.mark.parametrize("task", ["accuracy", "auc", "regression"])
def test_without_a_difference_hardly_anybody_gains_or_loses(task: str) -> None:
    data = federation(task, clients=500)
    found = fb.who_gains(predicted(data, 1.0, 1), predicted(data, 1.0, 2))
    assert len(found.verdicts) - found.verdicts.count("cannot tell") <= 0.08 * 500
    assert found.metric == {"regression": "rmse"}.get(task, task)


@pytest.mark.parametrize("task", ["accuracy", "auc", "regression"])
def test_gains_and_losses_are_found_alike(task: str) -> None:
    data = federation(task)
    skill = np.repeat(np.where(np.arange(CLIENTS) % 2, 6.0, 0.5), ROWS)
    found = fb.who_gains(predicted(data, skill, 1), predicted(data, skill[::-1].copy(), 2))
    expected = ["gains" if k % 2 else "loses" for k in range(CLIENTS)]
    assert np.mean([a == b for a, b in zip(found.verdicts, expected, strict=True)]) > 0.95
    frame = found.frame()
    rises = task != "regression"
    lead = (frame["federated"] - frame["alone"]) * (1 if rises else -1)
    np.testing.assert_allclose(frame["gain"], lead, atol=1e-12)
    assert frame["test_rows"].tolist() == [ROWS] * CLIENTS
    assert (found.overall.low < found.overall.high).all()
    assert len(found.overall.value) == 1


def test_the_same_again_is_the_same_to_the_bit() -> None:
    data = federation("auc")
    one, two = (fb.who_gains(predicted(data, 2.0, 1), predicted(data, 1.0, 2)) for _ in range(2))
    assert one.frame().equals(two.frame())


def of(ours: list[int], alone: list[int], rows: int) -> Gains:
    """Return the gains of clients of so many rows each, by how many are right."""
    data = federation("accuracy", rows, len(ours))

    def right(counts: list[int]) -> Predictions:
        mask = np.concatenate([np.arange(rows) < count for count in counts])
        second = np.where(mask, data.y_test, 1 - data.y_test).astype(float)
        return Predictions(data, np.stack([1 - second, second], axis=1))

    return fb.who_gains(right(ours), right(alone))


def test_one_patient_of_twenty_is_neither_a_gain_nor_a_loss() -> None:
    found = of([15, 14, 14, 20], [14, 15, 14, 14], 20)
    assert found.verdicts == ["cannot tell", "cannot tell", "cannot tell", "gains"]
    assert str(found) == (
        "Of 4 clients, 1 gains by the federation, none lose, and for 3 the test rows cannot tell; "
        "the worst is at 70.0%, alone the worst would be at 70.0%; "
        "the smallest test set has 20 rows."
    )
    np.testing.assert_allclose(found.advantage.value, [0.05, -0.05, 0.0, 0.3])


def test_six_rows_one_way_are_a_loss_too() -> None:
    found = of([40, 45], [46, 50], 60)
    assert found.verdicts == ["loses", "cannot tell"]
    assert repr(found) == "<Gains in accuracy: 0 gains, 1 loses, 1 cannot tell>"


def test_clients_without_test_rows_are_left_out() -> None:
    data = federation("accuracy", 30, 3)
    offsets = np.array([0, 45, 45, 90])
    data = replace(data, test_offsets=offsets)
    found = fb.who_gains(predicted(data, 6.0, 1), predicted(data, 0.2, 2))
    assert str(found).startswith(
        "Of 2 clients with test rows, 2 gain by the federation, none lose;"
    )
    assert list(found.frame().index) == ["client 0", "client 2"]
    nobody = replace(
        data, x_test=data.x_test[:0], y_test=data.y_test[:0], test_offsets=np.zeros(4, dtype=int)
    )
    none = Predictions(nobody, np.zeros((0, 2)))
    assert str(fb.who_gains(none, none)).startswith("Clients have no test rows")


def test_other_rows_and_metrics_are_refused() -> None:
    data = federation("accuracy")
    other = federation("accuracy", 61)
    with pytest.raises(ValueError, match="different test rows"):
        fb.who_gains(predicted(data, 1.0, 1), predicted(other, 1.0, 1))
    with pytest.raises(ValueError, match="metric = 'loss': choose accuracy, auc, rmse or mae"):
        fb.who_gains(predicted(data, 1.0, 1), predicted(data, 1.0, 1), "loss")


def test_a_run_and_its_clients_alone() -> None:
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(),
        partition=fb.IID(clients=8),
        training=fb.LocalTraining(lr=0.05),
        rounds=12,
    )
    session = fb.Session(experiment)
    session.start()
    assert session.wait(60) == "done"
    levels = fb.baselines(experiment)
    assert levels is not None and levels.predictions is not None
    found = fb.who_gains(session.predictions(), levels.predictions)
    np.testing.assert_allclose(found.federated, session.history.rows[-1].clients, rtol=1e-5)
    np.testing.assert_allclose(found.alone, levels.clients, rtol=1e-5)
    assert "(RMSE, lower is better)" in str(found)
    errors = fb.who_gains(session.predictions(), levels.predictions, "mae").federated
    assert (errors < found.federated).all()


def test_pooled_below_alone_is_commented_on() -> None:
    clients = np.array([0.5], dtype=np.float32)
    assert not fb.Baselines("accuracy", 0.9, 0.8, clients).comment
    assert fb.Baselines("accuracy", 0.8, 0.9, clients).comment.startswith("Alone beats pooled")
    assert not fb.Baselines("rmse", 0.8, 0.9, clients).comment
    assert fb.Baselines("rmse", 0.9, 0.8, clients).comment
