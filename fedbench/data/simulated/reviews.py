"""Short reviews on the sites of several shops."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import (
    LICENCE,
    MADE,
    SimulationSeed,
    knob,
    shares,
    sigmoid,
)
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, RandomSplit, Raw

PLACES = 24
SHORTEST = 6  # words
# Ids: 0 is padding, then come words of feeling, words that anyone uses, and words of goods.
FEELINGS, COMMON, GOODS = 300, 300, 500
OWN = 60  # words of goods that a shop uses
KINDS = np.array([0.25, 0.4, 0.35])  # shares of words of feeling, common ones and those of goods


class Reviews(World, RandomSplit):
    """Whether a review is positive, at shops that sell different things.

    A review is positive or negative; each of its 6 to 24 words is drawn independently: a sentiment
    word, which agrees with the review with probability `clarity`; a common word; or a word for the
    shop's products. Within each kind words follow Zipf's law. `truth` is the probability of
    positive given the words and the shop, by Bayes' rule, which only sentiment words affect.
    """

    holder: ClassVar[str] = "shop"
    total: ClassVar[str] = "reviews"
    stream: ClassVar[int] = 8
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (PLACES,)
    vocabulary: ClassVar[tuple[int, ...]] = (1 + FEELINGS + COMMON + GOODS,)
    shops: Annotated[
        int,
        Field(
            ge=1,
            le=500,
            title="Shops",
            description="number of shops",
            json_schema_extra={"slider": [1, 50, 1]},
        ),
    ] = 8
    reviews: Annotated[
        int,
        Field(
            ge=100,
            le=1_000_000,
            title="Reviews",
            description="number of reviews, all shops together",
            json_schema_extra={"slider": [100, 100_000, 100], "scale": "log"},
        ),
    ] = 4000
    clarity: Annotated[
        float,
        Field(
            ge=0.5,
            le=0.99,
            title="Clarity",
            description=(
                "probability that a sentiment word agrees with its review: at 0.5 words "
                "carry no information"
            ),
            json_schema_extra={"slider": [0.5, 0.99, 0.01]},
        ),
    ] = 0.85
    slang: Annotated[
        float,
        knob(
            "Slang",
            "share of the sentiment words that mean the opposite at a shop, different words at "
            "each",
            most=0.5,
        ),
    ] = 0.0
    contentment: Annotated[
        float,
        knob("Contentment", "standard deviation, over shops, of the log odds of a positive review"),
    ] = 0.5
    world_seed: SimulationSeed = 0

    def table(self) -> Raw:
        """Return word ids, int64[N, 24], 1 for praise and 0 for blame, and its probability."""
        rng = self._chance()
        shop = np.repeat(np.arange(self.shops), shares(self.shops, self.reviews, 0.6, rng))
        odds = self.contentment * rng.standard_normal(self.shops)
        y = (rng.random(self.reviews) < sigmoid(odds)[shop]).astype(np.int64)
        words = _words(self.shops, self.clarity, self.slang, rng)
        x = np.empty((self.reviews, PLACES), dtype=np.int64)
        for k in range(self.shops):
            for label in (0, 1):
                mine = (shop == k) & (y == label)
                draws = rng.choice(words.shape[2], (int(mine.sum()), PLACES), p=words[k, label])
                x[mine] = draws
        length = rng.integers(SHORTEST, PLACES + 1, self.reviews)
        x[np.arange(PLACES) >= length[:, None]] = 0
        # where neither can have written a word, as padding, it tells nothing
        told = np.log(np.where(words > 0, words, 1))
        told = told[:, 1] - told[:, 0]
        return Raw(
            self._card(),
            x,
            y,
            {"shop": Column(self._names(), shop)},
            truth=sigmoid(odds[shop] + told[shop[:, None], x].sum(1)),
        )

    def _card(self) -> Card:
        return Card(
            name="Reviews",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=tuple(f"word {k + 1}" for k in range(PLACES)),
            target="sentiment",
            classes=("negative", "positive"),
            vocabulary=self.vocabulary,
            client=self.holder,
            traps=(
                "simulated: words are drawn independently, so their order carries no "
                "information, and negation does not occur",
                "where shops differ in satisfaction, the words for their products seem to "
                "carry sentiment, and do not",
                "the best score knows the shop and what each word means there",
            ),
        )


def _zipf(count: int) -> NDArray[np.float64]:
    weight = 1 / (np.arange(count) + 5.0)
    return weight / weight.sum()


def _words(
    shops: int, clarity: float, slang: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the probability of each word at each shop, in blame and in praise, [shops, 2, V]."""
    found = np.zeros((shops, 2, 1 + FEELINGS + COMMON + GOODS))
    feelings, common, goods = np.split(found[:, :, 1:], [FEELINGS, FEELINGS + COMMON], axis=2)
    often, good = _zipf(FEELINGS), np.arange(FEELINGS) % 2 == 0
    common[:] = KINDS[1] * _zipf(COMMON)
    for k in range(shops):
        means_well = good ^ (rng.random(FEELINGS) < slang)
        for label, agrees in ((0, ~means_well), (1, means_well)):
            for chance, those in ((clarity, agrees), (1 - clarity, ~agrees)):
                feelings[k, label, those] = KINDS[0] * chance * often[those] / often[those].sum()
        goods[k][:, rng.choice(GOODS, OWN, replace=False)] = KINDS[2] * _zipf(OWN)
    return found
