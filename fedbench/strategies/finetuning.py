"""The global model, trained on by each client for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class FineTuning(Strategy):
    """FedAvg, whose clients use what their own local training made of the global model.

    A client's model is the global one of the last round in which it took part, fine-tuned on the
    client's data by that round's local training (Wang et al. 2019, arXiv:1910.10252). It costs no
    gradient beyond FedAvg's, and the global model is FedAvg's.
    """

    def init_client(self, params: Tree) -> Tree:
        """Return the global model."""
        return dict(params)

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the update, and as the state the model that it leads to."""
        return delta, tree.add(anchor, delta)

    def personal(self, params: Tree, client: Tree) -> Tree | None:
        """Return the fine-tuned model."""
        return client
