"""Layers of many clients at once, forward and backward by hand: batched matrix products.

Every tensor has the client first: activations [C, B, ...], parameters [C, ...]. A backward pass
first takes the slope of the loss down through all layers and only then looks at the parameters:
with each layer's input and slope at hand they give the gradients, the norms of single examples'
gradients, or a step in place, whichever is wanted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fedbench.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    Squares = Callable[[Tensor], NDArray[Any]]


class Layer(ABC):
    """One layer; the names of its parameters are those of the module's own."""

    def __init__(self, head: str) -> None:
        self.weight, self.bias = f"{head}.weight", f"{head}.bias"

    @abstractmethod
    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return the output [C, B, ...]."""

    @abstractmethod
    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return the slope at the input `x` from the one at the output; may reuse its memory."""


class Trained(Layer):
    """A layer with parameters."""

    @abstractmethod
    def gradients(self, x: Tensor, slope: Tensor) -> dict[str, Tensor]:
        """Return the gradients, summed over the batch; [C, ...] by name."""

    @abstractmethod
    def squares(self, x: Tensor, slope: Tensor, of: Squares) -> NDArray[Any]:
        """Return the squared norm of each example's own gradient, [C, B].

        `of` gives the sums of squares over the last dimension.
        """

    def descend(self, params: Tree, x: Tensor, slope: Tensor, rate: float) -> None:
        """Step against the gradient, in place."""
        for name, grad in self.gradients(x, slope).items():
            params[name].sub_(grad, alpha=rate)


class Linear(Trained):
    """y = x·Wᵀ + b."""

    def __init__(self, head: str, biased: bool) -> None:
        super().__init__(head)
        self.biased = biased

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return the output [C, B, outputs]."""
        import torch

        weight = params[self.weight].transpose(1, 2)
        if not self.biased:
            return torch.bmm(x, weight)
        return torch.baddbmm(params[self.bias].unsqueeze(1), x, weight)

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return slope·W."""
        return slope.bmm(params[self.weight])

    def gradients(self, x: Tensor, slope: Tensor) -> dict[str, Tensor]:
        """Return slopeᵀ·x, and the sum of the slopes."""
        grads = {self.weight: slope.transpose(1, 2).bmm(x)}
        return grads | {self.bias: slope.sum(1)} if self.biased else grads

    def squares(self, x: Tensor, slope: Tensor, of: Squares) -> NDArray[Any]:
        """Return ‖slope‖²(‖x‖² + 1): an example's gradient is an outer product."""
        return of(slope) * (of(x) + int(self.biased))

    def descend(self, params: Tree, x: Tensor, slope: Tensor, rate: float) -> None:
        """Step in place, without a gradient in between: that would be written and read again."""
        params[self.weight].baddbmm_(slope.transpose(1, 2), x, alpha=-rate)
        if self.biased:
            params[self.bias].sub_(slope.sum(1), alpha=rate)


