"""Data that come in: what is there, what is not there yet, and in which units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import Arriving, Source

WEEK = 168
CITY = fb.CityLoad(districts=3, days=56)  # eight weeks
THIRD = Arriving(data=CITY, periods=8, first=3, seen=3)


def test_what_is_over_is_trained_on_and_the_next_period_is_the_test_set() -> None:
    for seen in (3, 5, 7):
        data = THIRD.replace(seen=seen).load()
        assert data.time is not None and data.test_time is not None
        begin = data.time.min()
        for time, first, last in ((data.time, 0, seen), (data.test_time, seen, seen + 1)):
            hours = np.tile(begin + np.arange(first * WEEK, last * WEEK), 3)
            assert np.array_equal(time, hours)
        assert len(data.y) == len(data.columns["district"].codes) == 3 * WEEK * seen
        assert data.test_truth is not None and len(data.test_truth) == 3 * WEEK


def test_with_a_memory_only_the_last_periods_are_trained_on() -> None:
    whole, short = THIRD.replace(seen=5).load(), THIRD.replace(seen=5, memory=2).load()
    assert whole.time is not None
    late = whole.time >= whole.time.min() + 3 * WEEK
    assert np.array_equal(short.x, whole.x[late]) and np.array_equal(short.y, whole.y[late])
    assert np.array_equal(short.x_test, whole.x_test)


def test_units_are_those_of_the_first_periods_whatever_came_since() -> None:
    first, later = THIRD.load(), THIRD.replace(seen=6, memory=1).load()
    assert first.card == later.card
    assert abs(first.y.mean()) < 1e-5 and abs(first.y.std() - 1) < 1e-5
    assert abs(later.y.mean()) > 0.05
    raw = CITY.table()
    assert raw.time is not None
    known = raw.time < raw.time.min() + 3 * WEEK
    last = (raw.time >= raw.time.min() + 5 * WEEK) & (raw.time < raw.time.min() + 6 * WEEK)
    mean, std = raw.x[known].mean(0, dtype=np.float64), raw.x[known].std(0, dtype=np.float64)
    np.testing.assert_allclose(later.x, (raw.x[last] - mean) / np.where(std, std, 1), atol=2e-5)


def test_later_rows_change_nothing_of_what_came_before() -> None:
    early, late = THIRD.load(), THIRD.replace(seen=7).load()
    assert early.time is not None and late.time is not None
    old = np.isin(late.time, early.time)
    assert np.array_equal(late.x[old], early.x) and np.array_equal(late.y[old], early.y)


def test_it_is_as_the_data_are() -> None:
    assert (THIRD.task, THIRD.shape, THIRD.vocabulary) == ("regression", CITY.shape, ())
    assert THIRD.natural == {"district": 3}
    assert Arriving(data=fb.PJMLoad()).files == fb.PJMLoad.files
    assert Arriving(data=fb.Banks()).ranked and not THIRD.ranked
    assert Arriving.from_toml(THIRD.to_toml()) == THIRD
    assert "[data]" in THIRD.to_toml()


@pytest.mark.parametrize("wrong", [{"seen": 2}, {"seen": 8}, {"first": 4}, {"periods": 3}])
def test_periods_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=r"choose first ≤ seen < periods"):
        THIRD.replace(**wrong)


def test_data_without_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no Timed is called 'Digits'"):
        Arriving.from_dict({"data": {"kind": "Digits"}})
    frame = pd.DataFrame({"a": np.arange(40.0) % 5, "y": np.arange(40.0) % 7})
    untimed = Arriving(data=fb.Table(frame, target="y", task="regression"))
    with pytest.raises(
        ValueError, match=r"data\.data: Table does not record when a row was observed"
    ):
        untimed.load()
    missing = Arriving(data=fb.Table(path=str(tmp_path / "no.csv"), target="y"))
    with pytest.raises(ValidationError, match=r"data\.data\n *path: .*no\.csv"):
        fb.Experiment(data=missing, partition=fb.IID(clients=2))


def test_a_table_of_ones_own_comes_in_by_its_column_of_time() -> None:
    frame = pd.DataFrame(
        {
            "a": np.arange(40.0) % 5,
            "y": np.arange(40.0) % 7,
            "day": pd.date_range("2024-01-01", periods=40),
        }
    )
    table = fb.Table(frame, target="y", task="regression", time="day")
    data = Arriving(data=table, periods=4, first=1, seen=2).load()
    assert (len(data.y), len(data.y_test)) == (20, 10)
    units = fb.Table(
        frame.assign(who=np.arange(40) % 3), target="y", task="regression", time="day", unit="who"
    )
    with pytest.raises(ValueError, match="rows that belong together"):
        Arriving(data=units).load()


def test_a_period_without_rows_is_named() -> None:
    frame = pd.DataFrame({"a": [0.0, 1, 1, 0] * 9, "y": [0.0, 1, 0, 1] * 9})
    frame["day"] = np.where(np.arange(36) < 30, np.arange(36) * 0.1, 36.0)
    gap = Arriving(data=fb.Table(frame, target="y", task="regression", time="day"), periods=9)
    with pytest.raises(ValueError, match="has no row in period 7"):
        gap.load()


@pytest.mark.parametrize(
    ("after", "field", "words"),
    [
        (THIRD.replace(seen=4), None, ""),
        (THIRD.replace(memory=1), None, ""),
        (THIRD.replace(first=2), "first", "keep first = 3"),
        (THIRD.replace(periods=9), "periods", "keep periods = 8"),
        (THIRD.replace(**{"data.drift": 1}), "data", "keep data = fb.CityLoad"),
        (CITY, "kind", "begin with Arriving"),
    ],
)
def test_what_may_follow(after: Source, field: str | None, words: str) -> None:
    found = after.follows(THIRD)
    assert (found and found[0]) == field
    if found:
        assert words in found[1]


def test_time_does_not_go_back() -> None:
    found = THIRD.follows(THIRD.replace(seen=5))
    assert found is not None and found[0] == "seen" and "5 periods have already arrived" in found[1]
    found = THIRD.follows(CITY)
    assert found is not None and found[0] == "kind" and "CityLoad" in found[1]
