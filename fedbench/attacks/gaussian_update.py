"""Sending noise in place of an update."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from fedbench import tree
from fedbench.attacks.attack import Attack, Fraction
from fedbench.tree import Tree


class GaussianUpdate(Attack):
    """Send Gaussian noise instead of the update (Blanchard et al. 2017, arXiv:1703.02757)."""

    fraction: Fraction = 0.2
    std: Annotated[
        float,
        Field(
            gt=0,
            title="Standard deviation s",
            description=(
                "standard deviation s of each coordinate that is sent: larger is a stronger attack"
            ),
            json_schema_extra={
                "slider": [0.001, 100, 0.001],
                "scale": "log",
                "formula": "Δ_i ~ N(0, s²)",
            },
        ),
    ] = 1.0

    def share(self) -> float:
        """Return `fraction`."""
        return self.fraction

    def forge(self, payloads: Tree, rng: np.random.Generator) -> Tree:
        """Return noise in the shapes of the honest payload."""
        import torch

        return tree.map(
            lambda leaf: torch.from_numpy(self.std * rng.standard_normal(leaf.shape)).to(leaf),
            payloads,
        )
