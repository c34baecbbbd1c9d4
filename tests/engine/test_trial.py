"""Models and losses of the user's are tried before a run: taken, or refused in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import fedbench as fb
from fedbench.data import Card
from fedbench.models import Model
from fedbench.runs.rounds import Rounds

SMALL = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2)
RAW = re.compile(
    r"Tensor|mat1|mat2|size mismatch|invalid for input|broadcast|ndarray|dtype\('|positional "
    r"argument|Expected|is invalid|must match the size|element 0 of|gufunc|Traceback"
)


class Built(Model):
    """A model whose module and loss a test gives."""

    make: ClassVar[Callable[[Card], Any]]
    own_loss: ClassVar[Callable[[Tensor, Tensor], Any] | None] = None

    def build(self, card: Card) -> Any:
        return type(self).make(card)


class Lossy(Built):
    """The same with a loss."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Any:
        assert type(self).own_loss is not None
        return type(self).own_loss(outputs, targets)


def linear(card: Card) -> nn.Module:
    return nn.Linear(card.inputs, card.outputs)


class Forward(nn.Module):
    """A linear module and what is made of its outputs."""

    def __init__(self, change: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(13, 3), change

    def forward(self, x: Tensor) -> Any:
        return self.change(self.layer(x))


class Two(nn.Module):
    """A module that wants a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(13, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.layer(x * mask)


class Remembering(nn.Module):
    """A linear module that adds the mean of what it was given before."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(13, 3), torch.zeros(13)

    def forward(self, x: Tensor) -> Tensor:
        before, self.last = self.last, x.detach().mean(0)
        return self.layer(x + before)


class Counting(Remembering):
    """A linear module whose outputs fade from call to call."""

    def forward(self, x: Tensor) -> Tensor:
        self.last += 1
        return self.layer(x) / self.last[0]


def ranked(out: Tensor, y: Tensor) -> Tensor:
    """Return losses of which the larger half counts double."""
    losses = functional.cross_entropy(out, y, reduction="none")
    return losses * (1 + (losses >= losses.median()).float())


def growing(out: Tensor, y: Tensor) -> Tensor:
    growing.calls += 1
    losses = functional.cross_entropy(out, y, reduction="none")
    return losses * growing.calls  # type: ignore[attr-defined]


growing.calls = 0  # type: ignore[attr-defined]


def frozen_norm(card: Card) -> nn.Module:
    norm = nn.BatchNorm1d(8)
    norm.requires_grad_(False)
    norm.eval()
    return nn.Sequential(nn.Linear(13, 8), norm, nn.ReLU(), nn.Linear(8, 3))


class NormKept(nn.Sequential):
    """A network that keeps its norm in evaluation, as its authors advise."""

    def train(self, mode: bool = True) -> NormKept:
        super().train(mode)
        self[1].eval()
        return self


def forward(change: Callable[[Tensor], Any]) -> Callable[[Card], nn.Module]:
    return lambda card: Forward(change)


MODULES: dict[str, tuple[Callable[[Card], Any], str]] = {
    "None": (lambda card: None, "Built.build() returned None; return an"),
    "a class": (lambda card: nn.Linear, "Built.build() returned a class; return an nn.Module, t"),
    "raises": (lambda card: {}["net"], "Built.build() raised KeyError: 'net' ("),
    "bad sizes": (lambda card: nn.Linear("13", 3), "Built.build() raised TypeError ("),
    "lazy": (lambda card: nn.LazyLinear(3), "is lazy, of a size that is known only once it has"),
    "lazy inside": (
        lambda card: nn.Sequential(nn.Flatten(), nn.LazyBatchNorm1d(), nn.Linear(13, 3)),
        "layer '1' of Built is lazy",
    ),
    "nothing to train": (lambda card: nn.Flatten(), "no parameter that asks for a gradient"),
    "all frozen": (lambda card: linear(card).requires_grad_(False), "no parameter that asks"),
    "double": (lambda card: linear(card).double(), "parameter 'weight' is float64; updates are"),
    "half": (lambda card: linear(card).half(), "parameter 'weight' is float16; updates are"),
    "norm": (
        lambda card: nn.Sequential(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)),
        "layer '1' is BatchNorm1d, which mixes the examples of a batch",
    ),
    "two arguments": (lambda card: Two(), "takes (x, mask), and it is called with a batch of"),
    "wrong width": (
        lambda card: nn.Sequential(nn.Linear(13, 7), nn.Linear(9, 3)),
        "does not take 32 examples of 13 numbers, as Wine has them: layer '1', Linear(in_",
    ),
    "images": (
        lambda card: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 3)),
        "examples of 13 numbers, as Wine has them: layer '0', Conv2d(1, 2",
    ),
    "own fault": (forward(lambda out: out @ torch.ones(2, 2)), "; RuntimeError ("),
    "a tuple": (forward(lambda out: (out, out)), "gives a tuple for 32 examples, and one tensor"),
    "a dict": (forward(lambda out: {"out": out}), "gives a dict for 32 examples, and one tensor"),
    "numpy": (
        forward(lambda out: out.detach().numpy()),
        "gives a numpy array of shape (32, 3)",
    ),
    "flat": (forward(lambda out: out.sum(1)), "gives outputs of shape (32,) for 32 examples and"),
    "too few": (forward(lambda out: out[:, :2]), "(32, 2) for 32 examples and Wine needs (32, 3)"),
    "fewer rows": (forward(lambda out: out[:1]), "(1, 3) for 32 examples and Wine needs (32, 3)"),
    "squeezed": (forward(lambda out: out.squeeze(0)), "(3,) for 1 examples and Wine needs (1, 3)"),
    "whole numbers": (forward(lambda out: out.long()), "outputs are int64, and float32 is needed"),
    "double out": (forward(lambda out: out.double()), "outputs are float64, and float32 is needed"),
    "not finite": (forward(lambda out: out / 0), "outputs are not finite before any training"),
    "detached": (forward(lambda out: out.detach()), "does not depend on the outputs, so there is"),
    "centred": (
        forward(lambda out: out - out.mean(0)),
        "gives an example other outputs alone than beside others: it mixes the examples of a",
    ),
    "by the largest": (
        forward(lambda out: out / out.abs().max()),
        "gives an example other outputs alone than beside others: it mixes the examples of a",
    ),
    "remembers": (
        lambda card: Remembering(),
        "gives other values for the same examples when it is called again: it keeps something",
    ),
    "counts": (
        lambda card: Counting(),
        "gives other values for the same examples when it is called again: it keeps something",
    ),
    "in place": (
        forward(lambda out: out.exp().mul(out.exp().add_(1)).sigmoid_().add_(1)),
        "the gradient of its loss cannot be computed; its forward may not write into",
    ),
}
LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Any], str]] = {
    "mean": (
        functional.cross_entropy,
        "returned shape () for 32 examples, and (32,) is needed;",
    ),
    "all pairs": (
        lambda out, y: (out[:, :1] - y).square(),
        "returned shape (32, 32) for 32 examples, and (32,) is needed; take outputs[:, 0]",
    ),
    "by output": (
        lambda out, y: functional.mse_loss(out, out.detach() * 2, reduction="none"),
        "returned shape (32, 3) for 32 examples, and (32,) is needed; one per example",
    ),
    "normed": (
        lambda out, y: functional.cross_entropy(out, y, reduction="none") / len(y),
        "gives an example another loss alone than beside others; the loss of an example may",
    ),
    "ranked": (ranked, "gives an example another loss alone than beside others"),
    "grows": (growing, "gives other values for the same examples when it is called again"),
    "a number": (lambda out, y: 3.0, "returned a float; return a tensor [B], the loss of each ex"),
    "None": (lambda out, y: None, "returned None; return a tensor [B], the loss of each example"),
    "whole": (lambda out, y: (out.argmax(1) != y).long(), "returned int64 values, and float32"),
    "accuracy": (lambda out, y: (out.argmax(1) != y).float(), "does not depend on the outputs, so"),
    "no gradient": (lambda out, y: out.detach()[:, 0], "does not depend on the outputs, so there"),
    "logarithm": (lambda out, y: (out[:, 0] - 100).log(), "is nan for example 0 before any train"),
    "key": (lambda out, y: {}[0], "Lossy.loss() raised KeyError: 0 ("),
    "in torch": (lambda out, y: functional.nll_loss(out, y.float()), "Lossy.loss() raised "),
}


