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
        assert torch.equal(found.payloads[name], leaf)


@pytest.mark.parametrize(("chunk", "sizes"), [(None, [6]), (4, [4, 2]), (1, [1] * 6)])
def test_chunks_hold_clients_of_like_size(
    chunk: int | None, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = task(fb.Linear())
    seen: list[list[int]] = []
    original = stacked._train

    def spy(*arguments):
        seen.append(arguments[-2].tolist())
        return original(*arguments)

    monkeypatch.setattr(stacked, "_train", spy)
    params = work.model.initial(work.data.card, 0)
    fb.StackedEngine(chunk=chunk).train(work, params, {}, {}, np.arange(6), INFO)
    assert [len(ids) for ids in seen] == sizes
    flat = [client for ids in seen for client in ids]
    assert (np.diff(work.data.sizes[flat]) >= 0).all()


def test_large_models_are_trained_in_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    work = task(fb.Linear())
    params = work.model.initial(work.data.card, 0)
    counts = []
    original = stacked._train
    monkeypatch.setattr(stacked, "_train", lambda *a: counts.append(len(a[-2])) or original(*a))
    monkeypatch.setattr(stacked, "CACHE", 4 * 650 * 5)  # room for five softmax regressions
    fb.StackedEngine().train(work, params, {}, {}, np.arange(6), INFO)
    assert counts == [5, 1]
