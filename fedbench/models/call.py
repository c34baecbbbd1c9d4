"""A module as a function of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def call(module: nn.Module, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return `module(x)` with `params` in place of its own parameters of these names.

    A parameter that stands in several layers is replaced in all of them. torch's own way of finding
    them (`tie_weights=True`) also replaces the two names of a layer that is used twice, and puts
    the second replacement back as if it were the first value: the layer loses its parameter.
    """
    from torch.func import functional_call

    named = dict(module.named_parameters())
    names = {id(leaf): name for name, leaf in named.items() if name in params}
    placed = {}
    for path, layer in module.named_modules():  # each layer once, however often it is used
        for own, leaf in layer._parameters.items():
            if id(leaf) in names:
                placed[f"{path}.{own}" if path else own] = params[names[id(leaf)]]
    return functional_call(module, placed, (x,), tie_weights=False)