@pytest.mark.parametrize("case", MODULES)
def test_a_module_that_cannot_be_trained_is_refused(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, said = MODULES[case]
    monkeypatch.setattr(Built, "make", staticmethod(make), raising=False)
    with pytest.raises(ValueError) as caught:
        Rounds(SMALL.replace(model=Built()))
    assert said in str(caught.value)
    assert not RAW.search(str(caught.value)), caught.value


@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_that_means_nothing_is_refused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, said = LOSSES[case]
    monkeypatch.setattr(Lossy, "make", staticmethod(linear), raising=False)
    monkeypatch.setattr(Lossy, "own_loss", staticmethod(loss))
    with pytest.raises(ValueError) as caught:
        Rounds(SMALL.replace(model=Lossy()))
    assert "model: Lossy" in str(caught.value)
    assert said in str(caught.value)
    assert not RAW.search(str(caught.value)), caught.value


@pytest.mark.parametrize(
    "make",
    [
        frozen_norm,
        lambda card: NormKept(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)),
        lambda card: nn.Sequential(nn.Linear(13, 8), nn.Dropout(0.2), nn.Linear(8, 3)),
    ],
    ids=["frozen", "kept", "dropout"],
)
@pytest.mark.parametrize(
    "privacy",
    [fb.NoPrivacy(), fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1)],
    ids=["open", "private"],
)
def test_a_module_that_keeps_to_itself_is_taken(
    make: Any, privacy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Built, "make", staticmethod(make), raising=False)
    rounds = Rounds(SMALL.replace(model=Built(), privacy=privacy))
    progress = rounds.begin()
    before = {name: leaf.clone() for name, leaf in rounds.context.module.named_buffers()}
    first = {name: leaf.clone() for name, leaf in progress.params.items()}
    for _ in range(2):
        progress, row = rounds.next(progress)
    assert np.isfinite(row.metrics["loss"])
    assert any(not torch.equal(leaf, first[name]) for name, leaf in progress.params.items())
    for name, leaf in rounds.context.module.named_buffers():
        assert torch.equal(leaf, before[name])


