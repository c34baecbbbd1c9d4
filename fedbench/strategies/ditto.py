"""A model of one's own that stays near the global one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from fedbench import tree
from fedbench.strategies.strategy import LocalWork, RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class Ditto(Strategy):
    """FedAvg, plus a personal model v for each client (Li et al. 2021, arXiv:2012.04221).

    v minimises the client's loss + λ/2·‖v − θ‖², where θ is the global model, with as many local
    steps as the training of θ. Small λ trusts the client's data, large λ the federation. v does not
    affect θ: the global model is FedAvg's for every λ.
    """

    keeps_privacy: ClassVar[bool] = True  # what is sent knows nothing of v

    lam: Annotated[
        float,
        Field(
            ge=0,
            title="λ",
            description=(
                "strength of the pull of the personal model v towards the global one: 0 trains "
                "alone, large values give the global model"
            ),
            json_schema_extra={"slider": [0, 10, 0.01], "formula": "g + λ(v − θ)"},
        ),
    ] = 0.1

    def init_client(self, params: Tree) -> Tree:
        """Return v = θ."""
        return dict(params)

    def companion(self) -> LocalWork | None:
        """Return the training of v."""
        return _Own(self.lam)

    def personal(self, params: Tree, client: Tree) -> Tree | None:
        """Return v."""
        return client


@dataclass(frozen=True)
class _Own:
    """Local training that starts from v, is pulled towards the global model and returns v."""

    lam: float

    def start(self, params: Tree, client: Tree) -> Tree:
        return client

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        return tree.add(grads, tree.scale(tree.sub(params, anchor), self.lam))

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        return {}, tree.add(client, delta)
