"""A shared body and a head of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class FedPer(Strategy):
    """Average the body only; each client keeps a personal head (arXiv:1912.00818).

    The parameters of the head never leave their client. The global model keeps the head that it
    started with, so evaluate this algorithm by the personal models. Source: Arivazhagan et al.
    2019.
    """

    layers: Annotated[
        int,
        Field(
            ge=1,
            title="Personal layers",
            description=(
                "number of layers, counted from the output, that stay on each client: more are "
                "more personal"
            ),
            json_schema_extra={"slider": [1, 5, 1]},
        ),
    ] = 1

    def init_client(self, params: Tree) -> Tree:
        """Return the head of the global model. Raises ValueError if no body is left."""
        return self._head(params)

    def start(self, params: Tree, client: Tree) -> Tree:
        """Return the global body under the client's own head."""
        return {**params, **client}

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the update of the body, and the new head."""
        head = tree.add(client, {name: delta[name] for name in client})
        return {name: leaf for name, leaf in delta.items() if name not in client}, head

    def broadcast(self, params: Tree, server: Tree) -> Tree:
        """Return the body."""
        head = self._head(params)
        return {name: leaf for name, leaf in params.items() if name not in head}

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Add the mean update to the body."""
        return {**params, **{name: params[name] + leaf for name, leaf in payload.items()}}, server

    def personal(self, params: Tree, client: Tree) -> Tree | None:
        """Return the global body under the client's own head."""
        return self.start(params, client)

    def _head(self, params: Tree) -> dict[str, Tensor]:
        # A norm's vectors are no layer of their own: they go with the matrix before them.
        matrices = [name for name, leaf in params.items() if leaf.dim() > 1]
        owners = list(dict.fromkeys(name.rpartition(".")[0] for name in matrices))
        if len(owners) <= self.layers:
            raise ValueError(
                f"strategy.layers: {self.layers} personal layers leave nothing to share in a "
                f"model of {len(owners)} layers; keep fewer, or choose a deeper model"
            )
        names = list(params)
        first = next(k for k, n in enumerate(names) if n.startswith(f"{owners[-self.layers]}."))
        return {name: params[name] for name in names[first:]}
