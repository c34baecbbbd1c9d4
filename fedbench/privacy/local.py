"""Privacy against the server too: each client adds noise to its own update before it sends it."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from fedbench import tree
from fedbench.channel.stage import Encoded, Sending, Stage
from fedbench.privacy.clipping import held
from fedbench.privacy.events import Kind
from fedbench.privacy.noise import laplace
from fedbench.privacy.privacy import Private, noise_field
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

OWN = (
    "noise on each client's own update, relative to 2C, the largest distance between two "
    "updates: more is more private and less accurate; none computes it from ε and the rounds"
)


class LocalDP(Private, family=True):
    """What local mechanisms share: a clipped update, and noise on it for all that it may differ.

    Any two updates of norm C are at most 2C apart: the noise multiplier z counts in these, so noise
    has the scale 2zC. Each client pays for the rounds that it takes part in, and nothing is gained
    by sampling or by the crowd. What it sends is safe whatever the server does with it.
    """

    unit: ClassVar[str] = "local"
    level: ClassVar[str] = "local"
    plain_sum: ClassVar[bool] = True
    neighbours: ClassVar[str] = "an update is any other that the client might have sent"
    protects: ClassVar[str] = "client, against the server too"
    added: ClassVar[str] = "added by each client to its own clipped update"
    uncovered: ClassVar[tuple[str, ...]] = ("Which clients take part, and when.",)
    alone: ClassVar[bool] = True
    noise_on_server: ClassVar[bool] = False  # what follows the noise is post-processing

    @abstractmethod
    def norms(self, payloads: Tree) -> Tensor:
        """Return the norm of each client's payload, which the noise is scaled by, float64[C]."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return noise of scale 1."""

    def clipped(self, payloads: Tree) -> Encoded:
        """Scale each client's payload down to norm C."""
        norms = self.norms(payloads)
        return Encoded(held(payloads, norms, self.clip), {}, norms, ~(norms <= self.clip))

    def on_update(self, rate: float) -> Self:
        """Return itself."""
        return self

    def stages(self) -> tuple[Stage, ...]:
        """Return clipping and noise, both on the clients."""
        return (_LocalNoise(mechanism=self),)


class _LocalNoise(Stage):
    """Each client's update clipped, and with noise of the client's own."""

    mechanism: LocalDP

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Scale each client's payload down to norm C and add its own noise to it."""
        import torch

        mechanism = self.mechanism
        within = mechanism.clipped(payloads)
        clipped = within.payloads
        scale = 2 * mechanism.solved() * mechanism.clip
        # A source for each client and round, and a client's leaves from it in their order.
        noise: dict[str, list[Tensor]] = {name: [] for name in clipped}
        for client in sending.ids.tolist():
            rng = mechanism.source(sending.round, client)
            for name, leaf in clipped.items():
                noise[name].append(torch.from_numpy(scale * mechanism.draw(rng, leaf.shape[1:])))
        sent = {
            # together in double, as single precision would leave a trace of each
            name: (leaf.double() + torch.stack(noise[name]).to(leaf.device)).to(leaf.dtype)
            if len(leaf)
            else leaf
            for name, leaf in clipped.items()
        }
        return Encoded(sent, {}, within.norms, within.clipped)

    def sees(self) -> str:
        """Return what local noise leaves of an update."""
        return "each update, clipped and with noise of its client's own"


class LocalGaussian(LocalDP):
    """Gaussian noise on each client's own update, of standard deviation 2zC.

    The noise for a budget is the exact one (Balle and Wang 2018, arXiv:1805.06530), over all rounds
    at once. C bounds the Euclidean norm.
    """

    display: ClassVar[str] = "Local DP, Gaussian noise"
    keeps_privacy: ClassVar[bool] = True

    noise_multiplier: Annotated[
        float | None,
        noise_field(OWN, "Δ_i + N(0, (2zC)²), ‖Δ_i‖ ≤ C"),
    ] = None

    def norms(self, payloads: Tree) -> Tensor:
        """Return the Euclidean norms."""
        return tree.norms(payloads)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return standard normal numbers."""
        return rng.standard_normal(shape)


class LocalLaplace(LocalDP):
    """Laplace noise on each client's own update, of scale 2zC (Dwork et al. 2006).

    C bounds the sum of absolute values, so noise grows with the model much faster than Gaussian
    noise does; what it buys is that ε holds without any δ, rounds × 1/z of it.
    """

    display: ClassVar[str] = "Local DP, Laplace noise"
    keeps_privacy: ClassVar[bool] = True

    kind_of_noise: ClassVar[Kind] = "laplace"
    norm_name: ClassVar[str] = "sum of absolute values"
    noise_multiplier: Annotated[
        float | None,
        noise_field(OWN, "Δ_i + Laplace(2zC), Σ|Δ_i| ≤ C"),
    ] = None

    def norms(self, payloads: Tree) -> Tensor:
        """Return the sums of absolute values."""
        sums = [leaf.flatten(1).abs().double().sum(1) for leaf in payloads.values()]
        return sum(sums[1:], sums[0])

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return Laplace numbers of scale 1."""
        return laplace(rng.bit_generator, math.prod(shape)).reshape(shape)
