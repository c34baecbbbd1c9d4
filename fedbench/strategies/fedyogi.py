"""Yogi at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fedbench.strategies.adaptive import Adaptive, forgetting

if TYPE_CHECKING:
    from torch import Tensor


class FedYogi(Adaptive):
    """Yogi on the server: v follows Δ² in additive steps (Reddi et al. 2021, arXiv:2003.00295)."""

    beta2: Annotated[float, forgetting("v ← v − (1 − β₂)Δ²·sign(v − Δ²)")] = 0.99

    def second_moment(self, v: Tensor, square: Tensor) -> Tensor:
        """Return v − (1 − β₂)Δ²·sign(v − Δ²)."""
        return v - (1 - self.beta2) * square * (v - square).sign()
