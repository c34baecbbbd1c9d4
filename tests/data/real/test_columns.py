"""Categories, indicators and numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from fedbench.data import Card, Column, Raw
from fedbench.data.files import DataFileError, File
from fedbench.data.real.columns import (
    categories,
    expect,
    indicator_names,
    indicators,
    scaled_numbers,
)

FILE = File("loans/loans.csv", 1, "00", "http://127.0.0.1:9/loans.csv")
MEANING = {"A2": "flat", "A1": "house", "?": "not told", "A9": "not told"}


def test_codes_become_what_they_mean_in_the_order_given() -> None:
    column = categories(FILE, "home", np.array(["A1", "A9", "A2", "?", "A1"]), MEANING)
    assert column.names == ("flat", "house", "not told")
    assert column.codes.tolist() == [1, 2, 0, 2, 1]
    assert indicators(column).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert indicator_names("home", column) == ("home: flat", "home: house", "home: not told")


def test_codes_may_be_numbers_and_a_category_may_be_empty() -> None:
    column = categories(FILE, "sex", np.array([2, 2]), {"1": "male", "2": "female"})
    assert column.names == ("male", "female") and column.codes.tolist() == [1, 1]
    assert indicators(column).shape == (2, 2)


def test_a_code_without_a_meaning_is_refused() -> None:
    with pytest.raises(
        DataFileError, match=r"loans/loans.csv: 'home' is 'A3', which is none of A2"
    ):
        categories(FILE, "home", np.array(["A1", "A3"]), MEANING)


def test_a_count_that_is_not_the_published_one() -> None:
    expect(FILE, "rows", 3, 3)
    with pytest.raises(DataFileError, match=r"loans.csv: rows: 2, not 3 as published"):
        expect(FILE, "rows", 2, 3)


def test_numbers_are_standardised_by_training_rows_and_indicators_stay() -> None:
    x = np.array([[1, 0], [3, 1], [100, 1]], dtype=np.float32)
    card = Card(
        "Loans", "here", "none", "classification", (2,), ("age", "home"), "paid", ("n", "y")
    )
    raw = Raw(card, x, np.array([0, 1, 1]), {"home": Column(("a", "b"), np.array([0, 1, 1]))})
    scaled = scaled_numbers(raw, np.array([False, False, True]), 1)
    assert scaled.tolist() == [[-1, 0], [1, 1], [98, 1]]
    assert raw.x is x and x[2, 0] == 100  # what was read is left as it is


def test_a_gap_is_refused_not_filled() -> None:
    x = np.array([[1, 0], [np.nan, 1]], dtype=np.float32)
    card = Card(
        "Loans", "here", "none", "classification", (2,), ("age", "home"), "paid", ("n", "y")
    )
    with pytest.raises(ValueError, match="Loans: 'age' is nan in raw row 1"):
        scaled_numbers(Raw(card, x, np.array([0, 1])), np.array([False, True]), 1)
