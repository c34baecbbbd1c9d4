"""Averaging that does not favour clients with more local steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy, travelled
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class FedNova(Strategy):
    """Average normalised updates, so clients with more local steps do not dominate
    (arXiv:2007.07481).

    In plain averaging a client with τᵢ local steps pulls in proportion to τᵢ. Here each sends dᵢ =
    Δᵢ/‖aᵢ‖₁, where ‖aᵢ‖₁ is τᵢ or, with momentum, the effective number of steps, and the server
    steps by (Σ pᵢ‖aᵢ‖₁)·(Σ pᵢdᵢ). With equal local steps this is FedAvg. Source: Wang et al. 2020.
    """

    unclippable: ClassVar[str | None] = (
        "FedNova sends the number of local steps with the update, so the two cannot be clipped "
        "together; choose FedAvg, which is the same where clients take equally many steps"
    )

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the update per step and the steps that it was divided by."""
        norm = travelled(steps.to(next(iter(delta.values())).dtype), info.momentum)
        return tree.pack(model=tree.scale(delta, 1 / norm), steps={"norm": norm}), client

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Step by the mean update per step, times the mean number of steps."""
        steps = tree.unpack(payload, "steps")["norm"]
        return tree.add(params, tree.scale(tree.unpack(payload, "model"), steps)), server
