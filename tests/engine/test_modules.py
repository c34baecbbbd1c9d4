"""Modules of any making: all engines train and evaluate them as torch itself would run them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fedbench as fb
from fedbench.data import Card
from fedbench.engine import Broadcast, TrainingContext
from fedbench.models import Model, call
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo

INFO = RoundInfo(1, 0.1, 6, 6.0)
PRIVATE = fb.ExampleLevelDP(noise_multiplier=0.1, clip=0.5, noise_seed=3)
DATA = fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=6, min_samples=2)).federation()


class Built(Model):
    """A model whose module a test gives."""

    make: ClassVar[Callable[[], nn.Module]]

    def build(self, card: Card) -> nn.Module:
        return type(self).make()


def dense() -> nn.Sequential:
    return nn.Sequential(nn.Linear(13, 6), nn.Tanh(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))


def used_twice() -> nn.Module:
    module = dense()
    module.insert(3, module[2])
    return module


def tied() -> nn.Module:
    module = dense()
    module.insert(3, nn.Linear(6, 6))
    module[3].weight = module[2].weight
    return module


def doubling(layer: nn.Module, given: Any, outputs: Tensor) -> Tensor:
    return 2 * outputs


def halving(layer: nn.Module, given: tuple[Tensor]) -> Tensor:
    return given[0] / 2


def hooked() -> nn.Module:
    module = dense()
    module.register_forward_hook(doubling)
    return module


def hooked_before() -> nn.Module:
    module = dense()
    module.register_forward_pre_hook(halving)
    return module


def hooked_inside() -> nn.Module:
    module = dense()
    module[2].register_forward_hook(doubling)
    return module


def replaced() -> nn.Module:
    module = dense()
    layer = module[2]
    layer.forward = lambda x: 2 * nn.Linear.forward(layer, x)  # type: ignore[method-assign]
    return module


def replaced_whole() -> nn.Module:
    module = dense()
    module.forward = lambda x: 2 * nn.Sequential.forward(module, x)  # type: ignore[method-assign]
    return module


def spare_parameter() -> nn.Module:
    module = dense()
    module.register_parameter("spare", nn.Parameter(torch.ones(2)))
    return module


class Half(nn.Sequential):
    """A sequence that computes something else."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) / 2


def own_sequence() -> nn.Module:
    return Half(*dense())


MAKERS = [
    used_twice,
    tied,
    hooked,
    hooked_before,
    hooked_inside,
    replaced,
    replaced_whole,
    spare_parameter,
    own_sequence,
]


def context_of(make: Callable[[], nn.Module], privacy: Any) -> TrainingContext:
    Built.make = staticmethod(make)
    training = fb.LocalTraining(steps=3, batch_size=8)
    return TrainingContext(DATA, Built(), training, fb.FedAvg(), seed=0, privacy=privacy)


def expected(make: Callable[[], nn.Module], params: Any, work: TrainingContext) -> dict[str, Any]:
    """Return what torch's own optimiser makes of client 0: the change of each parameter."""
    module = Built().module(DATA.card, 0)
    named = dict(module.named_parameters())
    descent = torch.optim.SGD(named.values(), lr=0.1)
    plan = work.plan(np.array([0]), INFO)
    for rows in plan.rows[0, : plan.steps[0]]:
        x, y = (part[0] for part in work.batch(rows[None, rows >= 0], np.zeros(1, dtype=bool)))
        descent.zero_grad()
        nn.functional.cross_entropy(module(x), y).backward()
        descent.step()
    return {name: leaf.detach() - params[name] for name, leaf in named.items()}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("privacy", [fb.NoPrivacy(), PRIVATE], ids=["none", "examples"])
def test_engines_agree_and_the_module_stays_whole(
    make: Callable[[], nn.Module], privacy: Any
) -> None:
    work = context_of(make, privacy)
    params = work.model.initial(DATA.card, 0)
    ids = np.arange(6)
    for _ in range(2):  # after an evaluation, too
        fast = fb.StackedEngine(workers=0).train(work, Broadcast(INFO, params), ids, {})
        slow = fb.LoopEngine().train(work, Broadcast(INFO, params), ids, {})
        assert fast.payloads.keys() == slow.payloads.keys() == params.keys()
        for name, leaf in slow.payloads.items():
            torch.testing.assert_close(fast.payloads[name], leaf, rtol=1e-4, atol=1e-6)
        if privacy == fb.NoPrivacy():
            for name, leaf in expected(make, params, work).items():
                torch.testing.assert_close(fast.payloads[name][0], leaf, rtol=1e-4, atol=1e-6)
        outputs = work.outputs(params, 0, 5)
        with torch.no_grad():
            own = work.model.loaded(DATA.card, 0, params).eval()(torch.from_numpy(DATA.x_test[:5]))
        torch.testing.assert_close(outputs, own)


@pytest.mark.parametrize("make", MAKERS)
def test_a_call_replaces_parameters_wherever_they_stand(make: Callable[[], nn.Module]) -> None:
    module, x = make(), torch.randn(4, 13)
    with torch.no_grad():
        before = module(x)
        params = {name: leaf * 1.5 for name, leaf in module.named_parameters()}
        found = call(module, params, x)
        assert torch.equal(module(x), before)
        for leaf in module.parameters():
            leaf.mul_(1.5)
        assert torch.equal(found, module(x))
    assert all(isinstance(leaf, nn.Parameter) for leaf in module.parameters())
    assert {name for name, _ in module.named_parameters()} == params.keys()


class OddLeaves(fb.FedAvg):
    """A strategy that sends another leaf for every second client it meets."""

    met: ClassVar[list[int]] = []

    def finish(self, delta: Any, params: Any, client: Any, server: Any, steps: Any, info: Any):
        payload, state = super().finish(delta, params, client, server, steps, info)
        self.met.append(1)
        return (payload if len(self.met) % 2 else {**payload, "more": steps}), state


@pytest.mark.parametrize("engine", [fb.LoopEngine(), fb.StackedEngine(workers=0)], ids=str)
def test_payloads_with_other_leaves_are_refused(engine: fb.Engine) -> None:
    OddLeaves.met.clear()
    work = replace(context_of(used_twice, fb.NoPrivacy()), strategy=OddLeaves())
    params = work.model.initial(DATA.card, 0)
    with pytest.raises(ValueError, match=r"OddLeaves.finish\(\): returned leaf 'more' for some"):
        engine.train(work, Broadcast(INFO, params), np.arange(4), {})


def test_a_hook_of_a_parameter_is_refused() -> None:
    def make() -> nn.Module:
        module = dense()
        module[0].weight.register_hook(lambda grad: grad * 0)
        return module

    Built.make = staticmethod(make)
    with pytest.raises(ValueError, match=r"parameter '0\.weight' has a hook, which would not run"):
        Rounds(fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), model=Built()))