def test_a_frozen_norm_mixes_no_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Built, "make", staticmethod(frozen_norm), raising=False)
    module = Rounds(SMALL.replace(model=Built())).context.module
    x = torch.randn(6, 13)
    assert torch.allclose(module(x)[:1], module(x[:1]), atol=1e-6)


def test_a_module_that_branches_on_values_has_no_gradient_of_each_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    branching = forward(lambda out: out if out.abs().sum().item() >= 0 else 2 * out)
    monkeypatch.setattr(Built, "make", staticmethod(branching), raising=False)
    Rounds(SMALL.replace(model=Built()))
    private = SMALL.replace(
        model=Built(), privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1)
    )
    with pytest.raises(ValueError, match="its forward and loss may not branch on values") as caught:
        Rounds(private)
    assert not RAW.search(str(caught.value))


def test_whether_a_private_run_begins_depends_on_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(out: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(out, y, reduction="none") / (out.abs().sum(1) < 50)

    monkeypatch.setattr(Lossy, "make", staticmethod(linear), raising=False)
    monkeypatch.setattr(Lossy, "own_loss", staticmethod(fragile))
    open_run = SMALL.replace(model=Lossy())
    data = open_run.federation()
    extreme = replace(data, x=np.where(np.arange(len(data.x))[:, None] == 0, 1e4, data.x))
    extreme = replace(extreme, x=extreme.x.astype(np.float32))
    with pytest.raises(ValueError, match=r"is inf for example 0 before any training"):
        Rounds(open_run, extreme)
    for privacy in (
        fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1),
        fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=1),
    ):
        strategy = fb.FedAvg(weighting="uniform")
        Rounds(open_run.replace(privacy=privacy, strategy=strategy), extreme)


def test_trying_a_model_draws_no_random_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropping(card: Card) -> nn.Module:
        return nn.Sequential(nn.Linear(13, 8), nn.Dropout(0.5), nn.Linear(8, 3))

    monkeypatch.setattr(Built, "make", staticmethod(dropping), raising=False)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = fb.run(SMALL.replace(model=Built()))
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(6)
    again = fb.run(SMALL.replace(model=Built()))
    assert [row.metrics for row in first.rows] == [row.metrics for row in again.rows]


def test_two_outputs_of_a_rare_class_are_ranked_by_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fedbench.models import scores

    card = Card("C", "", "", "classification", (1,), ("a",), "y", ("no", "yes"), ranked=True)
    outputs, y = torch.tensor([[2.0, -2.0], [-2.0, 2.0], [0.0, 1.0]]), torch.tensor([0, 1, 1])
    found, _ = scores(card, outputs, y, torch.ones(3), np.array([0, 3]))
    assert found["auc"] == found["accuracy"] == 1.0
