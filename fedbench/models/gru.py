"""A recurrent network for texts and time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench.data.card import Card
from fedbench.models.model import Model, is_tokens, mismatch

if TYPE_CHECKING:
    from torch import nn


class GRU(Model):
    """Gated recurrent units whose last state gives the outputs (Cho et al. 2014, arXiv:1406.1078).

    x is int64[B, time] token ids, which are embedded, or float32[B, time, features]. Padding, id 0,
    leaves the state unchanged, so the outputs follow the last real token wherever the padding is.
    The cell is that of `torch.nn.GRU`, written with dense layers because `torch.nn.GRU` itself
    fails under `torch.func.vmap`.
    """

    width: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            title="Embedding width",
            description="length of the embedding of each token, for data of tokens",
            json_schema_extra={"slider": [2, 512, 1], "scale": "log"},
        ),
    ] = 32
    hidden: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            title="Hidden units",
            description="units of each layer: more fit more complex patterns and cost more bytes",
            json_schema_extra={"slider": [2, 512, 1], "scale": "log"},
        ),
    ] = 64
    layers: Annotated[
        int,
        Field(
            ge=1,
            le=16,
            title="Layers",
            description="recurrent layers, each reading the states of the one below",
            json_schema_extra={"slider": [1, 4, 1]},
        ),
    ] = 1

    def build(self, card: Card) -> nn.Module:
        """Return embedding, layers and outputs; initial weights are those of `torch.nn.GRU`."""
        from fedbench.models.recurrent import Recurrent

        vocabulary = card.vocabulary[0] if card.vocabulary else None
        inputs = self.width if vocabulary else card.shape[-1]
        return Recurrent(vocabulary, inputs, self.hidden, self.layers, card.outputs)

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why these are no sequences."""
        if is_tokens(shape, vocabulary) or (not vocabulary and len(shape) == 2):
            return None
        takes = "GRU takes sequences, (time,) of token ids or (time, features) of numbers"
        return mismatch(takes, shape, vocabulary)
