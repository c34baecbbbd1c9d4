"""Losses of examples with their slopes, for many clients at once: each example by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench.models import Model

if TYPE_CHECKING:
    from torch import Tensor


def is_standard(model: Model) -> bool:
    """Return whether a model has the loss that all models of fedbench have."""
    return type(model).loss is Model.loss


def loss_and_slope(model: Model, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of each example, [B], and its derivative by its outputs, [B, outputs].

    The standard loss has its derivative in closed form, as a small model's step takes less time
    than autograd's preparations for it. A loss of the user's is given each example alone: it cannot
    see which others, of which clients, are beside it.
    """
    from torch.func import grad_and_value, vmap

    if not is_standard(model):

        def alone(outputs: Tensor, target: Tensor) -> Tensor:
            return model.loss(outputs.unsqueeze(0), target.unsqueeze(0)).squeeze(0)

        given = outputs.detach().clone(), targets.clone()  # which the loss may write into
        slope, losses = vmap(grad_and_value(alone), randomness="error")(*given)
        return losses, slope
    losses = model.loss(outputs, targets)
    if targets.is_floating_point():
        return losses, 2 * (outputs - targets.unsqueeze(1))
    if outputs.shape[1] == 1:
        return losses, outputs.sigmoid() - targets.unsqueeze(1)
    slope = outputs.softmax(1)  # less 1 for the class, in one operation
    minus = slope.new_full((1, 1), -1.0).expand(len(slope), 1)
    return losses, slope.scatter_add_(1, targets.unsqueeze(1), minus)


def is_separable(model: Model, outputs: Tensor, targets: Tensor) -> bool:
    """Return whether `loss_and_slope` takes a model's loss, or raise what the loss raises.

    A loss that branches on values, calls `item()` or draws random numbers needs autograd, a client
    at a time.
    """
    import torch

    if is_standard(model):
        return True
    state = torch.random.get_rng_state()
    losses, slope = loss_and_slope(model, outputs, targets)
    whole = losses.shape == targets.shape and slope.shape == outputs.shape
    return whole and torch.equal(state, torch.random.get_rng_state())
