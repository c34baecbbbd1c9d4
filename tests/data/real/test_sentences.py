"""Opinions on three sites: lines, words and buckets."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.real.sentences import hashed

SENTENCES = fb.SentimentSentences()
pytestmark = pytest.mark.skipif(
    any(file.cached is None for file in SENTENCES.files),
    reason="its files are not in FEDBENCH_DATA",
)


def test_a_thousand_sentences_a_site_half_of_them_meant_well() -> None:
    raw = SENTENCES.table()
    assert raw.x.shape == (3000, 40)
    site = raw.columns["site"].codes
    assert [int(raw.y[site == k].sum()) for k in range(3)] == [500, 500, 500]
    assert int((raw.x[:, 0] == 0).sum()) == 0  # no sentence is empty


def test_words_are_hashed_alike_in_every_process_and_whatever_their_case() -> None:
    assert hashed("Wow... Loved this place.").tolist() == [
        zlib.crc32(word) % 4096 + 1 for word in (b"wow", b"loved", b"this", b"place")
    ]
    assert hashed("I DON'T know").tolist() == hashed("i don't, know!").tolist()
    # of Yelp's first sentence
    raw = SENTENCES.table()
    first = raw.x[2000]
    assert first[first > 0].tolist() == hashed("Wow... Loved this place.").tolist()
    assert raw.y[2000] == 1


def test_ids_begin_at_one_and_only_long_sentences_are_cut() -> None:
    raw = SENTENCES.table()
    words = (raw.x > 0).sum(axis=1)
    assert raw.x.max() <= 4096
    full = np.flatnonzero(words == 40)
    assert set(raw.columns["site"].codes[full]) == {1}
    assert len(SENTENCES.load().y) == SENTENCES.training_samples == 2400


def test_three_sites_learn_together() -> None:
    run = fb.run(
        fb.Experiment(
            data=SENTENCES,
            partition=fb.Natural(),
            model=fb.TextClassifier(width=16),
            training=fb.LocalTraining(lr=2.0, epochs=2, batch_size=20),
            rounds=15,
        ),
        progress=False,
    )
    assert run.rows[-1].metrics["accuracy"] > 0.7
