"""Ratings of films by people of several tastes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.card import Card, Task
from fedbench.data.simulated.knobs import LICENCE, MADE, SimulationSeed, knob
from fedbench.data.simulated.world import World
from fedbench.data.source import Column, RandomSplit, Raw

STARS = 5
TASTES = 4  # such as comedy, drama, action and horror
MIDDLE = 3.5  # stars, as in MovieLens
STRICT, QUALITY = 0.35, 0.45  # standard deviations of users' and films' means, stars
CONVERTS = 0.3  # of a Dirichlet distribution: most people have one taste above all
CHOICE = 0.7  # how far one rates what one likes, in log odds a star
FAME = 0.8  # of log odds that a film is seen


class Ratings(World, RandomSplit):
    """How many stars, 1 to 5, a user gives a film.

    A user mixes four tastes, and each taste prefers other films. A rating is a mean, of user, film
    and taste, plus noise, rounded to stars. `truth` is the expected number of stars, after
    rounding. Famous films are rated more often, and so are films that the user likes.
    """

    holder: ClassVar[str] = "user"
    stream: ClassVar[int] = 7
    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (2,)
    users: Annotated[
        int,
        Field(
            ge=2,
            le=10_000,
            title="Users",
            description="number of people who rate",
            json_schema_extra={"slider": [10, 1000, 10], "scale": "log"},
        ),
    ] = 200
    films: Annotated[
        int,
        Field(
            ge=10,
            le=10_000,
            title="Films",
            description="number of films",
            json_schema_extra={"slider": [10, 2000, 10], "scale": "log"},
        ),
    ] = 120
    rated: Annotated[
        int,
        Field(
            ge=5,
            le=1000,
            title="Ratings per user",
            description="number of films that each user has rated",
            json_schema_extra={"slider": [5, 200, 1], "scale": "log"},
        ),
    ] = 40
    taste: Annotated[
        float,
        knob("Taste", "how far tastes differ, in stars: at 0 all agree on which films are good"),
    ] = 1.0
    noise: Annotated[
        float,
        knob("Noise", "standard deviation of a rating about its mean, in stars, before rounding"),
    ] = 0.6
    world_seed: SimulationSeed = 0

    @property
    def vocabulary(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return how many users and films there are."""
        return self.users, self.films

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse more ratings of a user than there are films."""
        if self.rated > self.films:
            yield Problem(
                ".rated",
                f"a user rates a film at most once, and there are {self.films}; choose at most "
                f"{self.films}",
                self.rated,
            )

    def table(self) -> Raw:
        """Return user and film of each rating, int64[N, 2], its stars and the expected stars."""
        rng = self._chance()
        mean = _opinions(self.users, self.films, self.taste, rng)
        # the largest of scores with Gumbel noise are a draw without replacement by their odds
        fame = FAME * rng.standard_normal(self.films)
        wish = CHOICE * mean + fame + rng.gumbel(size=mean.shape)
        film = np.argsort(-wish, axis=1)[:, : self.rated].reshape(-1)
        user = np.repeat(np.arange(self.users), self.rated)
        mean = mean[user, film]
        stars = np.rint(mean + self.noise * rng.standard_normal(len(mean))).clip(1, STARS)
        return Raw(
            self._card(),
            np.column_stack([user, film]),
            stars.astype(np.float32),
            {"user": Column(self._names(), user)},
            truth=_expected(mean, self.noise),
        )

    def _card(self) -> Card:
        return Card(
            name="Ratings",
            source=MADE,
            licence=LICENCE,
            task=self.task,
            shape=self.shape,
            features=("user", "film"),
            target="rating",
            target_unit="stars",
            vocabulary=self.vocabulary,
            client=self.holder,
            traps=(
                f"simulated: opinions are a product of {TASTES} factors, as matrix factorisation "
                "supposes",
                "users choose which films to rate: missing ratings are lower than those that exist",
                "some films have few ratings: models can say little about them",
            ),
        )


def _opinions(
    users: int, films: int, taste: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the mean of what each user makes of each film, in stars, float[users, films]."""
    strict = STRICT * rng.standard_normal((users, 1))
    quality = QUALITY * rng.standard_normal(films)
    mixed = rng.dirichlet(np.full(TASTES, CONVERTS), users)
    liked = rng.standard_normal((TASTES, films))
    return MIDDLE + strict + quality + taste * mixed @ (liked - liked.mean(0))


def _expected(mean: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Return the expected stars: one, and for each further one the probability of its edge."""
    from scipy.special import ndtr

    if noise == 0:
        return np.rint(mean).clip(1, STARS)
    edges = np.arange(1, STARS) + 0.5
    return 1 + ndtr((mean[:, None] - edges) / noise).sum(1)
