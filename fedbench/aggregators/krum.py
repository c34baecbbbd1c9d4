"""The payload, or the payloads, that most others are close to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from fedbench import tree
from fedbench.aggregators.aggregator import Aggregator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

Byzantine = Annotated[
    int,
    Field(
        ge=0,
        title="Corrupt clients",
        description=(
            "number f of clients that may be corrupt: each payload is scored by its n − f − 2 "
            "nearest others, so a cohort needs more than 2f + 2 clients"
        ),
        json_schema_extra={
            "slider": [0, 50, 1],
            "unit": "clients",
            "formula": "score(i) = Σ ‖Δ_i − Δ_j‖² over the n − f − 2 nearest j",
        },
    ),
]


class Krum(Aggregator):
    """Take the payload with the smallest sum of distances to its n − f − 2 nearest others.

    Ignores weights. Source: Blanchard et al. 2017 (arXiv:1703.02757).
    """

    byzantine: Byzantine = 1

    @property
    def least(self) -> int:
        """Return 2f + 3."""
        return least(self.byzantine)

    def too_few(self, cohort: int) -> str:
        """Return that Krum has no guarantee with so few clients."""
        return too_few(self.byzantine, cohort)

    def tolerates(self, cohort: int) -> int | None:
        """Return f."""
        return self.byzantine

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return the chosen payload; zeros for an empty cohort. Raises ValueError if too few."""
        if len(weights) == 0:
            return tree.map(lambda leaf: leaf.sum(0), payloads)
        return tree.row(payloads, ranking(payloads, self.byzantine)[0])


class MultiKrum(Aggregator):
    """Average the n − f payloads with the best Krum scores.

    Ignores weights. Source: Blanchard et al. 2017 (arXiv:1703.02757).
    """

    display: ClassVar[str] = "Multi-Krum"

    byzantine: Byzantine = 1

    @property
    def least(self) -> int:
        """Return 2f + 3."""
        return least(self.byzantine)

    def too_few(self, cohort: int) -> str:
        """Return that Krum has no guarantee with so few clients."""
        return too_few(self.byzantine, cohort)

    def tolerates(self, cohort: int) -> int | None:
        """Return f."""
        return self.byzantine

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return the mean of the best; zeros for an empty cohort. Raises ValueError if too few."""
        if len(weights) == 0:
            return tree.map(lambda leaf: leaf.sum(0), payloads)
        chosen = sorted(ranking(payloads, self.byzantine)[: len(weights) - self.byzantine])
        return tree.map(lambda leaf: leaf[chosen].mean(0), payloads)


def least(byzantine: int) -> int:
    """Return with how many clients Krum has a guarantee."""
    return 2 * byzantine + 3


def too_few(byzantine: int, cohort: int) -> str:
    """Return why Krum has no guarantee with so few clients."""
    return (
        f"with f = {byzantine} corrupt clients Krum needs at least {least(byzantine)} clients in a "
        f"round, and gets {cohort}; lower byzantine or use a larger cohort"
    )


def ranking(payloads: Tree, byzantine: int) -> list[int]:
    """Return the clients by their sum of squared distances to their n − f − 2 nearest others.

    Of two that are each other's nearest, the one that all others are nearer to comes first: the
    order of the clients must not decide. Raises ValueError for 2f + 2 clients or fewer.
    """
    import torch

    clients = len(next(iter(payloads.values())))
    if clients < least(byzantine):
        raise ValueError(f"aggregator.byzantine: {too_few(byzantine, clients)}")
    apart = torch.zeros((clients, clients), dtype=torch.float64)
    for block in tree.columns(payloads):
        rows = block.double()
        apart += torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square()
    apart = apart.sort(1).values
    nearest = apart[:, 1 : clients - byzantine - 1].sum(1).tolist()  # the first is itself
    whole = apart.sum(1).tolist()
    return sorted(range(clients), key=lambda client: (nearest[client], whole[client]))
