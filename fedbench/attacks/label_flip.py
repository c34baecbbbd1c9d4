"""Training on wrong labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench.attacks.attack import Attack, Fraction
from fedbench.data.card import Card

if TYPE_CHECKING:
    from torch import Tensor


class LabelFlip(Attack):
    """Train on mirrored labels: class y becomes K − 1 − y (Fang et al. 2020, arXiv:1911.11815).

    Regression targets, which are standardised, change sign.
    """

    fraction: Fraction = 0.2

    def share(self) -> float:
        """Return `fraction`."""
        return self.fraction

    def poison(self, targets: Tensor, card: Card) -> Tensor:
        """Return the mirrored targets."""
        return len(card.classes) - 1 - targets if card.task == "classification" else -targets
