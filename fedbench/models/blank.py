"""Modules without values; apart, as a mode of torch's must import torch."""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Blank(TorchFunctionMode):
    """Leave parameters as they are where normal numbers would be drawn for them.

    On the meta device that draw goes through torch's compiler, which takes 1.3 s and 55 MB to load.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call `func`, unless it draws normal numbers in place."""
        kwargs = kwargs or {}
        if func in (torch.nn.init.normal_, torch.Tensor.normal_):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)
