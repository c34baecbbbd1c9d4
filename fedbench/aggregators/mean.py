"""The weighted mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fedbench.aggregators.aggregator import Aggregator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class Mean(Aggregator):
    """Weighted mean of the payloads; zero for an empty cohort."""

    is_sum: ClassVar[bool] = True
    keeps_privacy: ClassVar[bool] = True

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return Σ wᵢ·payloadᵢ / Σ wᵢ, or / `total` if given."""
        import torch

        share = weights / (total if total is not None else weights.sum().clamp(min=1e-12))
        return {
            name: torch.tensordot(share.to(leaf.dtype), leaf, dims=1)
            for name, leaf in payloads.items()
        }
