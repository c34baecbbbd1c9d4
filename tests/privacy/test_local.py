"""Local privacy: what each client adds to its own update, and what it pays for that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from pydantic import ValidationError
from scipy import stats

import fedbench as fb
from fedbench import tree
from fedbench.engine.pool import pool
from fedbench.privacy import LocalDP, accounting
from fedbench.privacy.events import EVENTS
from fedbench.runs.rounds import Rounds
from tests.channels import encoded
from tests.cohorts import arrivals_of

MECHANISMS = [fb.LocalGaussian, fb.LocalLaplace]


def nothing(clients: int) -> dict[str, torch.Tensor]:
    return {"weight": torch.zeros(clients, 40, 50), "bias": torch.zeros(clients, 500)}


def rows(values: Any) -> np.ndarray:
    return torch.cat([leaf.flatten(1) for leaf in values.values()], dim=1).double().numpy()


@pytest.mark.parametrize("kind", MECHANISMS)
def test_each_client_adds_noise_of_scale_two_z_c_once(kind: type[LocalDP]) -> None:
    privacy = kind(noise_multiplier=1.5, clip=0.4, noise_seed=3)
    drawn = rows(encoded(privacy, nothing(8)).payloads) / (2 * 1.5 * 0.4)
    shape = "norm" if kind is fb.LocalGaussian else "laplace"
    for own in drawn:
        assert stats.kstest(own, shape).pvalue > 1e-6


@pytest.mark.parametrize("kind", MECHANISMS)
def test_no_two_clients_rounds_or_runs_share_noise(kind: type[LocalDP]) -> None:
    fixed = kind(noise_multiplier=1.0, noise_seed=3)
    hidden = kind(noise_multiplier=1.0)
    draws = [rows(encoded(fixed, nothing(3), n).payloads) for n in (1, 2)]
    draws += [rows(encoded(hidden, nothing(3)).payloads) for _ in range(2)]
    every = np.concatenate(draws)
    correlation = np.corrcoef(every) - np.eye(len(every))
    assert np.abs(correlation).max() < 5.5 / math.sqrt(every.shape[1])
    # a client's noise is its own, whoever else is in the chunk
    alone = rows(encoded(fixed, nothing(1), 2, np.array([1])).payloads)
    assert np.array_equal(alone[0], draws[1][1])


@given(
    a=st.lists(st.floats(-100, 100), min_size=4, max_size=4),
    b=st.lists(st.floats(-100, 100), min_size=4, max_size=4),
)
@pytest.mark.parametrize(("kind", "order"), [(fb.LocalGaussian, 2), (fb.LocalLaplace, 1)])
def test_no_two_updates_are_further_apart_than_two_c(
    kind: type[LocalDP], order: int, a: list[float], b: list[float]
) -> None:
    privacy = kind(noise_multiplier=1.0, clip=0.7, noise_seed=1)
    sent = {"w": torch.tensor([a, b], dtype=torch.float64)}
    noise = rows(encoded(privacy, {"w": torch.zeros_like(sent["w"])}).payloads)
    clipped = rows(encoded(privacy, sent).payloads) - noise
    assert np.linalg.norm(clipped, ord=order, axis=1).max() <= 0.7 + 1e-9
    assert np.linalg.norm(clipped[0] - clipped[1], ord=order) <= 2 * 0.7 + 1e-9


def test_norms_are_those_that_the_noise_goes_by() -> None:
    sent = {"w": torch.tensor([[3.0, -4.0], [0.1, 0.0]])}
    gaussian = encoded(fb.LocalGaussian(noise_multiplier=1.0, clip=1.0), sent)
    laplace = encoded(fb.LocalLaplace(noise_multiplier=1.0, clip=1.0), sent)
    assert gaussian.norms is not None and gaussian.norms.tolist() == pytest.approx([5.0, 0.1])
    assert laplace.norms is not None and laplace.norms.tolist() == pytest.approx([7.0, 0.1])
    assert laplace.clipped is not None and laplace.clipped.tolist() == [True, False]


@pytest.mark.parametrize("kind", MECHANISMS)
def test_each_client_pays_for_the_rounds_that_it_is_in(
    private: fb.Experiment, train, kind: type[LocalDP]
) -> None:
    privacy = kind(noise_multiplier=3.0, delta=1e-3, noise_seed=1)
    experiment = private.replace(privacy=privacy, sampling=fb.Poisson(rate=0.5))
    progress, seen = train(experiment, 5)
    drawn = np.bincount(np.concatenate([row.cohort for row in seen]), minlength=6)
    assert 1 < drawn.max() < 5  # sampling buys nothing, but who was not there does not pay
    event = EVENTS[kind.kind_of_noise](1.0, 3.0)
    assert seen[-1].epsilon == accounting.composed([(event, int(drawn.max()))], 1e-3)
    assert {client: own.steps for client, own in progress.ledger.own.items()} == {
        client: count for client, count in enumerate(drawn.tolist()) if count
    }


@pytest.mark.parametrize("kind", MECHANISMS)
def test_a_budget_is_solved_and_never_passed(private: fb.Experiment, kind: type[LocalDP]) -> None:
    privacy = kind(epsilon=5.0, delta=1e-4, noise_seed=1)
    experiment = private.replace(privacy=privacy, sampling=fb.Everyone(), rounds=4)
    bound = experiment.bound_privacy()
    event = bound.event(1.0)
    assert accounting.composed([(event, 4)], 1e-4) == pytest.approx(5.0, rel=1e-3)
    with pytest.warns(UserWarning):
        history = fb.run(experiment, progress=False)
    frame = history.frame()
    assert frame["local_epsilon"].iloc[-1] <= 5.0
    assert frame["epsilon"].isna().all() and frame["example_epsilon"].isna().all()
    session = fb.Session(experiment)
    session.step()
    session.wait()
    session.amend(rounds=40)
    session.resume()
    session.wait()
    assert len(session.history) == 4
    assert "past 5" in session.history.ended and "local ε" in session.history.ended


def test_the_exact_calibration_beats_the_classical_one() -> None:
    found = accounting.noise_multiplier(1.0, 1, 0.5, 1e-5)
    assert found < math.sqrt(2 * math.log(1.25 / 1e-5)) / 0.5
    # above ε = 1 the classical one is not even private
    assert accounting.epsilon(1.0, math.sqrt(2 * math.log(1.25 / 1e-5)) / 20, 1, 1e-5) > 20


def test_a_robust_rule_may_follow_and_data_size_weights_may_not(private: fb.Experiment) -> None:
    local = private.replace(privacy=fb.LocalGaussian(noise_multiplier=0.5, noise_seed=1))
    with pytest.warns(UserWarning):
        robust = fb.run(local.replace(aggregator=fb.CoordinateMedian()), progress=False)
    assert len(robust) == 4
    with pytest.raises(ValidationError, match="local ε needs weights that reveal nothing"):
        local.replace(strategy=fb.FedAvg(weighting="samples"))
    with pytest.raises(ValidationError, match=r"strategy\.kind"):
        local.replace(strategy=fb.FedNova(weighting="uniform"))


class TenTimes(fb.FedAvg):
    """Weights of its own, which say how many samples a client has."""

    def weights(self, samples):
        return samples * 10


@pytest.mark.parametrize("aggregator", [fb.Mean(), fb.GeometricMedian()], ids=["sum", "rule"])
@pytest.mark.parametrize("engine", [fb.LoopEngine(), fb.StackedEngine(workers=0)])
@pytest.mark.parametrize("kind", MECHANISMS)
def test_weights_of_a_strategy_do_not_shrink_the_model(
    private: fb.Experiment, train, kind: type[LocalDP], engine: Any, aggregator: Any
) -> None:
    # the plain sum of updates was divided by the weights: ten times the number of examples
    experiment = private.replace(
        privacy=kind(noise_multiplier=0.01, noise_seed=1), engine=engine, aggregator=aggregator
    )
    assert experiment.strategy == fb.FedAvg(weighting="uniform")
    plain, _ = train(experiment, 2)
    weighted, _ = train(experiment.replace(strategy=TenTimes(weighting="uniform")), 2)
    for name, leaf in plain.params.items():
        assert torch.equal(leaf, weighted.params[name])


@pytest.mark.parametrize("kind", MECHANISMS)
def test_one_seed_gives_one_history_with_workers_or_without(
    private: fb.Experiment, train, kind: type[LocalDP]
) -> None:
    experiment = private.replace(privacy=kind(noise_multiplier=0.1, noise_seed=1))
    plain, _ = train(experiment.replace(engine=fb.StackedEngine(workers=0)), 2)
    workers, _ = train(experiment.replace(engine=fb.StackedEngine(workers=2)), 2)
    loop, _ = train(experiment.replace(engine=fb.LoopEngine()), 2)
    for name, leaf in plain.params.items():
        assert torch.equal(leaf, workers.params[name])
        torch.testing.assert_close(leaf, loop.params[name], rtol=0, atol=1e-5)
    assert tree.size(plain.params) > 0


def test_no_noise_is_used_twice_by_workers_rounds_or_a_run_that_goes_on(
    private: fb.Experiment,
) -> None:
    """By correlation over what clients really send, with noise from the system."""
    hidden = private.replace(
        privacy=fb.LocalGaussian(noise_multiplier=1e4, clip=1e-4, delta=1e-3),
        aggregator=fb.CoordinateMedian(),  # which needs each client's payload by itself
        model=fb.MLP(hidden=(40,)),
        engine=fb.StackedEngine(workers=2, chunk=1),
    )
    sent = []
    for _ in range(2):  # a run, and another that begins with the same state
        rounds = Rounds(hidden)
        progress = rounds.begin()
        pool(2).wait()
        for number in (1, 2):
            for arrival in arrivals_of(rounds, progress, np.arange(6), number):
                sent.append(rows(arrival.message.payload).copy())
    every = np.concatenate(sent)
    assert len(every) == 2 * 2 * 6
    correlation = np.corrcoef(every) - np.eye(len(every))
    assert np.abs(correlation).max() < 5.5 / math.sqrt(every.shape[1])
