"""Adam at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fedbench.strategies.adaptive import Adaptive, forgetting

if TYPE_CHECKING:
    from torch import Tensor


class FedAdam(Adaptive):
    """Adam on the server: β₂ decays squared updates (Reddi et al. 2021, arXiv:2003.00295)."""

    beta2: Annotated[float, forgetting("v ← β₂v + (1 − β₂)Δ²")] = 0.99

    def second_moment(self, v: Tensor, square: Tensor) -> Tensor:
        """Return β₂v + (1 − β₂)Δ²."""
        return self.beta2 * v + (1 - self.beta2) * square
