"""Losses and scores against torch's and scikit-learn's own."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn import metrics
from torch.nn import functional

import fedbench as fb
from fedbench.config.problems import problems
from fedbench.data import Card
from fedbench.metrics import MEASURED, METRICS
from fedbench.models import scores

CLASSES = Card("x", "here", "none", "classification", (2,), ("a", "b"), "y", ("p", "q", "r"))
BINARY = replace(CLASSES, classes=("no", "yes"))
REGRESSION = replace(CLASSES, task="regression", classes=(), target_mean=150.0, target_std=77.0)
OFFSETS = np.array([0, 10, 10, 33, 60])


@pytest.fixture
def outputs() -> torch.Tensor:
    return torch.randn((60, 3), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.randint(3, (60,), generator=torch.Generator().manual_seed(1))


def test_the_loss_of_classes_is_cross_entropy(outputs, labels) -> None:
    loss = fb.Linear().loss(outputs, labels)
    oracle = metrics.log_loss(labels, outputs.softmax(1).double(), labels=[0, 1, 2])
    assert float(loss.mean()) == pytest.approx(oracle, rel=1e-6)


def test_the_loss_of_two_classes_is_logistic(outputs, labels) -> None:
    loss = fb.Linear().loss(outputs[:, :1], labels % 2)
    chance = torch.sigmoid(outputs[:, 0]).double()
    assert float(loss.mean()) == pytest.approx(metrics.log_loss(labels % 2, chance), rel=1e-6)


def test_the_loss_of_a_regression_is_the_squared_error(outputs) -> None:
    targets = outputs[:, 1]
    loss = fb.Linear().loss(outputs[:, :1], targets)
    torch.testing.assert_close(loss, (outputs[:, 0] - targets) ** 2)


def test_scores_of_classes(outputs, labels) -> None:
    losses = functional.cross_entropy(outputs, labels, reduction="none")
    found, clients = scores(CLASSES, outputs, labels, losses, OFFSETS)
    predicted = outputs.argmax(1)
    assert list(found) == list(MEASURED["classification"])
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["loss"] == pytest.approx(float(losses.mean()), rel=1e-6)
    for k, (first, last) in enumerate(pairwise(OFFSETS)):
        if first == last:
            assert np.isnan(clients[k])
        else:
            oracle = metrics.accuracy_score(labels[first:last], predicted[first:last])
            assert clients[k] == pytest.approx(oracle, rel=1e-6)
    assert clients.dtype == np.float32


def test_scores_of_two_classes(outputs, labels) -> None:
    losses = torch.ones(60)
    found, _ = scores(BINARY, outputs[:, :1], labels % 2, losses, OFFSETS)
    oracle = metrics.accuracy_score(labels % 2, outputs[:, 0] > 0)
    assert found["accuracy"] == pytest.approx(oracle)


def test_scores_of_a_regression_are_in_the_targets_own_unit(outputs) -> None:
    targets = outputs[:, 1] + 0.5
    losses = (outputs[:, 0] - targets) ** 2
    found, clients = scores(REGRESSION, outputs[:, :1], targets, losses, OFFSETS)
    truth = targets.double().numpy() * 77 + 150
    guess = outputs[:, 0].double().numpy() * 77 + 150
    assert list(found) == list(MEASURED["regression"])
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, guess), rel=1e-6)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, guess), rel=1e-6)
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, guess), rel=1e-6)
    assert found["loss"] == pytest.approx(float(losses.mean()), rel=1e-6)
    oracle = metrics.root_mean_squared_error(truth[10:33], guess[10:33])
    assert clients[2] == pytest.approx(oracle, rel=1e-5)
    assert np.isnan(clients[1])


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
@pytest.mark.parametrize("rows", [1, 7])
def test_r2_of_equal_targets_is_unknown_and_no_warning(value: float, rows: int) -> None:
    card = Card("made", "", "", "regression", (1,), ("x",), "y", target_std=3.0)
    targets = torch.full((rows,), value)
    for outputs in (targets[:, None], targets[:, None] + 1):
        with warnings.catch_warnings(action="error"):
            found, _ = scores(card, outputs, targets, torch.zeros(rows), np.array([0, rows]))
        assert np.isnan(found["r2"])
        assert found["rmse"] == pytest.approx(3.0 * float((outputs[0] - targets[0]).abs()))


@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e20, 1e30])
def test_scores_in_units_beyond_the_squares_of_single_precision(unit: float) -> None:
    rng = torch.Generator().manual_seed(0)
    outputs, targets = torch.randn(50, 1, generator=rng), torch.randn(50, generator=rng)
    offsets, losses = np.array([0, 20, 50]), torch.zeros(50)
    card = Card("made", "", "", "regression", (1,), ("x",), "y")
    plain, clients = scores(card, outputs, targets, losses, offsets)
    found, own = scores(replace(card, target_std=unit), outputs, targets, losses, offsets)
    for name in ("rmse", "mae"):
        assert found[name] / unit == pytest.approx(plain[name])
    assert found["r2"] == pytest.approx(plain["r2"])
    np.testing.assert_allclose(own / np.float32(unit), clients, rtol=1e-5)


def test_perfect_clients_score_exactly(labels) -> None:
    outputs = functional.one_hot(labels, 3).float()
    _, clients = scores(CLASSES, outputs, labels, torch.zeros(60), OFFSETS)
    assert clients[[0, 2, 3]].tolist() == [1, 1, 1]
    truth = torch.linspace(-1, 1, 60)
    _, errors = scores(REGRESSION, truth[:, None], truth, torch.zeros(60), OFFSETS)
    assert errors[[0, 2, 3]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("given", [torch.nn.Linear(4, 2), torch.nn.Linear])
def test_a_bare_torch_module_is_told_how_it_becomes_a_model(given: object) -> None:
    with pytest.raises(ValidationError) as error:
        fb.Experiment.from_dict({"model": given})
    (found,) = problems(error.value)
    assert found.path == "model"
    assert "subclass fedbench.models.Model, return the module from build(self, card)" in str(found)


def test_the_first_metric_is_the_one_shown_first() -> None:
    assert MEASURED["classification"][0] == "accuracy"
    assert MEASURED["regression"][0] == "rmse"
    assert METRICS["accuracy"].rises and not METRICS["rmse"].rises


def test_initial_parameters_follow_the_seed() -> None:
    card = fb.Wine().load().card
    first, other = fb.MLP().initial(card, 0), fb.MLP().initial(card, 1)
    assert not torch.equal(first["1.weight"], other["1.weight"])


def test_errors_too_large_for_float32_are_infinite_and_no_warning() -> None:
    far, truth = torch.full((60, 1), 1e30), torch.linspace(-1, 1, 60)
    metrics_found, errors = scores(REGRESSION, far, truth, torch.zeros(60), OFFSETS)
    assert np.isinf(errors[[0, 2, 3]]).all()
    assert metrics_found["rmse"] == pytest.approx(1e30 * REGRESSION.target_std, rel=1e-5)


def test_where_a_class_is_rare_rows_are_judged_by_how_they_are_ranked() -> None:
    rng = np.random.default_rng(0)
    outputs = torch.from_numpy(rng.normal(size=(300, 1)).round(1))  # with ties
    targets = torch.from_numpy(rng.random(300) < 0.2).long()
    offsets = np.array([0, 120, 120, 290, 300])
    targets[290:] = 0  # a client without a positive row
    losses = fb.Linear().loss(outputs, targets)
    found, clients = scores(replace(BINARY, ranked=True), outputs, targets, losses, offsets)
    assert list(found) == list(MEASURED["ranked"]) == ["auc", "accuracy", "loss"]
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(targets, outputs[:, 0]))
    for k, (first, last) in enumerate(pairwise(offsets)):
        if k in (0, 2):
            own = metrics.roc_auc_score(targets[first:last], outputs[first:last, 0])
            assert clients[k] == pytest.approx(own)
        else:
            assert np.isnan(clients[k])
