"""Robust rules against values by hand and in their neutral settings."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import minimize

import fedbench as fb

FIVE = {"w": torch.tensor([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0], [4.0, 6.0], [100.0, -50.0]])}
ALIKE = torch.ones(5)


def test_the_median_by_hand() -> None:
    assert fb.CoordinateMedian().combine(FIVE, ALIKE)["w"].tolist() == [3, 7]
    four = {"w": FIVE["w"][:4]}
    assert fb.CoordinateMedian().combine(four, torch.ones(4))["w"].tolist() == [2.5, 7.5]


def test_the_trimmed_mean_by_hand() -> None:
    assert fb.TrimmedMean(trim=0.2).combine(FIVE, ALIKE)["w"].tolist() == [3, 7]
    assert fb.TrimmedMean(trim=0.19).combine(FIVE, ALIKE)["w"].tolist() == [22, -4]
    with pytest.raises(ValidationError, match=r"trim[\s\S]*must be less than 0.5"):
        fb.TrimmedMean(trim=0.5)


def test_trimming_nothing_and_suspecting_nobody_are_the_mean() -> None:
    mean = fb.Mean().combine(FIVE, ALIKE)["w"]
    for rule in (fb.TrimmedMean(trim=0.0), fb.MultiKrum(byzantine=0)):
        torch.testing.assert_close(rule.combine(FIVE, ALIKE)["w"], mean)


def test_krum_takes_the_payload_in_the_thick_of_the_others() -> None:
    # of five with f = 1 the two nearest count: 0 to 3 lie in a line one step apart
    assert fb.Krum(byzantine=1).combine(FIVE, ALIKE)["w"].tolist() in ([2, 8], [3, 7])
    kept = fb.MultiKrum(byzantine=1).combine(FIVE, ALIKE)["w"]
    assert kept.tolist() == [2.5, 7.5]


def test_the_geometric_median_is_the_minimum_of_the_distances() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn((7, 2), generator=generator).double()
    weights = torch.tensor([1.0, 2.0, 1.0, 1.5, 0.5, 1.0, 1.0])

    def distances(centre) -> float:
        return float((weights * (points - torch.from_numpy(centre)).norm(dim=1)).sum())

    found = fb.GeometricMedian(steps=200).combine({"w": points}, weights)["w"]
    best = minimize(distances, points.mean(0).numpy(), method="Nelder-Mead", tol=1e-10)
    assert distances(found.numpy()) <= best.fun * (1 + 1e-6)


@pytest.mark.parametrize("rule", [fb.Krum(byzantine=4), fb.MultiKrum(byzantine=4)])
def test_too_few_clients_are_refused_with_the_numbers(rule) -> None:
    with pytest.raises(
        ValidationError, match=r"f = 4 corrupt clients Krum needs at least 11 .* 10"
    ):
        fb.Experiment(partition=fb.IID(clients=10), aggregator=rule)
    with pytest.raises(ValueError, match=r"aggregator\.byzantine: .* needs at least 11"):
        rule.combine(FIVE, ALIKE)


def test_robust_rules_and_privacy_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match=r"aggregator\.kind[\s\S]*choose Mean"):
        fb.Experiment(
            strategy=fb.FedAvg(weighting="uniform"),
            privacy=fb.ClientLevelDP(),
            aggregator=fb.CoordinateMedian(),
        )


def test_a_run_learns_by_every_rule(train) -> None:
    for rule in (
        fb.CoordinateMedian(),
        fb.TrimmedMean(),
        fb.GeometricMedian(),
        fb.Krum(),
        fb.MultiKrum(),
    ):
        experiment = fb.Experiment(
            data=fb.Wine(), partition=fb.IID(clients=8), aggregator=rule, strategy=fb.FedAvg()
        )
        _, rows = train(experiment, 15)
        assert rows[-1].metrics["accuracy"] > 0.9
