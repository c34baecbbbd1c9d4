"""The point with the least sum of distances to all payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench import tree
from fedbench.aggregators.aggregator import Aggregator
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class GeometricMedian(Aggregator):
    """Weighted geometric median by smoothed Weiszfeld steps (RFA, arXiv:1912.13445).

    Robust while less than half of the weight is corrupt. Source: Pillutla et al. 2022.
    """

    steps: Annotated[
        int,
        Field(
            ge=1,
            title="Maximum steps",
            description=(
                "maximum number of Weiszfeld steps: more come closer to the median; stops "
                "early on convergence"
            ),
            json_schema_extra={"slider": [1, 200, 1]},
        ),
    ] = 50
    smoothing: Annotated[
        float,
        Field(
            gt=0,
            title="Smoothing",
            description=(
                "distances below ν count as ν: larger brings the result closer to the mean"
            ),
            json_schema_extra={
                "slider": [1e-8, 0.1, 1e-8],
                "scale": "log",
                "formula": "v ← Σ β_i Δ_i / Σ β_i, β_i = w_i / max(ν, ‖Δ_i − v‖)",
            },
        ),
    ] = 1e-6

    def tolerates(self, cohort: int) -> int | None:
        """Return the largest minority."""
        return max(0, (cohort - 1) // 2)

    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return the geometric median; zeros for an empty cohort."""
        import torch

        if len(weights) == 0:
            return tree.map(lambda leaf: leaf.sum(0), payloads)
        shares = (weights / weights.sum()).double()
        pull = shares
        for _ in range(self.steps):
            centre = {
                name: torch.tensordot((pull / pull.sum()).to(leaf.dtype), leaf, dims=1)
                for name, leaf in payloads.items()
            }
            middle = tree.columns({name: centre[name].expand_as(payloads[name]) for name in centre})
            squares = [
                tree.norms({"block": block - at}).square()
                for block, at in zip(tree.columns(payloads), middle, strict=True)
            ]
            apart = sum(squares[1:], squares[0]).sqrt().clamp(min=self.smoothing)
            nearer = shares / apart
            change = (nearer / nearer.sum() - pull / pull.sum()).abs().max()
            pull = nearer
            if change < 1e-9:
                break
        return {
            name: torch.tensordot((pull / pull.sum()).to(leaf.dtype), leaf, dims=1)
            for name, leaf in payloads.items()
        }
