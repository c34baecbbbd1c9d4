"""What something is called stays what it is: clients, units, classes and categories of digits."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedbench as fb

ROWS = 120
Put = Callable[[pd.DataFrame], object]


def plain(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, ROWS)).round(3)
    frame = pd.DataFrame({"a": a, "b": b, "y": np.where(a + b > 0, "ill", "well")})
    return frame.assign(**columns)


def cycled(*names: str) -> list[str]:
    return [names[k % len(names)] for k in range(ROWS)]


@pytest.fixture(params=["frame", "csv", "utf-16", "gz", "parquet", "xlsx"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Put:
    """Return what makes a table of a frame, in each of the ways in which tables come."""

    def made(frame: pd.DataFrame) -> object:
        place = tmp_path / f"t.{request.param}"
        match request.param:
            case "frame":
                return frame
            case "parquet":
                frame.to_parquet(place)
            case "xlsx":
                frame.to_excel(place, index=False)
            case "gz":
                place.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
            case encoding:
                frame.to_csv(place, index=False, encoding=encoding.replace("csv", "utf-8"))
        return place

    return made


IDS = {
    "16 digits": ("9007199254740992", "9007199254740993", "9007199254740994"),
    "17 digits": ("90000000000000000", "90000000000000001", "90000000000000002"),
    "19 digits": ("9000000000000000000", "9000000000000000001", "9000000000000000002"),
    "20 digits": ("18446744073709551615", "18446744073709551616", "18446744073709551617"),
    "25 digits": tuple(str(9 * 10**24 + k) for k in range(3)),
    "500 digits": tuple(str(9 * 10**499 + k) for k in range(3)),
    "powers": ("1e5", "100000", "10e4"),
    "large powers": ("1E400", "2E400", "3E400"),
    "fractions": ("1", "1.0", "1.00"),
    "signs": ("+1", "1", "-1"),
    "zeros": ("007", "07", "7"),
    "infinite": ("inf", "Infinity", "INF"),
    "true": ("TRUE", "True", "true"),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_clients_of_digits_are_as_many_as_there_are(put: Put, ids: tuple[str, ...]) -> None:
    table = fb.Table(put(plain(site=cycled(*ids))), target="y", client="site")
    assert set(table.facts.clients) == {*ids}
    raw = table.table()
    names = np.array(raw.columns["site"].names)
    np.testing.assert_array_equal(names[raw.columns["site"].codes], cycled(*ids))


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_units_classes_and_categories_of_digits_are_as_many_as_there_are(
    put: Put, ids: tuple[str, ...]
) -> None:
    frame = plain(u=cycled(*ids), v=cycled(*ids), z=cycled(*ids))
    table = fb.Table(put(frame), target="u", unit="v", categories=("z",), task="classification")
    assert set(table.facts.classes) == {*ids}
    levels = next(each.levels for each in table.facts.columns if each.name == "z")
    assert set(levels) == {*ids}
    raw = table.table()
    np.testing.assert_array_equal(np.array(table.facts.classes)[raw.y], cycled(*ids))
    assert raw.units is not None
    np.testing.assert_array_equal(raw.units, np.arange(ROWS) % 3)


@pytest.mark.parametrize("ids", [IDS["19 digits"], IDS["25 digits"], IDS["zeros"]])
def test_a_blank_cell_makes_no_difference(put: Put, ids: tuple[str, ...]) -> None:
    column: list[str | None] = [*cycled(*ids)]
    column[5] = None
    frame = plain(u=column, site=cycled("x", "y"))
    for fields in ({"target": "u"}, {"target": "y", "categories": ("u",)}):
        table = fb.Table(put(frame), client="site", **fields)
        classes = set(table.facts.classes)
        levels = {k for each in table.facts.columns for k in each.levels}
        assert (classes if fields["target"] == "u" else levels - {"missing"}) == {*ids}


def test_zeros_that_come_late_in_a_file_are_seen(tmp_path: Path) -> None:
    """They stand behind what is looked at to learn how a file is laid out."""
    frame = pd.concat([plain()] * 20, ignore_index=True)
    frame["zip"] = [str(10 + k % 5) if k < 2300 else f"0{10 + k % 5}" for k in range(len(frame))]
    both = {f"{zero}{10 + k}" for zero in ("", "0") for k in range(5)}
    for separator, name in ((",", "t.csv"), (";", "t.txt"), ("\t", "t.tsv"), (", ", "s.csv")):
        text = frame.to_csv(index=False).replace(",", separator)
        (tmp_path / name).write_text(text)
        table = fb.Table(tmp_path / name, target="y", client="zip")
        assert set(table.facts.clients) == both
        (feature,) = [
            each
            for each in fb.Table(tmp_path / name, target="y").facts.columns
            if each.name == "zip"
        ]
        assert (feature.role, set(feature.levels)) == ("category", both)
    (tmp_path / "b.txt").write_text(frame.to_string(index=False))
    assert set(fb.Table(tmp_path / "b.txt", target="y", client="zip").facts.clients) == both


def test_names_that_numbers_give_back_are_read_as_before(put: Put) -> None:
    """Floats that count, as data frames with gaps write them, are still classes 0 and 1."""
    ints = fb.Table(put(plain(y=[k % 3 for k in range(ROWS)])), target="y")
    assert ints.facts.classes == ("0", "1", "2")
    floats = fb.Table(put(plain(y=cycled("0.0", "1.0"))), target="y")
    assert floats.facts.classes == ("0", "1")
    marked = fb.Table(
        put(plain(y=cycled("0.0", "1.0", "-9.0"))), target="y", missing_values=("-9",)
    )
    assert (marked.facts.classes, marked.facts.untold) == (("0", "1"), ROWS // 3)


def test_a_target_of_numbers_in_any_notation_is_still_one_of_numbers(put: Put) -> None:
    values = np.random.default_rng(1).normal(50, 9, ROWS)
    for text in ("{:.2f}", "{:e}", "{:+.3f}"):
        told = [text.format(value) for value in values]
        table = fb.Table(put(plain(y=told)), target="y")
        assert table.task == "regression"
        np.testing.assert_allclose(table.table().y.astype(float), [float(t) for t in told])
    assert fb.Table(put(plain(y=cycled("1.50", "2.50"))), target="y").task == "regression"
    classes = fb.Table(put(plain(y=cycled("1.50", "2.50"))), target="y", task="classification")
    assert classes.facts.classes == ("1.50", "2.50")


@pytest.mark.parametrize("text", ["-999", "-999.0", "-999.00", "-9.99e2"])
def test_a_number_that_means_missing_is_the_same_however_it_is_written(put: Put, text: str) -> None:
    values = [text if k % 10 == 0 else f"{k / 7:.2f}" for k in range(ROWS)]
    table = fb.Table(put(plain(b=values)), target="y", missing_values=("-999",))
    assert np.isnan(table.table().x[:, 1]).sum() == ROWS // 10
    code = fb.Table(
        put(plain(site=cycled("9", "09", "1"))), target="y", client="site", missing_values=("9",)
    )
    with pytest.raises(fb.TableError, match=r"'site' is missing in row 1 \(40 such rows\)"):
        _ = code.facts


def test_a_missing_value_rounds_no_name() -> None:
    ids = [-9 if k == 5 else 3 * 10**18 + k % 3 for k in range(ROWS)]
    for words in (("-9",), ("u=-9",), ("-9.0",)):
        table = fb.Table(plain(u=ids), target="y", categories=("u",), missing_values=words)
        (levels,) = [each.levels for each in table.facts.columns if each.name == "u"]
        assert levels == (*(str(3 * 10**18 + k) for k in range(3)), "missing")
    exact = fb.Table(plain(u=ids), target="y", unit="u", missing_values=(str(3 * 10**18 + 1),))
    with pytest.raises(fb.TableError, match=r"'u' is missing in row 2 \(40 such rows\)"):
        _ = exact.facts


def test_names_that_are_one_number_or_were_rounded_before_are_pointed_out() -> None:
    def said(column: Any, **fields: Any) -> str:
        table = fb.Table(plain(s=column), **{"target": "y", "client": "s"} | fields)
        return "\n".join(table.facts.cautions)

    assert "'s' has values that are the same number ('1' and '1.0'), 1 such groups" in said(
        cycled("1", "1.0", "2")
    )
    assert "same number" not in said(cycled("1", "2", "1.5"))
    for column in ([9e16 + 16 * (k % 3) for k in range(ROWS)], cycled("9E+16", "8E+16")):
        assert "'s' has names that are rounded numbers, such as " in said(column)
    assert "rounded" in said(np.float32(2) ** 24 + np.arange(ROWS, dtype=np.float32) % 3)
    assert "rounded" not in said(cycled("12E3", "1200E1"))
    assert "rounded" not in said([3 * 10**18 + k % 3 for k in range(ROWS)])
    assert "rounded" in said([3e18 + 512 * (k % 2) for k in range(ROWS)], target="s", client="")
    with pytest.raises(fb.TableError, match="in every row: one class only; it is a rounded number"):
        said(cycled("3E+18"), target="s", client="")
    with pytest.raises(fb.TableError, match=r"the same in every row.*; it is a rounded number"):
        said([3e18] * ROWS, client="", unit="s")


def test_features_of_many_digits_are_numbers_as_far_as_numbers_go(put: Put) -> None:
    """Beyond, they are codes; where different ones are the same number, it is said."""

    def column(values: list[str], **fields: Any) -> Any:
        table = fb.Table(put(plain(u=values)), target="y", **fields)
        return next(each for each in table.facts.columns if each.name == "u")

    stamps = column([str(17 * 10**17 + k * 10**9) for k in range(ROWS)])
    assert stamps.role == "number"
    close = column([str(3 * 10**18 + k % 3) for k in range(ROWS)])
    assert (close.role, close.distinct) == ("not used", 3)
    assert "its 3 different values are one to the 15 digits of a number" in close.why
    some = column([str(3 * 10**18 + 300 * (k % 9)) for k in range(ROWS)])
    assert some.role == "number"
    few = column([str(3 * 10**18 + 100 * (k % 9)) for k in range(ROWS)])
    assert "'u': 9 different values are 3 numbers" in few.doubts[-1].text
    codes = column([str(3 * 10**24 + k % 3) for k in range(ROWS)])
    assert (codes.role, len(codes.levels)) == ("category", 3)
    assert "numbers with more digits than a number has" in codes.doubts[-1].text
    forced = column([str(3 * 10**24 + k * 10**12) for k in range(ROWS)], numbers=("u",))
    assert forced.role == "number"


def test_what_is_far_can_be_named_as_missing_with_all_its_digits() -> None:
    far = 123456789.25
    frame = plain(b=[far if k == 7 else k / 100 for k in range(ROWS)])
    said = "\n".join(fb.Table(frame, target="y").facts.cautions)
    assert f"pass missing_values=('b={far}',)" in said
    named = fb.Table(frame, target="y", missing_values=(f"b={far}",))
    assert named.facts.lacking == ("b",)
    comma = fb.Table(frame, target="y", missing_values=(f"b={far}",), decimal=",")
    assert comma.facts.lacking == ("b",)


def test_names_are_in_the_same_order_whatever_the_rows() -> None:
    frame = plain(site=cycled("3", "NAN", "1", "x"))
    orders = {
        fb.Table(
            frame.sample(frac=1, random_state=k), target="y", client="site", categories=("site",)
        ).facts.clients
        for k in range(5)
    }
    assert orders == {("1", "3", "NAN", "x")}
