"""Opinions on three sites."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import DataFileError, File
from fedbench.data.real.columns import expect
from fedbench.data.source import Column, RandomSplit, Raw

URL = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00331/"
    "sentiment%20labelled%20sentences.zip"
)
SITES = ("Amazon", "IMDb", "Yelp")
ROWS, POSITIVE = 1000, 500  # of each site
PLACES, BUCKETS = 40, 4096
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def _file(name: str, size: int, sha256: str) -> File:
    member = f"sentiment labelled sentences/{name}"
    return File(f"sentiment-labelled-sentences/{name}", size, sha256, URL, member)


class SentimentSentences(RandomSplit):
    """Whether a sentence is positive, 3000 from three sites (Kotzias et al. 2015).

    A sentence is its first 40 words, each hashed to one of 4096 buckets, so that clients need no
    shared dictionary, which would reveal what they write. Case and punctuation are dropped.
    """

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (PLACES,)
    vocabulary: ClassVar[tuple[int, ...]] = (BUCKETS + 1,)
    strata_sizes: ClassVar[tuple[int, ...]] = (500,) * 6
    files: ClassVar[tuple[File, ...]] = (
        _file(
            "amazon_cells_labelled.txt",
            58226,
            "47003fc0a0d4840b00e96e715b6189bad09e7443a3da41c4cbe12ffc79f86ae3",
        ),
        _file(
            "imdb_labelled.txt",
            85285,
            "aef2e49e3da25714d61175e3a6e68eeef74a20a2f914318dc3be9947ea86512d",
        ),
        _file(
            "yelp_labelled.txt",
            61320,
            "c76468b7b5c6e56a0804d728345c5f84aa2142ddb214420f61cc9cfd4c00d2ea",
        ),
    )

    @property
    def natural(self) -> Mapping[str, int]:
        """Return that there are three sites."""
        return {"site": len(SITES)}

    def table(self) -> Raw:
        """Return the hashed words of 3000 sentences, int64[3000, 40], and 1 where meant well."""
        x = np.zeros((len(SITES) * ROWS, PLACES), dtype=np.int64)
        y = np.empty(len(x), dtype=np.int64)
        for k, file in enumerate(self.files):
            # only line feeds end a line: one site has other separators within sentences
            lines = file.read().decode("utf-8").rstrip("\n").split("\n")
            expect(file, "sentences", len(lines), ROWS)
            for row, line in enumerate(lines, start=k * ROWS):
                sentence, tab, label = line.rpartition("\t")
                if not tab or label not in ("0", "1"):
                    raise DataFileError(f"{file.path}: line {row % ROWS + 1} has no label 0 or 1")
                ids = hashed(sentence)
                x[row, : len(ids)] = ids
                y[row] = int(label)
            own = y[k * ROWS : (k + 1) * ROWS]
            expect(file, "sentences meant well", int(own.sum()), POSITIVE)
        site = Column(SITES, np.repeat(np.arange(len(SITES)), ROWS))
        return Raw(self._card(), x, y, {"site": site})

    def _card(self) -> Card:
        return Card(
            name="Sentiment sentences",
            source="UCI Sentiment Labelled Sentences (Kotzias et al. 2015)",
            licence="CC BY 4.0",
            task=self.task,
            shape=self.shape,
            features=tuple(f"word {k + 1}" for k in range(PLACES)),
            target="sentiment",
            classes=("negative", "positive"),
            vocabulary=self.vocabulary,
            client="site",
            traps=(
                "sentences of clear sentiment were picked: real text is harder",
                f"words that share one of {BUCKETS} buckets cannot be distinguished",
                f"words after the {PLACES}th are cut off, in a few sentences of IMDb",
            ),
        )


def hashed(sentence: str) -> NDArray[np.int64]:
    """Return the buckets of a sentence's first 40 words, int64[<=40], from 1; 0 is padding."""
    words = WORD.findall(sentence.lower())[:PLACES]
    # not Python's hash, which differs from process to process
    return np.array([zlib.crc32(word.encode()) % BUCKETS + 1 for word in words], dtype=np.int64)
