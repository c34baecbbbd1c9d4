"""Adagrad at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench.strategies.adaptive import Adaptive

if TYPE_CHECKING:
    from torch import Tensor


class FedAdagrad(Adaptive):
    """Sum all squared updates, so steps keep shrinking (Reddi et al. 2021, arXiv:2003.00295)."""

    def second_moment(self, v: Tensor, square: Tensor) -> Tensor:
        """Return v + Δ²."""
        return v + square
