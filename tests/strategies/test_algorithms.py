"""Algorithms against hand-computed values, their neutral settings, and what they are for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import fedbench as fb
from fedbench import tree
from fedbench.strategies import RoundInfo, Strategy

WINES = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=6, alpha=0.3),
    model=fb.MLP(hidden=(5,)),
    training=fb.LocalTraining(epochs=2, batch_size=8, lr=0.1),
)
# every client takes three full-batch steps, however much data it has
EVEN = WINES.replace(training=fb.LocalTraining(steps=3, batch_size=None, lr=0.1))
INFO = RoundInfo(round=1, lr=0.1, clients=10, expected_cohort=4.0)


def assert_close(a: tree.Tree, b: tree.Tree, tolerance: float = 1e-6) -> None:
    assert set(a) == set(b)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("strategy", "experiment"),
    [
        (fb.FedProx(mu=0), WINES),
        (fb.FedAvgM(beta=0), WINES),
        (fb.FedNova(), EVEN),
        (fb.FedNova(), EVEN.replace(**{"training.momentum": 0.9})),
    ],
    ids=["FedProx", "FedAvgM", "FedNova", "FedNova with momentum"],
)
def test_neutral_settings_are_federated_averaging(
    strategy: Strategy, experiment: fb.Experiment, train
) -> None:
    ours, _ = train(experiment.replace(strategy=strategy), 3)
    plain, _ = train(experiment, 3)
    assert_close(ours.params, plain.params, 1e-5)


def test_fednova_gives_a_client_with_more_steps_no_more_pull() -> None:
    delta = {"w": torch.tensor([[1.0], [10.0]])}
    payload, _ = fb.FedNova().finish(delta, {}, {}, {}, torch.tensor([1, 10]), INFO)
    mean = fb.Mean().combine(payload, torch.ones(2))
    params, _ = fb.FedNova().update({"w": torch.zeros(1)}, mean, {}, INFO)
    assert params["w"].item() == pytest.approx(5.5)  # 5.5 steps of size one each
    momentum = RoundInfo(1, 0.1, 10, 4.0, momentum=0.5)
    sent, _ = fb.FedNova().finish(delta, {}, {}, {}, torch.tensor([1, 2]), momentum)
    # two steps under momentum amount to 1 + (1 + 0.5)
    assert tree.unpack(sent, "steps")["norm"].tolist() == pytest.approx([1.0, 2.5])


def test_fedprox_pulls_towards_the_global_model() -> None:
    one = {"w": torch.tensor([2.0, -1.0])}
    found = fb.FedProx(mu=0.5).adjust(one, {"w": torch.tensor([3.0, 1.0])}, one, {}, {})
    assert found["w"].tolist() == [2.5, 0.0]


def test_server_momentum_by_hand() -> None:
    strategy, params = fb.FedAvgM(beta=0.5, server_lr=2.0), {"w": torch.zeros(1)}
    server = strategy.init(params)
    for delta, expected in ((1.0, 2.0), (1.0, 5.0), (0.0, 6.5)):
        params, server = strategy.update(params, {"w": torch.tensor([delta])}, server, INFO)
        assert params["w"].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("strategy", "moments"),
    [
        (fb.FedAdagrad(server_lr=0.1, beta1=0.5, tau=0.1), [0.01 + 4, 0.01 + 4 + 1]),
        (fb.FedAdam(server_lr=0.1, beta1=0.5, tau=0.1, beta2=0.9), [0.409, 0.4681]),
        # v - 0.1 · Δ² · sign(v - Δ²): both times Δ² is the larger
        (fb.FedYogi(server_lr=0.1, beta1=0.5, tau=0.1, beta2=0.9), [0.41, 0.51]),
    ],
    ids=["FedAdagrad", "FedAdam", "FedYogi"],
)
def test_adaptive_servers_by_hand(strategy: Strategy, moments: list[float]) -> None:
    params, m, expected = {"w": torch.zeros(1)}, 0.0, 0.0
    server = strategy.init(params)
    for delta, v in zip((2.0, -1.0), moments, strict=True):
        m = 0.5 * m + 0.5 * delta
        expected += 0.1 * m / (v**0.5 + 0.1)
        params, server = strategy.update(params, {"w": torch.tensor([delta])}, server, INFO)
        assert params["w"].item() == pytest.approx(expected, rel=1e-5)


def test_yogi_forgets_by_steps_that_do_not_grow_with_v() -> None:
    one = torch.tensor(1.0)
    assert fb.FedYogi(beta2=0.9).second_moment(100 * one, one).item() == pytest.approx(99.9)
    assert fb.FedAdam(beta2=0.9).second_moment(100 * one, one).item() == pytest.approx(90.1)


def test_controls_add_up_to_the_gradients() -> None:
    strategy = fb.Scaffold()
    params = {"w": torch.zeros(2)}
    server, client = {"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.5, 0.5])}
    found = strategy.adjust({"w": torch.tensor([2.0, 2.0])}, params, params, server, client)
    assert found["w"].tolist() == [2.5, 1.5]
    delta = {"w": torch.tensor([-0.4, 0.8])}
    payload, kept = strategy.finish(delta, params, client, server, torch.tensor(4), INFO)
    # cᵢ - c - Δ/(Kη) with Kη = 0.4
    assert kept["w"].tolist() == pytest.approx([0.5 - 1 + 1, 0.5 - 0 - 2])
    new, control = strategy.update(params, payload, server, INFO)
    assert new["w"].tolist() == pytest.approx([-0.4, 0.8])
    assert control["w"].tolist() == pytest.approx([1 + 0.4 * 0.0, 0 + 0.4 * -2.0])


QUADRATIC = fb.Experiment(
    data=fb.DiabetesProgression(),
    partition=fb.Dirichlet(clients=4, alpha=0.2, min_samples=20),
    training=fb.LocalTraining(steps=20, batch_size=None, lr=0.1, weight_decay=0.05),
    strategy=fb.FedAvg(weighting="uniform"),
)


def optimum() -> np.ndarray:
    """The minimum of the clients' mean loss, ridge regression in closed form, bias last."""
    data = QUADRATIC.federation()
    left, right = np.zeros((11, 11)), np.zeros(11)
    for client in range(4):
        rows = slice(data.offsets[client], data.offsets[client + 1])
        x = np.column_stack([data.x[rows], np.ones(data.sizes[client])]).astype(np.float64)
        left += 2 * x.T @ x / len(x)
        right += 2 * x.T @ data.y[rows] / len(x)
    return np.linalg.solve(left / 4 + 0.05 * np.eye(11), right / 4)


