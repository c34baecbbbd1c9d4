"""Dense layers with activations between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from fedbench.data.card import Card
from fedbench.models.model import Model

if TYPE_CHECKING:
    from torch import nn

Width = Annotated[int, Field(ge=1, le=65536)]


class MLP(Model):
    """Multilayer perceptron, as the 2NN of McMahan et al. 2017 (arXiv:1602.05629)."""

    hidden: Annotated[
        tuple[Width, ...],
        Field(min_length=1, title="Hidden", description="units of each hidden layer, in order"),
    ] = (64,)
    activation: Annotated[
        Literal["relu", "tanh"], Field(title="Activation", description="between the layers")
    ] = "relu"

    def build(self, card: Card) -> nn.Module:
        """Return the layers with torch's default initial weights."""
        from torch import nn

        widths = (card.inputs, *self.hidden, card.outputs)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            activation = nn.ReLU() if self.activation == "relu" else nn.Tanh()
            layers += [nn.Linear(before, after), activation]
        return nn.Sequential(*layers[:-1])

    def dense(self) -> tuple[str, ...]:
        """Return the activation after each hidden layer."""
        return (self.activation,) * len(self.hidden)
