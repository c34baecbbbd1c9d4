"""What is promised to whom: no privacy, or differential privacy for whole clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from fedbench import tree
from fedbench.channel.privacy import accounting
from fedbench.channel.stage import Encoded, Stage
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from dp_accounting import DpEvent


class Privacy(Stage, family=True):
    """The privacy that a run gives, as a step of the channel."""


class NoPrivacy(Privacy):
    """Updates travel as they are; nothing is promised."""


class ClientLevelDP(Privacy):
    """Differential privacy for everything that one client holds (DP-FedAvg).

    Each update is clipped to norm C, the sum gets Gaussian noise of standard deviation zC once, and
    is divided by the expected cohort. Source: McMahan et al. 2018 (arXiv:1710.06963). Neighbouring
    federations differ by one client (add or remove). The noise is floating-point: a simulation.
    """

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
            description="chance that the guarantee fails; keep it well below 1/clients",
            json_schema_extra={"slider": [1e-9, 0.1, 1e-9], "scale": "log"},
        ),
    ] = 1e-3
    clip: Annotated[
        float,
        Field(
            gt=0,
            title="Clip C",
            description="largest norm of one client's update",
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
    def _one_at_least(self) -> ClientLevelDP:
        if self.epsilon is None and self.noise_multiplier is None:
            raise ValueError(
                "epsilon and noise_multiplier are both none; give a budget, such as epsilon = 4, "
                "or the noise, such as noise_multiplier = 1"
            )
        return self

    def bind(self, rate: float, rounds: int) -> Self:
        """Return a copy whose noise is known: as given, or the least that keeps ε over `rounds`."""
        if self.noise_multiplier is not None or self.epsilon is None:
            return self
        noise = accounting.noise_multiplier(rate, rounds, self.epsilon, self.delta)
        return self.replace(noise_multiplier=noise)

    def encode(self, payloads: Tree) -> Encoded:
        """Scale each client's payload down to norm C; report norms and who was clipped."""
        norms = tree.norms(payloads)
        factors = (self.clip / norms.clamp(min=1e-12)).clamp(max=1.0)
        return Encoded(tree.scale(payloads, factors), norms, norms > self.clip)

    def decode(self, aggregate: Tree, divisor: float, noise: np.random.Generator | None) -> Tree:
        """Add Gaussian noise of standard deviation zC / divisor, which is zC on the sum."""
        import numpy as np
        import torch

        std = self._solved() * self.clip / divisor
        rng = noise if noise is not None else np.random.default_rng()
        return {
            name: leaf + std * torch.from_numpy(rng.standard_normal(leaf.shape)).to(leaf.dtype)
            for name, leaf in aggregate.items()
        }

    def event(self, rate: float) -> DpEvent:
        """Return the Gaussian mechanism on a Poisson sample of the clients."""
        return accounting.gaussian(rate, self._solved())

    def _solved(self) -> float:
        if self.noise_multiplier is None:
            raise ValueError("noise_multiplier is not solved yet: bind(rate, rounds) first")
        return self.noise_multiplier

    def noise(self, round: int) -> np.random.Generator:
        """Return a fresh generator: from the operating system, or from (noise_seed, round).

        It is numpy's, with 128 bits of entropy: torch's keeps 32 bits of its seed.
        """
        import numpy as np

        return np.random.default_rng(None if self.noise_seed is None else [self.noise_seed, round])
