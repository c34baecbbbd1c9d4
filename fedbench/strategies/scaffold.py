"""Control variates against client drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy, server_rate, travelled
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class Scaffold(Strategy):
    """Correct each local step by control variates (Karimireddy et al. 2020, arXiv:1910.06378).

    A client's control variate cᵢ estimates its own gradient, the server's c the federation's: a
    step follows ∇fᵢ − cᵢ + c. cᵢ is updated by the paper's option II, which needs no extra
    gradient: cᵢ ← cᵢ − c − Δᵢ/(Kη) after K steps of size η; with momentum K is the effective number
    of steps, see `travelled`.
    """

    display: ClassVar[str] = "SCAFFOLD"

    server_lr: Annotated[float, server_rate("θ ← θ + ηΔ")] = 1.0

    def init(self, params: Tree) -> Tree:
        """Return c = 0."""
        return tree.zeros_like(params)

    def init_client(self, params: Tree) -> Tree:
        """Return cᵢ = 0."""
        return tree.zeros_like(params)

    def broadcast(self, params: Tree, server: Tree) -> Tree:
        """Return the model and c."""
        return tree.pack(model=params, control=server)

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        """Return ∇fᵢ − cᵢ + c."""
        return tree.add(tree.sub(grads, client), server)

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the changes of the model and of cᵢ, and the new cᵢ."""
        slope = tree.scale(delta, -1 / (travelled(steps, info.momentum) * info.lr))
        change = tree.sub(slope, server)
        return tree.pack(model=delta, control=change), tree.add(client, change)

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Step along the mean update; move c by the cohort's share of the federation."""
        model, control = tree.unpack(payload, "model"), tree.unpack(payload, "control")
        share = info.expected_cohort / info.clients
        return (
            tree.add(params, tree.scale(model, self.server_lr)),
            tree.add(server, tree.scale(control, share)),
        )
