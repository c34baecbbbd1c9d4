"""Privacy of single examples, by clients that add noise to each local step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fedbench.config.setup import Setup
from fedbench.privacy import exposure
from fedbench.privacy.client_level import ClientLevelDP
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
    protects: ClassVar[str] = "example of a client"
    covered: ClassVar[str] = "one example of one client"
    added: ClassVar[str] = "added by each client to each sum of clipped gradients (DP-SGD)"
    clips: ClassVar[str] = "gradient"
    drawn: ClassVar[str] = "examples by Poisson sampling, drawn again in each local step"
    uncovered: ClassVar[tuple[str, ...]] = (
        "The number of examples of each client, and which clients take part.",
        "All examples of a person together, where a person has several.",
    )
    alone: ClassVar[bool] = True
    noise_on_server: ClassVar[bool] = False  # it is in the gradients already

    @property
    def of_examples(self) -> ExampleLevelDP:
        """Return itself."""
        return self

    def warn_of_delta(self, setup: Setup) -> Iterator[str]:
        """Say where δ is so large that one record could be published."""
        limit, of = 1 / exposure.examples(setup), "samples of all clients"
        yield from exposure.large_delta(self.delta, limit, of, "one full record")

    def warn_of_sampling(self, setup: Setup) -> Iterator[str]:
        """Say that weights reveal how many examples a client has."""
        if setup.strategy.weighting == "samples":
            yield (
                "strategy.weighting = 'samples': the number of examples of each client counts "
                "as public; 'uniform' does not reveal it"
            )

    def beyond(self, setup: Setup) -> Iterator[str]:
        """Say too that a reading may be part of several examples."""
        yield from super().beyond(setup)
        yield from exposure.overlapping(setup.data)

    def on_update(self, rate: float) -> ClientLevelDP:
        """Return what clips and noises the update: a step scales its gradient by `rate`."""
        return ClientLevelDP(
            clip=self.clip * rate,
            noise_multiplier=self.solved(),
            noise_seed=self.noise_seed,
        )

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
