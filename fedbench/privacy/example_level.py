"""Privacy of single examples, by clients that add noise to each local step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fedbench.privacy.clipping import factors
from fedbench.privacy.privacy import Private

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class ExampleLevelDP(Private):
    """Differential privacy for each single example of each client (DP-SGD, arXiv:1607.00133).

    In a local step each example's gradient is clipped to norm C, the sum gets Gaussian noise of
    standard deviation zC, and is divided by the expected batch. Each example is in each batch with
    probability batch / samples, independently. Every client has an ε by its own rate and steps, and
    the largest is reported; sizes of clients count as public. Source: Abadi et al. 2016.
    In neighbouring data sets one example's gradients are what they are, or nothing. The noise is
    floating-point: a simulation.
    """

    display: ClassVar[str] = "Example-level DP"
    keeps_privacy: ClassVar[bool] = True

    unit: ClassVar[str] = "example"
    level: ClassVar[str] = "example-level"
    neighbours: ClassVar[str] = (
        "one example's gradients are what they are, or nothing; how many examples each client has "
        "is public"
    )
    alone: ClassVar[bool] = True
    noise_on_server: ClassVar[bool] = False  # it is in the gradients already

    def batches(self, round: int, client: int) -> np.random.Generator:
        """Return the source that decides who is in the batches of `client`; see `source`."""
        return self.source(round, client, 0)

    def perturbation(self, round: int, client: int) -> np.random.BitGenerator:
        """Return the source of the noise of `client` in `round`; see `noise.normal`."""
        return self.bits(round, client, 1)

    def shares(self, norms: Tensor, losses: Tensor) -> Tensor:
        """Return what each example's gradient is multiplied by, [B] of norms and losses [B].

        It is min(1, C / norm), and 0 where the loss or the gradient is not finite: whatever an
        example holds, it adds a vector of norm C or less.
        """
        import torch

        found = factors(norms, self.clip)
        return torch.where(losses.isfinite(), found, torch.zeros_like(found))
