"""The median of each coordinate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench import tree
from fedbench.aggregators.aggregator import Aggregator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class CoordinateMedian(Aggregator):
    """Median of each coordinate over the clients (Yin et al. 2018, arXiv:1803.01498).

    Ignores weights; for an even number of clients the two middle values are averaged.
    """

    def tolerates(self, cohort: int) -> int | None:
        """Return the largest minority."""
        return max(0, (cohort - 1) // 2)

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return the medians; zeros for an empty cohort."""
        clients = len(weights)
        if clients == 0:
            return tree.map(lambda leaf: leaf.sum(0), payloads)
        low, high = (clients - 1) // 2, clients // 2

        def middle(leaf: Tensor) -> Tensor:
            ordered = leaf.sort(0).values
            return (ordered[low] + ordered[high]) / 2

        return tree.by_columns(middle, payloads)
