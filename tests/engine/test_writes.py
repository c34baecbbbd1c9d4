"""User code that writes into what it was given: never into data, models and states of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import fedbench as fb
from fedbench.data import Card
from fedbench.models import Model
from fedbench.runs.rounds import Rounds
from fedbench.tree import Tree

SMALL = fb.Experiment(
    data=fb.Wine(), partition=fb.Dirichlet(clients=4, min_samples=3), rounds=2
).replace(training=fb.LocalTraining(epochs=2, batch_size=8))
ENGINES = {"loop": fb.LoopEngine(), "fast": fb.StackedEngine(workers=0)}
engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


class Changed(nn.Module):
    """A linear module of inputs that are changed first."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.change, self.layer = change, nn.Linear(13, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.change(x))


class Built(Model):
    """A model whose inputs and loss a test changes."""

    change: ClassVar[Callable[[Tensor], Tensor]]
    lost: ClassVar[Callable[[Tensor, Tensor], Tensor]]

    def build(self, card: Card) -> nn.Module:
        return Changed(type(self).change)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return type(self).lost(outputs, targets)


class Stacked(Built):
    """The same as layers that are trained for many clients at once."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(nn.Linear(13, 6), nn.Tanh(), nn.Linear(6, 3))


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, targets, reduction="none")


def in_place(outputs: Tensor, targets: Tensor) -> Tensor:
    outputs += torch.tensor([1.0, 0.0, -1.0])
    targets.clamp_(max=1)
    return cross_entropy(outputs, targets)


def pure(outputs: Tensor, targets: Tensor) -> Tensor:
    outputs = outputs + torch.tensor([1.0, 0.0, -1.0])
    return cross_entropy(outputs, targets.clamp(max=1))


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "relu": (lambda x: x.relu_(), lambda x: x.relu()),
    "clamp": (lambda x: x.clamp_(-0.5, 0.5), lambda x: x.clamp(-0.5, 0.5)),
    "double": (lambda x: x.mul_(2.0), lambda x: x * 2.0),
}


@engines
@pytest.mark.parametrize("case", CHANGES)
def test_a_module_that_writes_into_its_inputs_leaves_the_data_as_they_are(
    case: str, engine: fb.Engine
) -> None:
    plain, experiment = fb.run(SMALL, progress=False), SMALL.replace(model=Built(), engine=engine)
    Built.lost = staticmethod(cross_entropy)
    found = []
    for change in CHANGES[case]:
        Built.change = staticmethod(change)
        found.append(fb.run(experiment, progress=False).rows)
    assert found[0] == found[1]
    assert fb.run(SMALL, progress=False) == plain


@engines
@pytest.mark.parametrize("model", [Built(), Stacked()], ids=["alone", "together"])
@pytest.mark.parametrize(
    "privacy",
    [fb.NoPrivacy(), fb.ExampleLevelDP(noise_multiplier=1.0, delta=1e-3, noise_seed=1)],
    ids=["open", "private"],
)
def test_a_loss_that_writes_gives_what_the_pure_one_gives(
    model: Built, engine: fb.Engine, privacy: Any
) -> None:
    plain = fb.run(SMALL, progress=False)
    Built.change = staticmethod(lambda x: x)
    found = []
    for loss in (in_place, pure):
        Built.lost = staticmethod(loss)
        experiment = SMALL.replace(model=model, engine=engine, privacy=privacy)
        found.append(fb.run(experiment, progress=False).rows[-1])
    # one of them may be trained for many clients at once, which rounds otherwise
    assert found[0].metrics == pytest.approx(found[1].metrics, abs=1e-5)
    assert fb.run(SMALL, progress=False) == plain


class Anchor(fb.FedAvg):
    """Pulls the global model towards each client's."""

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        for name in anchor:
            anchor[name].lerp_(params[name], 0.5)
        return grads


class Momentum(fb.FedAvg):
    """Keeps a momentum in the client's state as it goes."""

    def init_client(self, params: Tree) -> Tree:
        return {name: torch.zeros_like(leaf) for name, leaf in params.items()}

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        return {name: client[name].mul_(0.9).add_(grad) for name, grad in grads.items()}


class Control(fb.FedAvg):
    """Moves the server's state on each client."""

    def init(self, params: Tree) -> Tree:
        return {name: torch.zeros_like(leaf) for name, leaf in params.items()}

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: Any
    ) -> tuple[Tree, Tree]:
        for leaf in server.values():
            leaf.add_(1.0)
        return delta, client


