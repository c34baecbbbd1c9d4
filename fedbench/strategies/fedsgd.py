"""Federated gradient averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class FedSGD(Strategy):
    """Average the clients' gradients and step once: θ ← θ − η·(1/N)ΣΔᵢ, with learning rate η.

    Δᵢ is the gradient over all of client i's samples (McMahan et al. 2017, arXiv:1602.05629).
    """

    one_gradient: ClassVar[bool] = True

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the gradient that the one local step was made of."""
        return tree.scale(delta, -1 / info.lr), client

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Step against the mean gradient."""
        return tree.sub(params, tree.scale(payload, info.lr)), server
