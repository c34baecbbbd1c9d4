"""One dense layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

import fedbench as fb


def test_it_starts_from_zero() -> None:
    params = fb.Linear().initial(fb.Wine().load().card, 3)
    assert [tuple(leaf.shape) for leaf in params.values()] == [(3, 13), (3,)]
    assert not any(leaf.any() for leaf in params.values())


@pytest.mark.slow
def test_many_rounds_reach_the_least_squares_solution(train) -> None:
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(),
        partition=fb.IID(clients=3),
        training=fb.LocalTraining(steps=1, batch_size=None, lr=0.2),
    )
    progress, _ = train(experiment, 3000)  # two of the features are nearly the same
    data = experiment.federation()
    oracle = LinearRegression().fit(data.x, data.y)
    found = data.x_test @ progress.params["1.weight"].numpy().T + progress.params["1.bias"].numpy()
    np.testing.assert_allclose(found[:, 0], oracle.predict(data.x_test), atol=0.02)


def test_images_are_flattened() -> None:
    module = fb.Linear().build(fb.Digits().load().card)
    assert module(torch.zeros((5, 8, 8))).shape == (5, 10)
