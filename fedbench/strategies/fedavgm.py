"""Federated averaging with momentum at the server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy, server_rate
from fedbench.tree import Tree


class FedAvgM(Strategy):
    """Server momentum (Hsu et al. 2019, arXiv:1909.06335).

    v ← βv + Δ and θ ← θ + ηv, where Δ is the mean update; β = 0 and η = 1 give FedAvg.
    """

    beta: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="β",
            description=("server momentum: 0 is none, nearer to 1 is smoother and slower"),
            json_schema_extra={"slider": [0, 0.99, 0.01], "formula": "v ← βv + Δ"},
        ),
    ] = 0.9
    server_lr: Annotated[
        float,
        server_rate(
            "θ ← θ + ηv", ("server learning rate η along v: at β = 0, 1 averages the models")
        ),
    ] = 1.0

    def init(self, params: Tree) -> Tree:
        """Return v = 0."""
        return tree.zeros_like(params)

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Step along the mean update and what is left of earlier ones."""
        server = tree.add(tree.scale(server, self.beta), payload)
        return tree.add(params, tree.scale(server, self.server_lr)), server
