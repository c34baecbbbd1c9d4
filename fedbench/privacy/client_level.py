"""Privacy of clients, by a server that is trusted to add the noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from fedbench import tree
from fedbench.channel.stage import Encoded, Sending, Stage
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup, located
from fedbench.privacy.clip import Clip
from fedbench.privacy.clipping import Clipping, FlatClipping
from fedbench.privacy.events import gaussian
from fedbench.privacy.privacy import Private
from fedbench.privacy.server_noise import _ServerNoise
from fedbench.tree import Tree

if TYPE_CHECKING:
    from dp_accounting import DpEvent


class ClientLevelDP(Private):
    """Differential privacy for all updates of a client (DP-FedAvg).

    Each update is clipped to norm C, the sum gets Gaussian noise of standard deviation zC once, and
    is divided by the expected cohort. Source: McMahan et al. 2018 (arXiv:1710.06963). In
    neighbouring federations one client's updates are what they are, or nothing; the number of
    clients, which the divisor shows, is public. Where clients do not take part independently of
    each other, nothing is gained by sampling: each pays for its own rounds. The noise is
    floating-point: a simulation.
    """

    display: ClassVar[str] = "Client-level DP"
    keeps_privacy: ClassVar[bool] = True

    unit: ClassVar[str] = "client"
    level: ClassVar[str] = "client-level"
    plain_sum: ClassVar[bool] = True
    neighbours: ClassVar[str] = (
        "one client's updates are what they are, or nothing; the number of clients is public"
    )

    clipping: Annotated[
        Clipping, Field(title="Clipping", description="how updates are clipped to norm C")
    ] = FlatClipping()
    evaluation_share: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="For evaluation",
            description=(
                "part e of each round's privacy that is spent on measuring accuracy on the "
                "cohort's own test rows: at 0 accuracy is exact and not covered by ε"
            ),
            json_schema_extra={
                "slider": [0, 0.5, 0.01],
                "formula": "z_Δ = z/√(1 − e), z_{eval} = z/√e",
            },
        ),
    ] = 0.0

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse scores that have no bound, and shares that leave nothing for the updates."""
        yield from located(self.clipping.check(setup), ".clipping")
        share, data = self.evaluation_share, setup.data
        if share and data.task != "classification":
            yield Problem(
                ".evaluation_share",
                f"{data.kind()} is a {data.task} set, whose errors have "
                "no bound to scale the noise by; set it to 0",
                share,
            )
        if share and setup.target is not None and setup.target.metric != setup.metric:
            yield Problem(
                "target.metric",
                f"only {setup.metric} is measured under privacy; choose it, or set "
                "privacy.evaluation_share to 0",
                setup.target.metric,
            )
        spent = share + self.clipping.spends()
        if spent >= 1:
            yield Problem(
                ".evaluation_share",
                f"with privacy.clipping.share it takes {spent:g} of each round's privacy, and "
                "leaves nothing for the updates; together they must be less than 1",
                share,
            )

    def describe_clipping(self) -> str:
        """Return what is clipped, and how the norm is chosen."""
        first = ", at first" if self.clipping.spends() else ""
        return f"{super().describe_clipping()}{first} ({self.clipping.kind()})"

    def on_update(self, rate: float) -> Self:
        """Return itself."""
        return self

    def clipped(self, payloads: Tree) -> Encoded:
        """Clip each client's payload, as in the first round."""
        clip = Clip(norm=self.clip, clipping=self.clipping)
        _, server = clip.init(tree.row(payloads, 0))
        ids = np.arange(len(next(iter(payloads.values()))))
        return clip.encode(payloads, Sending(1, ids, server=server))

    def noises(self) -> dict[str, float]:
        """Return the noise multiplier of each sum that a round releases about the same clients.

        Together they are one release with noise z: the squares of their inverses add up to z⁻².
        Raises ValueError where nothing would be left for the updates.
        """
        z, left = self.solved(), 1.0
        found = {}
        for name, share in (
            ("clipping", self.clipping.spends()),
            ("evaluation", self.evaluation_share),
        ):
            left -= share
            if share:
                found[name] = z / math.sqrt(share)
        if left <= 0:
            raise ValueError(
                f"privacy.evaluation_share = {self.evaluation_share:g} and privacy.clipping.share "
                f"= {self.clipping.spends():g} leave nothing of the privacy for the updates; "
                "together they must be less than 1"
            )
        return {"updates": z / math.sqrt(left) if found else z, **found}

    def event(self, rate: float) -> DpEvent:
        """Return one round's releases, all about the same sample of the clients."""
        return gaussian(rate, *self.noises().values())

    def stages(self) -> tuple[Stage, ...]:
        """Return clipping on the clients, and noise on the server."""
        noises = self.noises()
        return (
            Clip(norm=self.clip, clipping=self.clipping),
            _ServerNoise(
                updates=noises["updates"],
                clipping=noises.get("clipping"),
                noise_seed=self.noise_seed,
            ),
        )

    @property
    def measures(self) -> bool:
        """Return whether a share of the privacy is spent on it."""
        return self.evaluation_share > 0

    def measured(self, shares: np.ndarray, round: int) -> float:
        """Return the noisy mean of `shares`, one in [0, 1] for each client of the cohort with one.

        Both their sum and their number are released, as not every client has test rows. NaN where
        it is not asked for, and where the noisy number is less than one client.
        """
        noise = self.noises().get("evaluation")
        if noise is None:
            return math.nan
        # Taken from a half on, one client changes the sum by a half at most, and half its number by
        # a half: √½ in all.
        first, second = noise * math.sqrt(0.5) * self.source(round, 1).standard_normal(2)
        number = 2 * (len(shares) / 2 + second)
        if number < 1:
            return math.nan
        return min(1.0, max(0.0, float(0.5 + ((shares - 0.5).sum() + first) / number)))
