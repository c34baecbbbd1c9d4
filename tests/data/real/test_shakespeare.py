"""Next characters by speaker: windows, order and who says what."""

from __future__ import annotations

import numpy as np
import pytest

import fedbench as fb
from fedbench.data.real.shakespeare import ALPHABET, _by_speaker

PLAYS = fb.TinyShakespeare()
pytestmark = pytest.mark.skipif(
    PLAYS.files[0].cached is None, reason="its file is not in FEDBENCH_DATA"
)


def told(ids: np.ndarray) -> str:
    return "".join(ALPHABET[k - 1] for k in ids if k)


def test_speeches_go_to_their_speakers() -> None:
    said, speeches = _by_speaker("A:\nOne.\nTwo.\n\nB:\nThree.\n\nstill three\n\nA:\nFour.\n")
    assert said == {"A": "One.\nTwo.\nFour.", "B": "Three.\nstill three"}
    assert speeches == 3


def test_a_window_is_the_forty_characters_before() -> None:
    raw = fb.TinyShakespeare(stride=1).table()
    mine = raw.columns["speaker"].codes == raw.columns["speaker"].names.index("First Citizen")
    assert raw.held is not None
    train = mine & ~raw.held
    x, y = raw.x[train], raw.y[train]
    assert told(x[0]) == "B"
    assert ALPHABET[y[0]] == "e"
    said = told(x[0]) + "".join(ALPHABET[k] for k in y)
    assert said.startswith("Before we proceed any further, hear me speak.\nYou are all resolved")
    for k in (5, 39, 40, 400):
        assert told(x[k]) == said[max(0, k - 39) : k + 1]


def test_the_last_fifth_of_a_speaker_is_tested_and_sees_nothing_of_the_rest() -> None:
    raw = fb.TinyShakespeare(stride=1).table()
    assert raw.held is not None
    speaker = raw.columns["speaker"].codes
    for k in (0, 7, 100):
        train, test = (speaker == k) & ~raw.held, (speaker == k) & raw.held
        whole = int(train.sum() + test.sum()) + 2
        assert int(train.sum()) + 1 == round(whole * 0.8)
        assert (raw.x[test][0] > 0).sum() == 1  # a window of one character among padding


def test_the_stride_thins_the_rows_alike() -> None:
    dense, thin = fb.TinyShakespeare(stride=1).table(), PLAYS.table()
    assert len(thin.y) == pytest.approx(len(dense.y) / 8, rel=0.01)
    assert len(thin.columns["speaker"].names) == PLAYS.natural["speaker"] == 268
    data = fb.Experiment(data=PLAYS, partition=fb.Natural(), model=fb.GRU()).federation()
    assert data.clients == 268