class Begin(fb.FedAvg):
    """Starts from a model that it makes of the global one, in its place."""

    def start(self, params: Tree, client: Tree) -> Tree:
        return {name: leaf.mul_(0.9) for name, leaf in params.items()}


class Own(fb.FedAvg):
    """Uses the global model's memory for a client's own."""

    def init_client(self, params: Tree) -> Tree:
        return {name: leaf * 2 for name, leaf in params.items()}

    def personal(self, params: Tree, client: Tree) -> Tree:
        return {name: leaf.copy_(client[name]) for name, leaf in params.items()}


class Later(fb.FedAvg):
    """Does it from the second round on, which no trial sees."""

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: Any
    ) -> tuple[Tree, Tree]:
        if info.round > 1:
            for name, leaf in anchor.items():
                leaf.add_(delta[name].reshape(-1, *leaf.shape)[0])
        return delta, client


@engines
@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Anchor(), r"Anchor.adjust\(\): writes into the global model, which it is only given to r"),
        (Momentum(), r"Momentum.adjust\(\): writes into the client's state"),
        (Control(), r"Control.finish\(\): writes into the server's state"),
        (Begin(), r"Begin.start\(\): writes into the global model"),
        (Own(), r"Own.personal\(\): writes into the global model"),
    ],
    ids=lambda value: value.kind().rpartition(":")[2] if isinstance(value, fb.Strategy) else "",
)
def test_a_hook_that_writes_into_what_others_use_is_refused(
    strategy: fb.Strategy, said: str, engine: fb.Engine
) -> None:
    with pytest.raises(ValueError, match=said):
        Rounds(SMALL.replace(strategy=strategy, engine=engine))


@engines
def test_a_hook_that_writes_later_ends_the_run_and_reaches_nothing(engine: fb.Engine) -> None:
    rounds = Rounds(SMALL.replace(strategy=Later(), engine=engine))
    first, _ = rounds.next(rounds.begin())
    kept = {name: leaf.clone() for name, leaf in first.params.items()}
    with pytest.raises(ValueError, match=r"a hook of .*Later: writes into the global model"):
        rounds.next(first)
    assert all(torch.equal(leaf, kept[name]) for name, leaf in first.params.items())


class Shares(fb.FedAvg):
    """Weights that add up to 1."""

    def weights(self, samples: Tensor) -> Tensor:
        return samples / samples.sum()


class Capped(fb.Mean):
    """No client counts for more than 15 rows."""

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        return super().combine(payloads, weights.clamp(max=15), total)


class Mirrored(fb.LabelFlip):
    """Turns targets around within a batch."""

    def poison(self, targets: Tensor, card: Card) -> Tensor:
        return targets.flip(0)


class Doubled(fb.LoopEngine):
    """Trains the first client of a cohort twice."""

    def chunks(self, context: Any, params: Any, ids: Any) -> Any:
        return [ids[:1], *super().chunks(context, params, ids)]


class Dropped(fb.LoopEngine):
    """Forgets the first client of a cohort."""

    def chunks(self, context: Any, params: Any, ids: Any) -> Any:
        return super().chunks(context, params, ids)[1:]


def test_weights_follow_from_the_clients_own_samples() -> None:
    with pytest.raises(ValueError, match=r"Shares.weights\(\): gives a client of 3 samples 0.375 "):
        Rounds(SMALL.replace(strategy=Shares()))


def test_a_sum_that_caps_its_weights_is_none() -> None:
    with pytest.raises(ValueError, match=r"Capped.combine\(\): with total=1 it does not give Σ"):
        Rounds(SMALL.replace(aggregator=Capped()))


def test_an_attack_changes_each_target_by_itself() -> None:
    with pytest.raises(ValueError, match=r"Mirrored.poison\(\): turns target 0 into 2 beside oth"):
        Rounds(SMALL.replace(attack=Mirrored()))


@pytest.mark.parametrize(("engine", "times"), [(Doubled(), 2), (Dropped(), 0)])
def test_each_client_of_a_cohort_comes_back_once(engine: fb.Engine, times: int) -> None:
    rounds = Rounds(SMALL.replace(engine=engine))
    with pytest.raises(ValueError, match=rf"client 0 of the cohort came back {times} times; jobs"):
        rounds.next(rounds.begin())