class LayerNorm(Trained):
    """Each example's features, standardised, times a weight and plus a bias."""

    def __init__(self, head: str, epsilon: float) -> None:
        super().__init__(head)
        self.epsilon = epsilon

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return the output [C, B, features]."""
        scaled = self._standardised(x)[0] * params[self.weight].unsqueeze(1)
        return scaled.add_(params[self.bias].unsqueeze(1))

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return the slope at the features as they came."""
        import torch

        _, mean, rstd = self._standardised(x)
        own = slope * params[self.weight].unsqueeze(1)
        back = torch.ops.aten.native_layer_norm_backward
        return back(own, x, x.shape[2:], mean, rstd, None, None, [True, False, False])[0]

    def gradients(self, x: Tensor, slope: Tensor) -> dict[str, Tensor]:
        """Return the sums of slope·standardised and of the slopes."""
        each = slope * self._standardised(x)[0]
        return {self.weight: each.sum(1), self.bias: slope.sum(1)}

    def squares(self, x: Tensor, slope: Tensor, of: Squares) -> NDArray[Any]:
        """Return the squared norms, both parts together."""
        return of(slope * self._standardised(x)[0]) + of(slope)

    def _standardised(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return standardised features, means and reciprocal deviations, by torch's own kernel."""
        import torch

        return torch.native_layer_norm(x, x.shape[2:], None, None, self.epsilon)


class Bag(Trained):
    """The mean embedding of the tokens in x[C, B, L]; token `padding` does not count."""

    def __init__(self, head: str, padding: int | None, vocabulary: int) -> None:
        super().__init__(head)
        self.padding, self.vocabulary = padding, vocabulary

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return the mean embedding [C, B, width]; zeros for padding alone."""
        weight = params[self.weight]
        flat = self._flat(x).flatten()
        found = weight.flatten(0, 1)[flat].view(*x.shape, weight.shape[2])
        return (found * self._shares(x).unsqueeze(3)).sum(2)

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return the slope as it is: tokens have none, and this is the first layer."""
        return slope

    def gradients(self, x: Tensor, slope: Tensor) -> dict[str, Tensor]:
        """Return each token's share of the slopes where it stands."""
        width = slope.shape[2]
        each = slope.unsqueeze(2) * self._shares(x).unsqueeze(3)
        grad = slope.new_zeros(len(x) * self.vocabulary, width)
        grad.index_add_(0, self._flat(x).flatten(), each.view(-1, width))
        return {self.weight: grad.view(len(x), self.vocabulary, width)}

    def squares(self, x: Tensor, slope: Tensor, of: Squares) -> NDArray[Any]:
        """Return ‖slope‖² times the squared norm of the tokens' shares, repeats added up."""
        shares = self._shares(x)
        same = (x.unsqueeze(3) == x.unsqueeze(2)).to(shares.dtype)
        along = (shares.unsqueeze(3) * same * shares.unsqueeze(2)).sum((2, 3))
        return of(slope) * along.cpu().numpy()

    def _flat(self, x: Tensor) -> Tensor:
        import torch

        clients = torch.arange(len(x), device=x.device).view(-1, 1, 1)
        return x + clients * self.vocabulary

    def _shares(self, x: Tensor) -> Tensor:
        import torch

        counted = torch.ones_like(x) if self.padding is None else (x != self.padding).long()
        return counted / counted.sum(2, keepdim=True).clamp(min=1)


class Flatten(Layer):
    """All of an example's numbers in a row."""

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return [C, B, numbers]."""
        return x.flatten(2)

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return the slope in the shape that came."""
        return slope.view(x.shape)


class Activation(Layer):
    """A function of each number, whose slope can be told from its value.

    It writes over its input where that is `spare`: no layer before it needs what it gave.
    """

    def __init__(self, head: str, *, spare: bool) -> None:
        super().__init__(head)
        self.spare = spare


class ReLU(Activation):
    """max(x, 0)."""

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return the positive part."""
        return x.relu_() if self.spare else x.relu()

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return the slope where something came through."""
        import torch

        return torch.ops.aten.threshold_backward(slope, out, 0)


class Tanh(Activation):
    """The hyperbolic tangent."""

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return tanh(x)."""
        return x.tanh_() if self.spare else x.tanh()

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return slope·(1 − tanh²)."""
        return slope.mul_(1 - out.square())


class Sigmoid(Activation):
    """The logistic function."""

    def forward(self, params: Tree, x: Tensor) -> Tensor:
        """Return 1 / (1 + e⁻ˣ)."""
        return x.sigmoid_() if self.spare else x.sigmoid()

    def backward(self, params: Tree, x: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        """Return slope·σ(1 − σ)."""
        return slope.mul_(out * (1 - out))


def layers(module: nn.Module, shape: tuple[int, ...]) -> list[Layer] | None:
    """Return the layers of a plain sequence that can be stacked, or None if anything else is in it.

    `shape` is that of one example.
    """
    from torch import nn

    if type(module) is not nn.Sequential or not _is_untouched(module):
        return None
    if module._parameters or module._buffers:  # beside those of its layers, for whatever use
        return None
    found: list[Layer] = []
    flat = len(shape) == 1
    # named_children() leaves out a layer's second place, as of one activation used throughout.
    for name, child in zip(module._modules, module, strict=True):
        layer = _layer(name, child, flat=flat, below=found[-1] if found else None)
        if layer is None or not _is_plain(child):
            return None
        flat = True
        found.append(layer)
    tied = len(list(module.parameters())) != len(
        list(module.named_parameters(remove_duplicate=False))
    )
    return None if tied else found


def _is_untouched(module: nn.Module) -> bool:
    """Return whether a module runs the code of its class and no other: no hook, no own forward."""
    hooks = (
        module._forward_pre_hooks,
        module._forward_hooks,
        module._backward_pre_hooks,
        module._backward_hooks,
    )
    return not any(hooks) and "forward" not in vars(module)


def _is_plain(child: nn.Module) -> bool:
    """Return whether nothing was added to a layer: hooks, buffers, frozen or other parameters."""
    return (
        _is_untouched(child)
        and not any(True for _ in child.buffers())
        and {name for name, _ in child.named_parameters()} <= {"weight", "bias"}
        and all(leaf.requires_grad for leaf in child.parameters())
    )


def _layer(name: str, child: nn.Module, *, flat: bool, below: Layer | None) -> Layer | None:
    from torch import nn

    if type(child) is nn.EmbeddingBag and below is None and flat:
        plain = child.mode == "mean" and child.max_norm is None
        plain = plain and not (child.include_last_offset or child.scale_grad_by_freq)
        return Bag(name, child.padding_idx, child.num_embeddings) if plain else None
    if type(child) is nn.Flatten and child.start_dim == 1 and child.end_dim == -1:
        return Flatten(name)
    if not flat:
        return None
    if type(child) is nn.Linear:
        return Linear(name, child.bias is not None)
    if type(child) is nn.LayerNorm and len(child.normalized_shape) == 1:
        affine = child.elementwise_affine and child.bias is not None
        return LayerNorm(name, child.eps) if affine else None
    activations: dict[type[nn.Module], type[ReLU | Tanh | Sigmoid]] = {
        nn.ReLU: ReLU,
        nn.Tanh: Tanh,
        nn.Sigmoid: Sigmoid,
    }
    activation = activations.get(type(child))
    if activation is None:
        return None
    return activation(name, spare=isinstance(below, Linear | LayerNorm))
