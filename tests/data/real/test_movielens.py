"""Ratings of films, read from a made file of the same format: the real one is not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fedbench as fb
from fedbench.data import Raw
from fedbench.data.files import DataFileError, File
from fedbench.data.real.movielens import ratings
from fedbench.data.source import _load

FILMS = fb.MovieLens100K()
LINES = b"""2\t3\t5\t30
1\t1\t4\t20
1\t2\t3\t10
2\t1\t1\t10
1\t3\t2\t40
1\t4\t5\t30
2\t2\t2\t20
1\t1\t1\t50
"""


def read(content: bytes = LINES) -> Raw:
    return ratings(content, FILMS.files[0])


def test_users_and_films_are_numbered_from_zero() -> None:
    raw = read()
    assert raw.x.tolist() == [[1, 2], [0, 0], [0, 1], [1, 0], [0, 2], [0, 3], [1, 1], [0, 0]]
    assert raw.y.tolist() == [5, 4, 3, 1, 2, 5, 2, 1]
    assert raw.card.vocabulary == (2, 4)
    assert raw.columns["user"].names == ("user 1", "user 2")
    assert raw.time is not None
    assert raw.time.tolist() == [30, 20, 10, 10, 40, 30, 20, 50]


def test_the_latest_ratings_of_each_user_are_held_out() -> None:
    held = fb.MovieLens100K(test_fraction=0.4).held_out(read())
    # of five ratings of user 1 the two latest, of three of user 2 the latest
    assert np.flatnonzero(held).tolist() == [0, 4, 7]
    assert not fb.MovieLens100K(test_fraction=0.05).held_out(read()).any()
    assert fb.MovieLens100K(test_fraction=0.99).held_out(read()).sum() == 6  # one each is kept


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1\t2\t3\n", "3 columns, not user, film, stars, time"),
        (b"1\t2\tfive\t3\n", "could not convert"),
        (b"0\t2\t3\t4\n", "users and films count from 1"),
        (b"1\t2\t6\t4\n", "stars from 1 to 5"),
    ],
)
def test_what_is_no_rating_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(DataFileError, match=words):
        read(content)


def test_the_file_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDBENCH_DATA", str(tmp_path))
    (tmp_path / "movielens-100k").mkdir()
    (tmp_path / "movielens-100k" / "u.data").write_bytes(LINES)
    with pytest.raises(DataFileError, match=r"u\.data.*ends early: \d+ of 1,979,173 bytes"):
        FILMS.table()


@pytest.mark.slow
def test_a_user_is_a_client_and_a_factorisation_learns_what_is_liked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A made file as large as the real one, in which some films are better liked."""
    rng = np.random.default_rng(0)
    users = rng.integers(1, 944, 100_000)
    users[:943] = np.arange(1, 944)
    films = rng.integers(1, 1683, 100_000)
    films[:1682] = np.arange(1, 1683)
    stars = np.clip(np.round(3 + rng.normal(size=1683)[films]), 1, 5).astype(int)
    lines = zip(users, films, stars, rng.integers(1, 10**6, 100_000), strict=True)
    content = "".join("\t".join(map(str, line)) + "\n" for line in lines).encode()
    monkeypatch.setattr(File, "read", lambda _: content)
    try:
        experiment = fb.Experiment(
            data=FILMS,
            partition=fb.Natural(),
            model=fb.MatrixFactorisation(),
            training=fb.LocalTraining(lr=0.5, epochs=1, batch_size=32),
            rounds=2,
        )
        data = experiment.federation()
        assert data.clients == 943
        assert int(data.sizes.sum()) == pytest.approx(80_000, abs=500)  # each user rounds alone
        rows = fb.run(experiment, progress=False).rows
        assert rows[-1].metrics["rmse"] < rows[0].metrics["rmse"]
    finally:
        _load.cache_clear()
