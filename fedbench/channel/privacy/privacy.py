"""What is promised to whom: no privacy, or differential privacy for whole clients or examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from fedbench import tree
from fedbench.channel.privacy import accounting
from fedbench.channel.stage import Encoded, Release, Stage
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    import torch
    from dp_accounting import DpEvent

WORDS, STATE = 624, 24  # words of a Mersenne twister, and the byte where torch's state holds them


class Privacy(Stage, family=True):
    """The privacy that a run gives, as a step of the channel."""


class NoPrivacy(Privacy):
    """Updates travel as they are; nothing is promised."""


class Private(Privacy, family=True):
    """What both kinds of differential privacy share: a Gaussian mechanism and its budget."""

    unit: ClassVar[str]

    epsilon: Annotated[
        float | None,
        Field(
            gt=0,
            title="Budget ε",
            description="a run stops before the round that would pass it; alone, it sets the noise",
            json_schema_extra={"slider": [0.1, 20, 0.1], "scale": "log", "none": "no budget"},
        ),
    ] = None
    noise_multiplier: Annotated[
        float | None,
        Field(
            ge=0.01,
            le=1e4,
            title="Noise z",
            description="noise on the sum, in clipping norms; none solves it from ε and the rounds",
            json_schema_extra={"slider": [0.1, 20, 0.01], "scale": "log", "none": "from ε"},
        ),
    ] = None
    delta: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            title="δ",
            description="chance that the guarantee fails; keep it well below 1/units",
            json_schema_extra={"slider": [1e-9, 0.1, 1e-9], "scale": "log"},
        ),
    ] = 1e-3
    clip: Annotated[
        float,
        Field(
            gt=0,
            title="Clip C",
            description="largest norm of one unit's contribution: a client's update, or a gradient",
            json_schema_extra={"slider": [0.01, 100, 0.01], "scale": "log"},
        ),
    ] = 1.0
    noise_seed: Annotated[
        int | None,
        Field(
            ge=0,
            title="Noise seed",
            description="makes the noise predictable: for tests and notebooks only, never for real",
            json_schema_extra={"none": "from the system"},
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _some_budget(cls, data: Any) -> Any:
        if isinstance(data, dict) and not {"epsilon", "noise_multiplier"} & set(data):
            return data | {"epsilon": 4.0}
        return data

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.epsilon is None and self.noise_multiplier is None:
            raise ValueError(
                "epsilon and noise_multiplier are both none; give a budget, such as epsilon = 4, "
                "or the noise, such as noise_multiplier = 1"
            )
        return self

    def bind(self, releases: Iterable[Release]) -> Self:
        """Return a copy whose noise is known: as given, or the least that keeps every unit's ε."""
        if self.noise_multiplier is not None or self.epsilon is None:
            return self
        noise = accounting.shared_noise_multiplier(releases, self.epsilon, self.delta)
        return self.replace(noise_multiplier=noise)

    def event(self, rate: float) -> DpEvent:
        """Return the Gaussian mechanism on a Poisson sample of the units."""
        return accounting.gaussian(rate, self.solved())

    def solved(self) -> float:
        """Return the noise multiplier. Raises ValueError before `bind`."""
        if self.noise_multiplier is None:
            raise ValueError("noise_multiplier is not solved yet: bind it to its releases first")
        return self.noise_multiplier

    def source(self, *key: int) -> np.random.Generator:
        """Return a fresh source of chance: from the operating system, or from (noise_seed, *key).

        It is numpy's, with 128 bits of entropy: torch's keeps 32 bits of its seed.
        """
        import numpy as np

        return np.random.default_rng(None if self.noise_seed is None else [self.noise_seed, *key])


class ClientLevelDP(Private):
    """Differential privacy for everything that one client holds (DP-FedAvg).

    Each update is clipped to norm C, the sum gets Gaussian noise of standard deviation zC once, and
    is divided by the expected cohort. Source: McMahan et al. 2018 (arXiv:1710.06963). Neighbouring
    federations differ by one client (add or remove). The noise is floating-point: a simulation.
    """

    unit: ClassVar[str] = "client"

    def encode(self, payloads: Tree) -> Encoded:
        """Scale each client's payload down to norm C; report norms and who was clipped."""
        norms = tree.norms(payloads)
        factors = (self.clip / norms.clamp(min=1e-12)).clamp(max=1.0)
        return Encoded(tree.scale(payloads, factors), norms, norms > self.clip)

    def decode(self, aggregate: Tree, divisor: float, noise: np.random.Generator | None) -> Tree:
        """Add Gaussian noise of standard deviation zC / divisor, which is zC on the sum."""
        import numpy as np
        import torch

        std = self.solved() * self.clip / divisor
        rng = noise if noise is not None else np.random.default_rng()
        return {
            name: leaf + std * torch.from_numpy(rng.standard_normal(leaf.shape)).to(leaf.dtype)
            for name, leaf in aggregate.items()
        }

    def noise(self, round: int) -> np.random.Generator:
        """Return the source of the noise on the sum of `round`; see `source`."""
        return self.source(round)


class ExampleLevelDP(Private):
    """Differential privacy for each single example of each client (DP-SGD, arXiv:1607.00133).

    In a local step each example's gradient is clipped to norm C, the sum gets Gaussian noise of
    standard deviation zC, and is divided by the expected batch. Each example is in each batch with
    probability batch / samples, independently. Every client has an ε by its own rate and steps, and
    the largest is reported; sizes of clients count as public. Source: Abadi et al. 2016.
    Neighbouring data sets differ by one example (add or remove). The noise is floating-point: a
    simulation.
    """

    unit: ClassVar[str] = "example"

    def batches(self, round: int, client: int) -> np.random.Generator:
        """Return the source that decides who is in the batches of `client`; see `source`."""
        return self.source(round, client, 0)

    def perturbation(self, round: int, client: int) -> torch.Generator:
        """Return the source of the noise of `client` in `round`, with all entropy of torch's kind.

        Local steps take much noise, which torch draws four times as fast as numpy.
        """
        return seeded(self.source(round, client, 1))


def seeded(rng: np.random.Generator) -> torch.Generator:
    """Return torch's Mersenne twister with its whole state, 19,937 bits, drawn from `rng`.

    `manual_seed` would keep 32 bits, and two clients or rounds could meet with the same noise.
    """
    import numpy as np
    import torch

    generator = torch.Generator()
    state = generator.get_state().numpy().copy()
    words = rng.integers(2**32, size=WORDS, dtype=np.uint64)
    state[STATE : STATE + 8 * WORDS] = words.view(np.uint8)
    generator.set_state(torch.from_numpy(state))
    return generator
