"""Ratings of films."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import DataFileError, File
from fedbench.data.real.columns import expect
from fedbench.data.source import Column, Raw, Source, TestShare

RATINGS, USERS, FILMS = 100_000, 943, 1682


class MovieLens100K(Source):
    """How many stars a user gives a film, 100,000 ratings (Harper and Konstan 2015).

    A row is a user and a film. The latest share of each user's ratings is the test set, so that no
    rating is predicted from later ones of the same person.
    """

    display: ClassVar[str] = "MovieLens 100K"

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (2,)
    vocabulary: ClassVar[tuple[int, ...]] = (USERS, FILMS)
    files: ClassVar[tuple[File, ...]] = (
        File(
            "movielens-100k/u.data",
            1979173,
            "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
            "https://files.grouplens.org/datasets/movielens/ml-100k/u.data",
        ),
    )
    test_fraction: TestShare = 0.2

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are 943 users."""
        return {"user": USERS}

    def table(self) -> Raw:
        """Return user and film of 100,000 ratings, int64[N, 2], and the stars."""
        file = self.files[0]
        raw = ratings(file.read(), file)
        expect(file, "ratings", len(raw.y), RATINGS)
        expect(file, "users", len(raw.columns["user"].names), USERS)
        expect(file, "films", len(np.unique(raw.x[:, 1])), FILMS)
        return raw

    def held_out(self, raw: Raw) -> NDArray[np.bool_]:
        """Return the latest ratings of each user, by the clock and then as they stand."""
        held = np.zeros(len(raw.y), dtype=bool)
        time = np.zeros(len(raw.y)) if raw.time is None else raw.time
        user = raw.columns["user"].codes
        order = np.lexsort([time, user])
        ends = np.cumsum(np.bincount(user))
        for begin, end in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
            kept = end - begin - round((end - begin) * self.test_fraction)
            held[order[begin + max(1, kept) : end]] = True
        return held


def ratings(content: bytes, file: File) -> Raw:
    """Return what a file of lines "user, film, stars, seconds" with tabs between says.

    Users and films are numbered from 1 in the file and from 0 here. Raises DataFileError for what
    is no such line.
    """
    try:
        rows = np.loadtxt(io.BytesIO(content), dtype=np.int64, delimiter="\t", ndmin=2)
    except ValueError as error:
        raise DataFileError(f"{file.path}: {error}") from error
    if rows.shape[1] != 4:
        raise DataFileError(f"{file.path}: {rows.shape[1]} columns, not user, film, stars, time")
    if rows[:, :2].min() < 1 or not np.isin(rows[:, 2], range(1, 6)).all():
        raise DataFileError(f"{file.path}: users and films count from 1, stars from 1 to 5")
    users, films = int(rows[:, 0].max()), int(rows[:, 1].max())
    card = Card(
        name="MovieLens 100K",
        source="GroupLens Research, University of Minnesota (Harper and Konstan 2015)",
        licence="research use, with acknowledgement, and no redistribution",
        task="regression",
        shape=(2,),
        features=("user", "film"),
        target="rating",
        target_unit="stars",
        vocabulary=(users, films),
        client="user",
        traps=(
            "users choose which films to rate: missing ratings differ from those that exist",
            "141 films have a single rating: models know almost nothing about them",
        ),
    )
    user = Column(tuple(f"user {k + 1}" for k in range(users)), rows[:, 0] - 1)
    return Raw(
        card,
        rows[:, :2] - 1,
        rows[:, 2].astype(np.float32),
        {"user": user},
        time=rows[:, 3].astype(np.float64),
    )
