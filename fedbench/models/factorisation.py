"""Matrix factorisation: what a user makes of an item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fedbench.data.card import Card
from fedbench.models.model import Model, mismatch

if TYPE_CHECKING:
    from torch import nn


class MatrixFactorisation(Model):
    """Rating of an item by a user: p_u · q_i + b_u + b_i + b (Koren, Bell and Volinsky 2009).

    x is int64[B, 2], user and item; the output [B, 1] is a standardised rating, or the logit of
    yes for two classes. `training.weight_decay` is the paper's λ.
    """

    factors: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            title="Factors",
            description=(
                "length of the vector for each user and each item: longer fits more and "
                "overfits sooner"
            ),
            json_schema_extra={"slider": [1, 64, 1], "formula": "p_u·q_i + b_u + b_i + b"},
        ),
    ] = 8

    def build(self, card: Card) -> nn.Module:
        """Return factors of small random numbers and biases of zero.

        Raises ValueError for more than two classes: a score of a pair is one number.
        """
        from fedbench.models.pairs import Pairs

        if card.outputs > 1:
            raise ValueError(
                f"MatrixFactorisation outputs one number and {card.name} has {card.outputs} "
                "classes; use a target with two classes or a numeric one"
            )
        users, items = card.vocabulary
        return Pairs(users, items, self.factors)

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why these are no pairs of ids."""
        if len(vocabulary) == 2 and shape == (2,):
            return None
        takes = "MatrixFactorisation takes two columns of ids, user and item"
        return mismatch(takes, shape, vocabulary)
