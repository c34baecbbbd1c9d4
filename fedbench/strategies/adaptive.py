"""What the adaptive server optimisers share (Reddi et al. 2021, arXiv:2003.00295)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from fedbench import tree
from fedbench.strategies.strategy import RoundInfo, Strategy, server_rate
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


STEP = "θ ← θ + η·m/(√v + τ)"


def forgetting(formula: str) -> Any:
    """Return the field of how long squared updates are remembered; `formula` says how."""
    return Field(
        ge=0,
        lt=1,
        title="β₂",
        description=(
            "decay of the second moment v: nearer to 1 averages squared updates over more rounds"
        ),
        json_schema_extra={"slider": [0, 0.999, 0.001], "formula": formula},
    )


class Adaptive(Strategy, family=True):
    """A server optimiser that scales each coordinate of its step by earlier updates.

    m ← β₁m + (1 − β₁)Δ and θ ← θ + η·m/(√v + τ), where Δ is the mean update and each subclass
    defines v. As in the paper, v starts at τ² and there is no bias correction.
    """

    server_lr: Annotated[
        float,
        server_rate(STEP, "server learning rate η: larger steps move every coordinate further"),
    ] = 0.03
    beta1: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="β₁",
            description=("decay of the momentum m: nearer to 1 is smoother and slower"),
            json_schema_extra={"slider": [0, 0.99, 0.01], "formula": "m ← β₁m + (1 − β₁)Δ"},
        ),
    ] = 0.9
    tau: Annotated[
        float,
        Field(
            gt=0,
            le=1e15,
            title="τ",
            description="adaptivity: smaller makes the steps of all coordinates more alike",
            json_schema_extra={
                "slider": [1e-6, 1, 1e-6],
                "scale": "log",
                "formula": STEP,
            },
        ),
    ] = 0.001

    @abstractmethod
    def second_moment(self, v: Tensor, square: Tensor) -> Tensor:
        """Return the new v from the old one and Δ², leaf by leaf."""

    def init(self, params: Tree) -> Tree:
        """Return m = 0 and v = τ²."""
        v = tree.map(lambda leaf: leaf.new_full(leaf.shape, self.tau**2), params)
        return tree.pack(m=tree.zeros_like(params), v=v)

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Renew m and v, and step."""
        m = tree.add(
            tree.scale(tree.unpack(server, "m"), self.beta1), tree.scale(payload, 1 - self.beta1)
        )
        v = tree.map(
            lambda old, delta: self.second_moment(old, delta.square()),
            tree.unpack(server, "v"),
            payload,
        )
        step = tree.map(lambda a, b: self.server_lr * a / (b.sqrt() + self.tau), m, v)
        return tree.add(params, step), tree.pack(m=m, v=v)
