"""What looks wrong in a table is said with its count and an example, whatever its share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedbench as fb

ROWS = 200


def table(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, ROWS)).round(3)
    frame = pd.DataFrame({"a": a, "b": b, "y": np.where(a + b > 0, "ill", "well")})
    return frame.assign(**columns)


def said(frame: pd.DataFrame, **fields: Any) -> str:
    """Return all that is said of a table, be it in a refusal or in cautions."""
    try:
        facts = fb.Table(frame, **{"target": "y", **fields}).facts
    except fb.TableError as error:
        return str(error)
    return "\n".join(facts.cautions)


# Numbers with something beside them

UNITS = (
    *("{} mg", "{}%", "${}", "{}°C", "<{}", ">{}", "~{}", "{}+", "{}k", "{}/10", "{} years"),
    *("{} mg/dl", "12{}/80", "EUR {}", "({} kg)", "7:{}", "{}-"),
)


@pytest.mark.parametrize("many", [3, 6, 10, 30, 150])
@pytest.mark.parametrize("unit", UNITS)
def test_numbers_with_a_unit_or_sign_are_pointed_out_however_many_there_are(
    unit: str, many: int
) -> None:
    dose = [unit.format(k % many + 10) for k in range(ROWS)]
    found = said(table(dose=dose))
    assert "'dose'" in found
    assert str(ROWS) in found
    assert repr(dose[0]) in found
    assert "write them as in 1234.5" in found
    assert "pass categories=('dose',)" in found
    kept = said(table(dose=dose), categories=("dose",))
    assert "write them as" not in kept
    assert fb.Table(table(dose=dose), target="y", categories=("dose",)).facts.columns[3].levels


@pytest.mark.parametrize("many", [6, 30])
def test_other_words_between_numbers_with_a_unit_change_nothing(many: int) -> None:
    dose = [f"{k % many} mg" if k % 5 else f"{'abcdefgh'[k % 8]} or so" for k in range(ROWS)]
    found = said(table(dose=dose))
    assert "160 " in found
    assert "as '1 mg'" in found or "as in '1 mg'" in found


@pytest.mark.parametrize("name", ["ward {}", "P{}x", "{}-{}", "t{}", "{} to {}"])
def test_names_that_have_numbers_in_them_are_names(name: str) -> None:
    texts = [name.format(k % 9, k % 9 + 5) for k in range(ROWS)]
    assert "write them as" not in said(table(group=texts))


def test_classes_that_are_numbers_with_a_sign_are_pointed_out_and_can_be_kept() -> None:
    frame = table(y=np.where(table()["a"] > 0, ">50K", "<=50K"))
    assert "'y': 200 cells are numbers with a unit" in said(frame)
    assert "write them as" not in said(frame, categories=("y",))
    assert fb.Table(frame, target="y").facts.classes == ("<=50K", ">50K")


# Words that may mean a missing cell

WORDS = ("-", "--", ".", "none", "None", "n.a.", "unknown", "Not known", "missing", "Null", "na")


def marked(word: str, every: int) -> list[str]:
    return [word if k % every == 1 else "pqr"[k // 2 % 3] for k in range(ROWS)]


@pytest.mark.parametrize("every", [2, 12, 100])
@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_missing_is_seen_in_every_role(word: str, every: int) -> None:
    column = marked(word, every)
    count, remedy = column.count(word), (f"site={word}",)
    frame = table(site=column)

    found = said(frame)
    assert f"'site': {count} cells say {word!r}, which counts as a value" in found
    assert f"missing_values=('site={word}',)" in found
    assert f"{count} cells that say {word!r} are read as missing" in said(
        frame, missing_values=remedy
    )

    found = said(frame, target="site")
    assert f"'site': {count} cells say {word!r}, which counts as a value" in found
    gone = fb.Table(frame, target="site", missing_values=remedy)
    assert gone.facts.classes == ("p", "q", "r")
    assert gone.facts.untold == count

    for role, what in (("client", "who holds them"), ("unit", "what they belong to")):
        with pytest.raises(fb.TableError) as caught:
            _ = fb.Table(frame, target="y", **{role: "site"}).facts
        assert caught.value.field == role
        assert f"'site' is {word!r} in row 2 ({count} such rows)" in str(caught.value)
        assert what in str(caught.value)
        assert "is missing in row 2" in said(frame, missing_values=remedy, **{role: "site"})


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_missing_is_kept_where_the_column_is_named(word: str) -> None:
    frame, named = table(site=marked(word, 12)), ("site",)
    for fields in ({}, {"target": "site"}, {"client": "site"}, {"unit": "site"}):
        assert "missing" not in said(frame, categories=named, **fields)
    assert word in fb.Table(frame, target="y", client="site", categories=named).facts.clients
    assert word in fb.Table(frame, target="site", categories=named).facts.classes


# Negative numbers

VALUES = np.random.default_rng(1).normal(0, 2000, ROWS).round(1)
MINUS = ("−{}", "–{}", "({})", "( {} )", "-{}")


def negative(how: str, number: str = "{:.1f}") -> list[str]:
    return [how.format(number.format(-v)) if v < 0 else number.format(v) for v in VALUES.tolist()]


@pytest.mark.parametrize("how", MINUS)
@pytest.mark.parametrize(
    ("number", "fields"),
    [
        ("{:.1f}", {}),
        ("{:,.1f}", {"thousands": ","}),
        ("{:,.1f}", {"thousands": ",", "numbers": ("pay",)}),
    ],
)
def test_negative_numbers_are_read_however_the_minus_is_written(
    how: str, number: str, fields: dict[str, Any]
) -> None:
    data = fb.Table(table(pay=negative(how, number)), target="y", **fields)
    raw = data.table()
    np.testing.assert_allclose(raw.x[:, raw.card.features.index("pay")], VALUES)
    doubts = [each for each in data.facts.cautions if "are read as negative" in each]
    losses = np.count_nonzero(VALUES < 0)
    assert len(doubts) == ("(" in how)
    assert all(f"'pay': {losses} numbers in brackets, such as '(" in each for each in doubts)
    target = fb.Table(table(pay=negative(how, number)), target="pay", **fields)
    assert target.task == "regression"


@pytest.mark.parametrize("mark", [" ", "\u00a0", "\u2007", "\u2009", "\u202f"])
@pytest.mark.parametrize("how", MINUS)
def test_a_group_of_digits_is_refused_with_the_remedy_that_reads_it(how: str, mark: str) -> None:
    frame = table(pay=[each.replace(",", mark) for each in negative(how, "{:,.1f}")])
    frame = frame[np.abs(VALUES) >= 1000].reset_index(drop=True)
    assert "pass thousands=' '" in said(frame)
    raw = fb.Table(frame, target="y", thousands=" ").table()
    values = VALUES[np.abs(VALUES) >= 1000]
    np.testing.assert_allclose(raw.x[:, raw.card.features.index("pay")], values)


def test_what_is_called_by_a_number_in_brackets_keeps_its_name() -> None:
    site = [["(1)", "−1", "1"][k % 3] for k in range(ROWS)]
    frame = table(site=site)
    assert set(fb.Table(frame, target="y", client="site").facts.clients) == set(site)
    named = fb.Table(frame, target="y", categories=("site",)).facts
    assert set(named.columns[3].levels) == set(site)
    assert set(fb.Table(frame, target="site", task="classification").facts.classes) == set(site)


@pytest.mark.parametrize("odd", ["<5", "(-1.4)", "3 mg", "- 3.5", "2.5-", "€ 7"])
def test_a_number_with_a_mark_among_numbers_is_no_missing_cell(odd: str) -> None:
    found = said(table(n=[odd if k % 9 == 0 else f"{k / 7:.1f}" for k in range(ROWS)]))
    assert f"'n' holds 23 numbers that are written as in {odd!r}; write them as in 1234.5" in found
    assert "numbers=('n',), which takes all 23 of 200 cells for missing" in found


def test_how_many_cells_would_become_missing_is_said() -> None:
    mixed = [f"{k}" if k % 3 else f"about {k}" for k in range(ROWS)]
    assert "numbers=('n',), which takes all 67 of 200 cells for missing" in said(table(n=mixed))
    mixed = [f"{k % 7}" if k % 3 == 0 else f"about {k % 30}" for k in range(ROWS)]
    assert "numbers=('n',) to read the other 133 as missing" in said(table(n=mixed))


# Times that are none

DAYS = [f"2024-{1 + k // 28:02}-{1 + k % 28:02}" for k in range(ROWS)]
YEARS = [1980 + k % 40 for k in range(ROWS)]
SECONDS = [1_700_000_000 + 1000 * k for k in range(ROWS)]


@pytest.mark.parametrize("every", [2, 6, 200])
@pytest.mark.parametrize(
    ("times", "odd"),
    [
        *((DAYS, day) for day in ("9999-12-31", "1900-01-01", "2099-12-31", "1970-01-01")),
        (DAYS, "1990-05-05"),
        ([f"{year}-02-03" for year in YEARS], "1900-01-01"),
        ([pd.Timestamp(day) for day in DAYS], pd.Timestamp("1900-01-01")),
        *((YEARS, year) for year in (9999, 0, -1, 1900, 2999)),
        ([int(day.replace("-", "")) for day in DAYS], 0),
        ([int(day.replace("-", "")) for day in DAYS], 99991231),
        (SECONDS, 0),
    ],
)
def test_a_time_that_stands_for_none_is_said(times: list[Any], odd: Any, every: int) -> None:
    when = [odd if k % every == 1 else time for k, time in enumerate(times)]
    found = said(table(t=when), time="t")
    assert f"'t' is {str(odd)!r} in {when.count(odd)} of 200 rows, far from the others (" in found
    assert "correct those cells or delete the rows" in found
    hidden = "".join(fb.Table(table(t=when), target="y", time="t").cautions())
    assert "'t' is … in" in hidden
    assert repr(str(odd)) not in hidden


@pytest.mark.parametrize("every", [2, 10])
def test_seconds_among_milliseconds_are_said(every: int) -> None:
    when = [time * 1000 if k % every == 1 else time for k, time in enumerate(SECONDS)]
    found = said(table(t=when), time="t")
    count = ROWS // every
    assert f"in {count} of 200 rows, far from the others (" in found
    assert "written in another unit" in found


def test_two_times_that_stand_for_none_are_both_said() -> None:
    when = [{1: "1900-01-01", 2: "9999-12-31"}.get(k % 9, day) for k, day in enumerate(DAYS)]
    found = said(table(t=when), time="t")
    assert found.count("far from the others") == 2
    assert found.count("('2024-01-01' to '2024-08-03')") == 1


@pytest.mark.parametrize(
    "times",
    [
        *(DAYS, YEARS, SECONDS, [k % 7 for k in range(ROWS)], [k % 100 for k in range(ROWS)]),
        [k % 3 - 1 for k in range(ROWS)],
        [2020 + k % 2 for k in range(ROWS)],
        [f"1970-01-{1 + k % 28:02}" for k in range(ROWS)],
        [(k * 7919 % 200) ** 2 for k in range(ROWS)],
    ],
)
def test_times_that_are_near_each_other_are_not_far(times: list[Any]) -> None:
    assert "far from the others" not in said(table(t=times), time="t")
