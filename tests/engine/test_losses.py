"""Losses of many examples at once: slopes against autograd, and each example by itself."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor

import fedbench as fb
from fedbench.engine.losses import is_separable, loss_and_slope
from fedbench.models import Model


class Cubed(fb.Linear):
    """A model with a loss of its own."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs[:, 0] - targets).abs() ** 3


class Watching(Cubed):
    """A loss that notes how many examples it sees."""

    seen: ClassVar[list[int]] = []

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.seen.append(len(outputs))
        return super().loss(outputs, targets) / len(outputs)


class Branching(Cubed):
    """A loss that looks at a value."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().loss(outputs, targets) * (2.0 if outputs.sum().item() > 0 else 1.0)


class Drawing(Cubed):
    """A loss that draws random numbers."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().loss(outputs + torch.randn(outputs.shape), targets)


@pytest.fixture
def outputs() -> Tensor:
    return torch.randn((60, 3), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(3, (60,), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("model", [fb.Linear(), Cubed()])
@pytest.mark.parametrize("kind", ["classes", "two classes", "regression"])
def test_the_slope_of_a_loss_is_that_of_autograd(
    model: Model, kind: str, outputs: Tensor, labels: Tensor
) -> None:
    given, targets = {
        "classes": (20 * outputs, labels),  # some of them sure, and some wrong
        "two classes": (20 * outputs[:, :1], labels % 2),
        "regression": (outputs[:, :1], outputs[:, 2]),
    }[kind]
    losses, slope = loss_and_slope(model, given, targets)
    asked = given.clone().requires_grad_()
    model.loss(asked, targets).sum().backward()
    torch.testing.assert_close(slope, asked.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(losses, model.loss(given, targets), rtol=0, atol=0)
    assert not (losses.requires_grad or slope.requires_grad)


def test_a_loss_of_the_users_sees_one_example_at_a_time(outputs: Tensor) -> None:
    Watching.seen.clear()
    losses, _ = loss_and_slope(Watching(), outputs[:, :1], outputs[:, 2])
    assert set(Watching.seen) == {1}
    torch.testing.assert_close(losses, Cubed().loss(outputs, outputs[:, 2]))


@pytest.mark.parametrize("model", [fb.Linear(), Cubed(), Watching()])
def test_losses_of_single_examples_are_separable(model: Model, outputs: Tensor) -> None:
    assert is_separable(model, outputs[:, :1], outputs[:, 2])


@pytest.mark.parametrize("model", [Branching(), Drawing()])
def test_a_loss_that_branches_or_draws_is_not(model: Model, outputs: Tensor) -> None:
    with pytest.raises(RuntimeError):  # torch's own, which the caller takes for a no
        is_separable(model, outputs[:, :1], outputs[:, 2])
