"""The weighted mean with real values."""

from __future__ import annotations

import numpy as np
import torch

import fedbench as fb


def test_equals_numpys_average() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(6, 3, 2)), rng.random(6)
    found = fb.Mean().combine({"w": torch.from_numpy(values)}, torch.from_numpy(weights).float())
    np.testing.assert_allclose(found["w"], np.average(values, axis=0, weights=weights), rtol=1e-6)


def test_a_given_total_is_the_divisor() -> None:
    payloads = {"w": torch.tensor([[1.0], [2.0], [6.0]])}
    found = fb.Mean().combine(payloads, torch.ones(3), total=4.5)
    assert found["w"].tolist() == [2.0]


def test_an_empty_cohort_is_zero() -> None:
    empty = {"w": torch.zeros((0, 2, 3))}
    for total in (None, 5.0):
        found = fb.Mean().combine(empty, torch.zeros(0), total)
        assert torch.equal(found["w"], torch.zeros((2, 3)))


def test_a_client_of_weight_zero_has_no_say() -> None:
    payloads = {"w": torch.tensor([[1.0], [100.0]])}
    assert fb.Mean().combine(payloads, torch.tensor([2.0, 0.0]))["w"].tolist() == [1.0]
