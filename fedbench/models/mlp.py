"""Dense layers with activations between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from fedbench.data.card import Card
from fedbench.models.model import Model, numbers_only

if TYPE_CHECKING:
    from torch import nn

Width = Annotated[int, Field(ge=1, le=65536)]


class MLP(Model):
    """Multilayer perceptron, as the 2NN of McMahan et al. 2017 (arXiv:1602.05629)."""

    hidden: Annotated[
        tuple[Width, ...],
        Field(
            min_length=1,
            title="Hidden units",
            description=(
                "units of each hidden layer, in order: more fit more complex patterns and cost "
                "more bytes"
            ),
        ),
    ] = (64,)
    activation: Annotated[
        Literal["relu", "tanh"],
        Field(title="Activation", description="function applied between the layers"),
    ] = "relu"
    norm: Annotated[
        bool,
        Field(
            title="Layer norm",
            description=(
                "normalise each hidden layer before its activation, separately for each example"
            ),
        ),
    ] = False

    def build(self, card: Card) -> nn.Module:
        """Return the layers with torch's default initial weights."""
        from torch import nn

        widths = (card.inputs, *self.hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers.append(nn.Linear(before, after))
            if self.norm:
                layers.append(nn.LayerNorm(after))
            layers.append(nn.ReLU() if self.activation == "relu" else nn.Tanh())
        return nn.Sequential(*layers, nn.Linear(widths[-1], card.outputs))

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why ids cannot be taken: their distances mean nothing."""
        return numbers_only("MLP", shape, vocabulary)
