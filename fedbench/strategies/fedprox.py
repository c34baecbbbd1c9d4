"""Federated averaging with a pull towards the global model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fedbench import tree
from fedbench.strategies.strategy import Strategy
from fedbench.tree import Tree


class FedProx(Strategy):
    """Pull local steps towards the global model (Li et al. 2020, arXiv:1812.06127).

    Adds μ/2·‖w − θ‖² to the local loss, where θ is the global model; μ = 0 gives FedAvg.
    """

    mu: Annotated[
        float,
        Field(
            ge=0,
            title="μ",
            description=(
                "strength of the pull towards the global model θ: 0 is FedAvg, larger keeps "
                "local models closer to it"
            ),
            json_schema_extra={"slider": [0, 10, 0.01], "formula": "g + μ(w − θ)"},
        ),
    ] = 0.01

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        """Return the gradient of the pulled loss: ∇f + μ(w − θ)."""
        return tree.add(grads, tree.scale(tree.sub(params, anchor), self.mu))