def solution(params: tree.Tree) -> np.ndarray:
    return np.append(params["1.weight"].numpy().ravel(), params["1.bias"].numpy())


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [fb.Scaffold(weighting="uniform"), fb.FedDyn(weighting="uniform", alpha=0.5)],
    ids=["Scaffold", "FedDyn"],
)
def test_averaging_is_biased_on_a_quadratic_and_corrections_are_not(strategy, train) -> None:
    plain, _ = train(QUADRATIC, 400)
    corrected, _ = train(QUADRATIC.replace(strategy=strategy), 400)
    best = optimum()
    assert np.abs(solution(plain.params) - best).max() > 0.02
    assert np.abs(solution(corrected.params) - best).max() < 5e-4


def test_what_a_client_is_sent_and_sends_is_counted(train) -> None:
    _, (plain,) = train(WINES, 1)
    _, (controlled,) = train(WINES.replace(strategy=fb.Scaffold()), 1)
    assert controlled.bytes_up == 2 * plain.bytes_up
    assert controlled.bytes_down == 2 * plain.bytes_down
    _, (counted,) = train(WINES.replace(strategy=fb.FedNova()), 1)
    assert counted.bytes_up == plain.bytes_up + 4 * 6  # one number more from each client


def test_controls_are_gradients_under_momentum_too() -> None:
    # one client, a slope that does not change: cᵢ must become it, whatever the momentum
    slope, lr, rho, steps = 3.0, 0.1, 0.9, 5
    position = velocity = 0.0
    for _ in range(steps):
        velocity = rho * velocity + slope
        position -= lr * velocity
    info = RoundInfo(round=1, lr=lr, clients=1, expected_cohort=1.0, momentum=rho)
    zero, delta = {"w": torch.zeros(1)}, {"w": torch.tensor([position])}
    _, kept = fb.Scaffold().finish(delta, zero, zero, zero, torch.tensor(steps), info)
    assert kept["w"].item() == pytest.approx(slope, rel=1e-6)


def test_a_payload_with_counts_is_not_clipped() -> None:
    private = fb.ClientLevelDP(noise_multiplier=1.0)
    with pytest.raises(ValidationError, match="cannot be clipped together"):
        fb.Experiment(strategy=fb.FedNova(weighting="uniform"), privacy=private)
