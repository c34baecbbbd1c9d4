"""Sending the opposite of the update."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from fedbench import tree
from fedbench.attacks.attack import Attack, Fraction
from fedbench.tree import Tree


class SignFlip(Attack):
    """Send −s times the honest update (Li et al. 2019, arXiv:1811.03761)."""

    fraction: Fraction = 0.2
    strength: Annotated[
        float,
        Field(
            gt=0,
            title="Strength s",
            description=(
                "length of what is sent, relative to the honest update: larger is a stronger attack"
            ),
            json_schema_extra={"slider": [0.1, 100, 0.1], "scale": "log", "formula": "−s·Δ_i"},
        ),
    ] = 4.0

    def share(self) -> float:
        """Return `fraction`."""
        return self.fraction

    def forge(self, payloads: Tree, rng: np.random.Generator) -> Tree:
        """Return the honest payload times −s."""
        return tree.scale(payloads, -self.strength)
