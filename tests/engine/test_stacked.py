"""Which clients are trained together, and what goes to the loop."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import fedbench as fb
from fedbench.data import Card
from fedbench.engine import Broadcast, TrainingContext, stacked
from fedbench.models import Model
from fedbench.strategies import RoundInfo

WEIGHTS = torch.linspace(-1, 1, 10)


class Weighted(fb.Linear):
    """A loss whose gradient is the same tensor for every example, and its owner's."""

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return outputs @ WEIGHTS


class Convolution(Model):
    """A model that is not made of dense layers alone."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(
            nn.Unflatten(1, (1, 8)),
            nn.Conv2d(1, 2, 3),
            nn.Flatten(),
            nn.Linear(72, card.outputs),
        )


def context_of(model: Model, clients: int = 6) -> TrainingContext:
    experiment = fb.Experiment(
        data=fb.Digits(test_fraction=0.9), partition=fb.Dirichlet(clients=clients)
    )
    return TrainingContext(experiment.federation(), model, fb.LocalTraining(), fb.FedAvg(), seed=0)


INFO = RoundInfo(1, 0.1, 6, 6.0)


def test_a_convolution_goes_to_the_loop() -> None:
    context = context_of(Convolution())
    params = context.model.initial(context.data.card, 0)
    found = fb.StackedEngine().train(context, Broadcast(INFO, params), np.arange(6), {})
    loop = fb.LoopEngine().train(context, Broadcast(INFO, params), np.arange(6), {})
    for name, leaf in loop.payloads.items():
        torch.testing.assert_close(found.payloads[name], leaf, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("chunk", "sizes"), [(None, [6]), (4, [4, 2]), (1, [1] * 6)])
def test_chunks_hold_clients_of_like_size(chunk: int | None, sizes: list[int]) -> None:
    context = context_of(fb.Linear())
    params = context.model.initial(context.data.card, 0)
    chunks = fb.StackedEngine(chunk=chunk).chunks(context, params, np.arange(6))
    assert [len(ids) for ids in chunks] == sizes
    flat = np.concatenate(chunks)
    assert (np.diff(context.data.sizes[flat]) >= 0).all()
    assert sorted(flat.tolist()) == list(range(6))


def test_large_models_are_trained_in_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of(fb.Linear(), clients=16)
    params = context.model.initial(context.data.card, 0)
    monkeypatch.setattr(stacked, "CACHE", 4 * 650 * 6)  # room for six softmax regressions
    chunks = fb.StackedEngine().chunks(context, params, np.arange(16))
    assert [len(ids) for ids in chunks] == [6, 5, 5]
    # Worth several processes: an even number of chunks, four at least.
    monkeypatch.setattr(stacked, "LARGE", 4 * 650)
    chunks = fb.StackedEngine().chunks(context, params, np.arange(16))
    assert [len(ids) for ids in chunks] == [4, 4, 4, 4]
    assert len(fb.StackedEngine().chunks(context, params, np.arange(3))) == 3


PRIVATE = fb.ExampleLevelDP(noise_multiplier=1.0, clip=0.5, noise_seed=3)


@pytest.mark.parametrize("batch", [4, None], ids=["padding", "no padding"])
@pytest.mark.parametrize("privacy", [fb.NoPrivacy(), PRIVATE], ids=["none", "examples"])
def test_a_gradient_that_belongs_to_a_loss_is_not_written_to(
    privacy: fb.Privacy, batch: int | None
) -> None:
    kept = WEIGHTS.clone()
    training = fb.LocalTraining(batch_size=batch)
    work = replace(context_of(Weighted()), privacy=privacy, training=training)
    params = work.model.initial(work.data.card, 0)
    ids = np.arange(6) if batch else np.array([int(np.argmin(work.data.sizes))])
    found = fb.StackedEngine().train(work, Broadcast(INFO, params), ids, {})
    loop = fb.LoopEngine().train(work, Broadcast(INFO, params), ids, {})
    for name, leaf in loop.payloads.items():
        torch.testing.assert_close(found.payloads[name], leaf, rtol=1e-5, atol=1e-6)
    assert work.layers is not None
    assert torch.equal(WEIGHTS, kept)


class Automatic(fb.ExampleLevelDP):
    """Automatic clipping (Bu et al. 2023, arXiv:2206.07136)."""

    keeps_privacy: ClassVar[bool] = True

    def shares(self, norms: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
        return self.clip / (norms + self.clip)


class Dropping(fb.ExampleLevelDP):
    """Scales every gradient to norm C, and leaves out those that are long; infinite at 0."""

    keeps_privacy: ClassVar[bool] = True

    def shares(self, norms: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
        return torch.where(norms < 2, self.clip / norms, torch.zeros_like(norms))


@pytest.mark.parametrize("kind", [Automatic, Dropping])
def test_a_rule_of_ones_own_says_what_examples_count_for(kind: type[fb.ExampleLevelDP]) -> None:
    privacy = kind(noise_multiplier=1.0, clip=0.5, noise_seed=3)
    training = fb.LocalTraining(batch_size=7)  # drawn at random, so that batches have padding
    work = replace(context_of(fb.MLP(hidden=(5,))), privacy=privacy, training=training)
    params = work.model.initial(work.data.card, 0)
    ids = np.arange(6)
    found, loop, plain = (
        engine.train(each, Broadcast(INFO, params), ids, {})
        for engine, each in (
            (fb.StackedEngine(), work),
            (fb.LoopEngine(), work),
            (fb.LoopEngine(), replace(work, privacy=PRIVATE)),
        )
    )
    torch.testing.assert_close(found.losses, loop.losses, check_dtype=False, rtol=1e-5, atol=1e-6)
    for name, leaf in loop.payloads.items():
        torch.testing.assert_close(found.payloads[name], leaf, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(plain.payloads[name], leaf, rtol=1e-2)


@pytest.mark.parametrize("privacy", [fb.NoPrivacy(), PRIVATE], ids=["none", "examples"])
@pytest.mark.parametrize("strategy", [fb.FedAvg(), fb.Ditto()], ids=["alone", "with a companion"])
def test_what_comes_out_is_fit_for_autograd(privacy: fb.Privacy, strategy: fb.Strategy) -> None:
    work = replace(context_of(fb.MLP(hidden=(5,))), privacy=privacy, strategy=strategy)
    params = work.model.initial(work.data.card, 0)
    found = fb.StackedEngine().train(work, Broadcast(INFO, params), np.arange(6), {})
    states = [leaf for state in found.states.values() for leaf in state.values()]
    given = [*work.batch(np.array([[0, 1]]), work.corrupt(np.arange(1)))]
    for leaf in (*found.payloads.values(), found.losses, *states, *given):
        assert not leaf.is_inference()
