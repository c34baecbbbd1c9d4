"""Dynamic regularisation: local losses whose minima agree with the global one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class FedDyn(Strategy):
    """Dynamic regularisation of the local losses (Acar et al. 2021, arXiv:2111.04263).

    A client minimises fᵢ(w) − ⟨λᵢ, w⟩ + α/2·‖w − θ‖², then λᵢ ← λᵢ − α(w − θ), so that the local
    minima approach the global one. The server keeps h ← h − α·(1/N)Σ(wᵢ − θ) and moves to the mean
    of the wᵢ minus h/α.
    """

    alpha: Annotated[
        float,
        Field(
            gt=0,
            title="α",
            description=(
                "strength of the pull towards the global model: larger keeps local models "
                "closer together"
            ),
            json_schema_extra={
                "slider": [0.001, 1, 0.001],
                "scale": "log",
                "formula": "g − λ_i + α(w − θ)",
            },
        ),
    ] = 0.1

    def init(self, params: Tree) -> Tree:
        """Return h = 0."""
        return tree.zeros_like(params)

    def init_client(self, params: Tree) -> Tree:
        """Return λᵢ = 0."""
        return tree.zeros_like(params)

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        """Return ∇fᵢ − λᵢ + α(w − θ)."""
        pull = tree.scale(tree.sub(params, anchor), self.alpha)
        return tree.add(tree.sub(grads, client), pull)

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the update and the new λᵢ."""
        return delta, tree.sub(client, tree.scale(delta, self.alpha))

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Go to the mean local model, less h/α."""
        share = info.expected_cohort / info.clients
        server = tree.sub(server, tree.scale(payload, self.alpha * share))
        return tree.sub(tree.add(params, payload), tree.scale(server, 1 / self.alpha)), server
