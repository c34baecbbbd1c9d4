"""The stage in which a trusted server adds noise to the sum of clipped updates."""

from __future__ import annotations

import math
from typing import ClassVar

from fedbench.channel.stage import Receiving, Stage
from fedbench.privacy.clip import SHARE, WITHIN, share_within
from fedbench.privacy.privacy import source
from fedbench.tree import Tree


class _ServerNoise(Stage):
    """Gaussian noise on the sum of updates, once a round.

    `updates` is the noise multiplier of the updates, whose norm an earlier stage bounds; `clipping`
    that of what clients say of their norms, if anything.
    """

    keeps_privacy: ClassVar[bool] = True

    updates: float
    clipping: float | None = None
    noise_seed: int | None = None

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Add noise of zC to the sum in all, which was divided already."""
        import torch

        rng = source(self.noise_seed, receiving.round)
        bounds = receiving.sensitivity
        std = self.updates * math.hypot(*bounds) / receiving.divisor
        noisy = {
            # together in double, as single precision would leave a trace of each
            name: (leaf.double() + std * torch.from_numpy(rng.standard_normal(leaf.shape))).to(
                leaf.dtype
            )
            for name, leaf in aggregate.items()
            if not name.endswith(WITHIN)
        }
        if self.clipping is not None:
            # each bit is ±½: one client changes their sum by √norms / 2 at most
            std = self.clipping * math.sqrt(len(bounds)) / 2 / receiving.divisor
            (said,) = (name for name in aggregate if name.endswith(WITHIN))
            share = share_within(aggregate[said])
            noisy[said.removesuffix(WITHIN) + SHARE] = share + std * torch.from_numpy(
                rng.standard_normal(len(bounds))
            )
        return noisy, receiving.server
