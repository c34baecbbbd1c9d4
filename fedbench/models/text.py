"""A bag of words: the mean of the embeddings of a text's tokens, then dense layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench.data.card import Card
from fedbench.models.model import Model, is_tokens, mismatch

if TYPE_CHECKING:
    from torch import nn


class TextClassifier(Model):
    """Mean of the tokens' embeddings, then dense layers (Joulin et al. 2016, arXiv:1607.01759).

    x is int64[B, length]; id 0 is padding and is ignored, and a text of only padding has the
    embedding 0. Works under `torch.func.vmap`, one example after another.
    """

    width: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            title="Embedding width",
            description=(
                "length of the embedding of each token: longer fits more and costs more bytes"
            ),
            json_schema_extra={"slider": [2, 512, 1], "scale": "log"},
        ),
    ] = 32
    hidden: Annotated[
        int | None,
        Field(
            ge=1,
            le=65536,
            title="Hidden units",
            description=(
                "units of a dense layer between the mean embedding and the outputs; none "
                "leaves it out"
            ),
            json_schema_extra={"slider": [2, 512, 1], "scale": "log", "none": "no hidden layer"},
        ),
    ] = None

    def build(self, card: Card) -> nn.Module:
        """Return the layers with torch's default initial weights; raises without a vocabulary."""
        from torch import nn

        (vocabulary,) = card.vocabulary
        bag = nn.EmbeddingBag(vocabulary, self.width, mode="mean", padding_idx=0)
        if self.hidden is None:
            return nn.Sequential(bag, nn.Linear(self.width, card.outputs))
        return nn.Sequential(
            bag,
            nn.Linear(self.width, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, card.outputs),
        )

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why these are no texts."""
        if is_tokens(shape, vocabulary):
            return None
        return mismatch("TextClassifier takes texts, (length,) of token ids", shape, vocabulary)
