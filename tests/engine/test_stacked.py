"""Which clients are trained together, and what goes to the loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import fedbench as fb
from fedbench.data import Card
from fedbench.engine import Task, stacked
from fedbench.models import Model
from fedbench.strategies import RoundInfo


class Convolution(Model):
    """A model that is not made of dense layers alone."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(
            nn.Unflatten(1, (1, 8)),
            nn.Conv2d(1, 2, 3),
            nn.Flatten(),
            nn.Linear(72, card.outputs),
        )


def task(model: Model, clients: int = 6) -> Task:
    experiment = fb.Experiment(
        data=fb.Digits(test_fraction=0.9), partition=fb.Dirichlet(clients=clients)
    )
    return Task(experiment.federation(), model, fb.LocalTraining(), fb.FedAvg(), seed=0)


INFO = RoundInfo(1, 0.1, 6, 6.0)


def test_a_convolution_goes_to_the_loop() -> None:
    work = task(Convolution())
    params = work.model.initial(work.data.card, 0)
    found = fb.StackedEngine().train(work, params, {}, {}, np.arange(6), INFO)
    loop = fb.LoopEngine().train(work, params, {}, {}, np.arange(6), INFO)
    for name, leaf in loop.payloads.items():
        torch.testing.assert_close(found.payloads[name], leaf, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("chunk", "sizes"), [(None, [6]), (4, [4, 2]), (1, [1] * 6)])
def test_chunks_hold_clients_of_like_size(chunk: int | None, sizes: list[int]) -> None:
    work = task(fb.Linear())
    params = work.model.initial(work.data.card, 0)
    chunks = fb.StackedEngine(chunk=chunk).chunks(work, params, np.arange(6))
    assert [len(ids) for ids in chunks] == sizes
    flat = np.concatenate(chunks)
    assert (np.diff(work.data.sizes[flat]) >= 0).all()
    assert sorted(flat.tolist()) == list(range(6))


def test_large_models_are_trained_in_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    work = task(fb.Linear(), clients=16)
    params = work.model.initial(work.data.card, 0)
    monkeypatch.setattr(stacked, "CACHE", 4 * 650 * 6)  # room for six softmax regressions
    chunks = fb.StackedEngine().chunks(work, params, np.arange(16))
    assert [len(ids) for ids in chunks] == [6, 5, 5]
    # Worth several processes: an even number of chunks, four at least.
    monkeypatch.setattr(stacked, "LARGE", 4 * 650)
    chunks = fb.StackedEngine().chunks(work, params, np.arange(16))
    assert [len(ids) for ids in chunks] == [4, 4, 4, 4]
    assert len(fb.StackedEngine().chunks(work, params, np.arange(3))) == 3
