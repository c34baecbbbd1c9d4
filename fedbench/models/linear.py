"""One dense layer: softmax, logistic or linear regression, by the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedbench.data.card import Card
from fedbench.models.model import Model, numbers_only

if TYPE_CHECKING:
    from torch import nn


class Linear(Model):
    """Softmax, logistic or linear regression, depending on the task; starts from zero."""

    def build(self, card: Card) -> nn.Module:
        """Return one dense layer of zeros: its loss is convex, so the start does not matter."""
        from torch import nn

        layer = nn.Linear(card.inputs, card.outputs)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return nn.Sequential(nn.Flatten(), layer)

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why ids cannot be taken: their distances mean nothing."""
        return numbers_only("Linear", shape, vocabulary)
