"""The global model, trained on by each client for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class FineTuning(Strategy):
    """FedAvg, with the global model fine-tuned on each client's data.

    A client's personal model is the global model of the last round in which it took part,
    fine-tuned by that round's local training (Wang et al. 2019, arXiv:1910.10252). It costs no
    gradients beyond FedAvg's, and the global model is FedAvg's.
    """

    display: ClassVar[str] = "Fine-tuning"

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
