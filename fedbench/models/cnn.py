"""A small convolutional network for images."""

from __future__ import annotations

from itertools import pairwise
from math import gcd, prod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench.data.card import Card
from fedbench.models.mlp import Width
from fedbench.models.model import Model, mismatch

if TYPE_CHECKING:
    from torch import nn

KERNEL = 5
GROUPS = 8  # channels that have no such divisor fall into as many groups as divide them


class CNN(Model):
    """Convolutional network of McMahan et al. 2017 (arXiv:1602.05629).

    Each of `channels` is a 5 × 5 convolution that keeps the size, ReLU and 2 × 2 max pooling; a
    dense layer and the outputs follow. x is [B, height, width] or [B, channels, height, width].
    28 × 28 grey pixels and ten classes give its 1,663,370 parameters.
    """

    channels: Annotated[
        tuple[Width, ...],
        Field(
            min_length=1,
            title="Channels",
            description=("channels of each convolution, in order; each halves height and width"),
        ),
    ] = (32, 64)
    hidden: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            title="Hidden units",
            description=(
                "units of the dense layer after the convolutions: more fit more complex "
                "patterns and cost more bytes"
            ),
            json_schema_extra={"slider": [8, 1024, 1], "scale": "log"},
        ),
    ] = 512
    norm: Annotated[
        bool,
        Field(
            title="Group norm",
            description=(
                "normalise groups of channels after each convolution, separately for each example"
            ),
        ),
    ] = False

    def build(self, card: Card) -> nn.Module:
        """Return the layers with torch's default initial weights; see `unsuited` for the shape."""
        from torch import nn

        grey = len(card.shape) == 2
        planes, height, width = (1, *card.shape) if grey else card.shape
        layers: list[nn.Module] = [nn.Unflatten(1, (1, height))] if grey else []
        for before, after in pairwise((planes, *self.channels)):
            layers.append(nn.Conv2d(before, after, KERNEL, padding="same"))
            if self.norm:
                # batch statistics would mix examples, and clients that hold different classes
                layers.append(nn.GroupNorm(gcd(after, GROUPS), after))
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        halvings = 2 ** len(self.channels)
        pixels = prod((self.channels[-1], height // halvings, width // halvings))
        return nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(pixels, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, card.outputs),
        )

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why these are no images, or are too small to be halved that often."""
        if vocabulary or len(shape) not in (2, 3):
            takes = "CNN takes images, (height, width) or (channels, height, width)"
            return mismatch(takes, shape, vocabulary)
        least = 2 ** len(self.channels)
        if min(shape[-2:]) < least:
            return mismatch(
                f"CNN with {len(self.channels)} convolutions takes images of at least {least} "
                f"× {least} pixels",
                shape,
                vocabulary,
            )
        return None
