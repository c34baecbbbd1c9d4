"""The mean of each coordinate without its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench import tree
from fedbench.aggregators.aggregator import Aggregator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class TrimmedMean(Aggregator):
    """Mean of each coordinate without its largest and smallest values (arXiv:1803.01498).

    Ignores weights. Source: Yin et al. 2018.
    """

    trim: Annotated[
        float,
        Field(
            ge=0,
            lt=0.5,
            title="Trimmed share",
            description=(
                "share β of the values dropped at each end: 0 is the mean, near 0.5 the median"
            ),
            json_schema_extra={
                "slider": [0, 0.49, 0.01],
                "formula": "Σ x_{(i)} / (n − 2k) over k < i ≤ n − k, k = ⌊βn⌋",
            },
        ),
    ] = 0.1

    def tolerates(self, cohort: int) -> int | None:
        """Return how many values are left out at each end."""
        return int(self.trim * cohort)

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return the trimmed means; zeros for an empty cohort."""
        clients = len(weights)
        if clients == 0:
            return tree.map(lambda leaf: leaf.sum(0), payloads)
        cut = int(self.trim * clients)
        return tree.by_columns(
            lambda block: block.sort(0).values[cut : clients - cut].mean(0), payloads
        )
