"""Tables of one's own: what columns are taken for, and what a bad one gets."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.data.own.roles import MOST_LEVELS

ODD = "<b>ε\"'</b>"


def people(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 80, rows),
            "weight": rng.normal(75, 10, rows).round(1),
            ODD: rng.choice(["red", "green", "<i>blue"], rows),
            "site": rng.choice(["north", "south", "west"], rows),
        }
    )
    risk = (frame["age"] - 50) / 10 + rng.normal(0, 1, rows)
    return frame.assign(ill=np.where(risk > 0, "yes", "no"))


def written(tmp_path: Path, text: str, name: str = "table.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def roles(table: fb.Table) -> dict[str, str]:
    return {each.name: each.role for each in table.facts.columns}


def refusal(table: fb.Table) -> tuple[str, str]:
    """Return where and why an experiment with this table is refused."""
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(data=table)
    (error,) = caught.value.errors()
    return ".".join(map(str, error["loc"])), error["msg"]


# What it is taken for


def test_columns_are_taken_for_numbers_and_categories_and_one_says_who_holds_a_row() -> None:
    table = fb.Table(people(), target="ill", client="site")
    assert roles(table) == {
        "age": "number",
        "weight": "number",
        ODD: "category",
        "site": "client",
        "ill": "target",
    }
    assert table.task == "classification"
    data = table.load()
    assert data.card.features == (
        *("age", "weight", f"{ODD}: <i>blue", f"{ODD}: green", f"{ODD}: red"),
    )
    assert data.card.classes == ("no", "yes")
    assert data.columns["site"].names == ("north", "south", "west")
    np.testing.assert_allclose(data.x[:, :2].mean(0), 0, atol=1e-5)
    assert set(np.unique(data.x[:, 2:])) == {0, 1}
    assert (data.x[:, 2:].sum(1) == 1).all()


def test_every_row_stands_where_it_belongs() -> None:
    """Row by row: with nothing held but the order of rows, features are those of the frame."""
    frame = people()
    raw = fb.Table(frame, target="ill", client="site").table()
    np.testing.assert_array_equal(raw.x[:, 0], frame["age"])
    np.testing.assert_array_equal(raw.x[:, 3], frame[ODD] == "green")
    np.testing.assert_array_equal(raw.y, frame["ill"] == "yes")
    names = np.array(raw.columns["site"].names)
    np.testing.assert_array_equal(names[raw.columns["site"].codes], frame["site"])


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 50, "classification"),
        ([0, 1] * 50, "classification"),
        ([1.0, 2.0, 3.0, 4.0] * 25, "classification"),
        ([True, False] * 50, "classification"),
        (list(range(100)), "regression"),
        ([0.5, 1.5] * 50, "regression"),
    ],
)
def test_the_task_is_inferred_and_then_said(values: list[Any], task: str) -> None:
    frame = people(100).assign(what=values)
    table = fb.Table(frame, target="what")
    assert table.task == task
    assert f'task = "{task}"' in table.to_toml()
    other = "regression" if task == "classification" else "classification"
    assert fb.Table(frame, target="what", task=other).task == other


def test_classes_are_in_the_order_of_numbers() -> None:
    frame = people(120).assign(grade=[1, 2, 10] * 40)
    assert fb.Table(frame, target="grade").facts.classes == ("1", "2", "10")


def test_a_number_of_many_values_is_told_in_its_own_unit() -> None:
    table = fb.Table(people(), target="weight")
    data = table.load()
    frame = people()
    own = np.concatenate([data.y, data.y_test]) * data.card.target_std + data.card.target_mean
    np.testing.assert_allclose(np.sort(own), np.sort(frame["weight"]), rtol=1e-4)


def test_a_missing_number_is_the_median_of_the_training_rows_and_a_column_says_so() -> None:
    frame = people()
    frame.loc[::7, "weight"] = np.nan
    table = fb.Table(frame, target="ill")
    raw = table.table()
    held = table.held_out(raw)
    data = table.load()
    assert data.card.features[:3] == ("age", "weight", "weight: missing")
    gap = frame["weight"].isna().to_numpy()
    known = frame["weight"].to_numpy()[~held & ~gap]
    filled = np.where(gap, np.float32(np.median(known)), frame["weight"]).astype(np.float32)
    scaled = (filled - filled[~held].mean()) / filled[~held].std()
    np.testing.assert_allclose(data.x[:, 1], scaled[~held], rtol=1e-3, atol=1e-4)
    # the indicator is 0 or 1 and not standardised
    marks = data.x[:, 2]
    assert len(np.unique(marks)) == 2
    assert any("median" in caution for caution in table.cautions())


def test_a_missing_text_is_a_value_of_its_own() -> None:
    frame = people()
    frame.loc[:9, ODD] = None
    data = fb.Table(frame, target="ill").load()
    assert f"{ODD}: missing" in data.card.features


def test_the_rarest_of_many_texts_are_one() -> None:
    rows = 1000
    frame = people(rows).assign(town=[f"town {k % 60}" for k in range(rows)])
    table = fb.Table(frame, target="ill")
    (town,) = [each for each in table.facts.columns if each.name == "town"]
    assert len(town.levels) == MOST_LEVELS
    assert town.levels[-1] == "other"
    raw = table.table()
    first = raw.card.features.index(f"town: {town.levels[0]}")
    marks = raw.x[:, first : first + MOST_LEVELS]
    assert (marks.sum(1) == 1).all()
    rare = ~frame["town"].isin(town.levels)
    np.testing.assert_array_equal(marks[:, -1] == 1, rare)


def test_constant_names_and_dates_are_left_out_and_said() -> None:
    frame = people().assign(
        one=1,
        name=[f"person {k}" for k in range(200)],
        seen=pd.date_range("2024-01-01", periods=200).astype(str),
    )
    table = fb.Table(frame, target="ill")
    assert [name for name, role in roles(table).items() if role == "not used"] == [
        *("one", "name", "seen"),
    ]
    said = fb.Experiment(data=table).cautions()
    for name in ("one", "name", "seen"):
        assert any(f"'{name}' is not used" in sentence for sentence in said)


@pytest.mark.parametrize("leak", ["text", "number"])
def test_a_column_that_tells_the_target_is_pointed_out(leak: str) -> None:
    frame = people()
    answer = frame["ill"] if leak == "text" else (frame["ill"] == "yes").astype(int) * 3.5 + 1
    frame = frame.assign(outcome=answer)
    table = fb.Table(frame, target="ill")
    assert any(
        "'outcome' alone predicts 'ill'" in sentence and "ignore" in sentence
        for sentence in table.cautions()
    )
    plain = fb.Table(frame, target="ill", ignore=("outcome",))
    assert not any("alone predicts" in sentence for sentence in plain.cautions())
    assert "outcome" not in "".join(plain.load().card.features)


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    frame = people()
    frame.loc[[3, 5], "ill"] = None
    table = fb.Table(frame, target="ill")
    assert table.facts.untold == 2
    assert len(table.table().y) == 198
    assert "2 rows without 'ill' are dropped" in table.cautions()


@pytest.mark.parametrize("clients", [4, 40])
def test_small_strata_still_leave_a_test_set(clients: int) -> None:
    """Forty rows of a regression: tenths of each client hold hardly a row."""
    frame = people(40).assign(site=[f"s{k % clients:02}" for k in range(40)])
    table = fb.Table(frame, target="weight", client="site")
    held = table.held_out(table.table())
    assert 6 <= held.sum() <= 10
    assert len(set(frame["site"][~held])) == (clients if clients == 4 else 32)


def test_with_a_time_the_latest_rows_are_the_test_set() -> None:
    frame = people().sample(frac=1, random_state=0).reset_index(drop=True)
    days = pd.date_range("2024-01-01", periods=200)[np.random.default_rng(1).permutation(200)]
    data = fb.Table(frame.assign(day=days.astype(str)), target="ill", time="day").load()
    assert data.time is not None
    assert data.test_time is not None
    assert len(data.y_test) == 40
    assert data.time.max() < data.test_time.min()
    numbers = fb.Table(frame.assign(day=range(200)), target="ill", time="day").load()
    assert numbers.test_time is not None
    assert numbers.test_time.min() == 160


def test_a_unit_is_never_parted_not_even_by_time() -> None:
    frame = people().assign(patient=np.arange(200) // 4, day=np.arange(200))
    for more in ({}, {"time": "day"}):
        table = fb.Table(frame, target="ill", unit="patient", **more)
        raw = table.table()
        held = table.held_out(raw)
        assert raw.units is not None
        assert not set(raw.units[held]) & set(raw.units[~held])
        assert 0.1 < held.mean() < 0.35


def test_clients_are_natural_and_learn() -> None:
    experiment = fb.Experiment(
        data=fb.Table(people(), target="ill", client="site"),
        partition=fb.Natural(),
        rounds=5,
        engine=fb.StackedEngine(workers=0),
    )
    assert experiment.federation().names == ("north", "south", "west")
    assert fb.run(experiment, progress=False).rows[-1].metrics["accuracy"] > 0.75


def test_large_numbers_keep_what_tells_them_apart() -> None:
    """Seconds of today have ten digits, and float32 knows seven."""
    frame = people().assign(seen=np.random.default_rng(2).permutation(200) + 1_700_000_000)
    data = fb.Table(frame, target="ill").load()
    assert len(np.unique(data.x[:, 2])) == 160
    told = fb.Table(frame, target="seen").load()
    own = np.concatenate([told.y, told.y_test]).astype(float)
    assert len(np.unique(own)) == 200
    np.testing.assert_allclose(own.std(), 1, atol=0.1)


@pytest.mark.parametrize("days", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y"])
def test_days_are_read_as_they_are_written(days: str) -> None:
    when = pd.date_range("2020-01-01", periods=200)
    order = np.random.default_rng(3).permutation(200)
    frame = people().assign(day=when[order].strftime(days))
    table = fb.Table(frame, target="ill", time="day")
    held = table.held_out(table.table())
    np.testing.assert_array_equal(held, order >= 160)


def test_a_running_number_is_left_out_and_copies_are_counted() -> None:
    frame = people().reset_index()
    table = fb.Table(frame, target="ill")
    assert "'index' is not used: it only numbers the rows" in table.cautions()
    copies = pd.concat([people(50)] * 3, ignore_index=True)
    assert any(
        "100 rows are duplicates" in each for each in fb.Table(copies, target="ill").cautions()
    )


def test_levels_that_are_called_missing_or_other_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    frame = people(1000)
    frame["a"] = rng.choice(["missing", "x", None], 1000)
    frame["b"] = [f"t{k % 60}" for k in range(900)] + ["other"] * 100
    data = fb.Table(frame, target="ill")
    raw = data.table()
    names = raw.card.features
    assert len(set(names)) == len(names)
    first = names.index("a: missing")
    np.testing.assert_array_equal(raw.x[:, first] == 1, frame["a"] == "missing")
    np.testing.assert_array_equal(raw.x[:, first + 2] == 1, frame["a"].isna())
    other = names.index("b: other")
    np.testing.assert_array_equal(raw.x[:, other] == 1, frame["b"] == "other")
    assert data.load().x.shape[1] == len(names)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("clients", [2, 20, 50])
def test_the_share_is_what_was_asked_for_however_small_the_strata(
    share: float, clients: int
) -> None:
    frame = people(400).assign(site=[f"s{k % clients}" for k in range(400)])
    table = fb.Table(frame, target="weight", client="site", test_fraction=share)
    assert table.held_out(table.table()).mean() == pytest.approx(share, rel=0.25)


# Files


def test_a_decimal_comma_is_read_where_it_is_said(tmp_path: Path) -> None:
    frame = people()
    path = written(tmp_path, frame.to_csv(index=False, sep=";", decimal=","))
    where, why = refusal(fb.Table(path, target="ill"))
    assert where == "data.decimal"
    assert "set decimal=','" in why
    table = fb.Table(path, target="ill", decimal=",")
    np.testing.assert_array_equal(table.table().x[:, 1], frame["weight"])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_and_line_ends_are_found(tmp_path: Path, separator: str, end: str) -> None:
    text = people().to_csv(index=False, sep=separator, lineterminator=end)
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())  # as spreadsheets write it
    table = fb.Table(path, target="ill", client="site")
    np.testing.assert_array_equal(
        table.table().x, fb.Table(people(), target="ill", client="site").table().x
    )


def test_parquet_and_packed_files_are_the_same_table(tmp_path: Path) -> None:
    frame = people()
    frame.to_parquet(tmp_path / "table.parquet")
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    here = fb.Table(frame, target="ill").table().x
    for name in ("table.parquet", "table.csv.gz"):
        np.testing.assert_array_equal(fb.Table(tmp_path / name, target="ill").table().x, here)


def test_a_file_that_changed_is_read_anew_and_never_served_from_memory(tmp_path: Path) -> None:
    path = written(tmp_path, people(100).to_csv(index=False))
    old = fb.Table(path, target="ill")
    assert len(old.table().y) == 100
    written(tmp_path, people(120).to_csv(index=False))
    new = fb.Table(path, target="ill")
    assert new != old
    assert len(new.table().y) == 120
    with pytest.raises(fb.TableError, match="has changed since it was read"):
        _ = old.facts


def test_an_experiment_on_a_file_survives_toml(tmp_path: Path) -> None:
    path = written(tmp_path, people().to_csv(index=False))
    experiment = fb.Experiment(data=fb.Table(path, target="ill", client="site"))
    assert fb.Experiment.from_toml(experiment.to_toml()) == experiment
    namespace: dict[str, Any] = {"fb": fb}
    exec(f"made = {experiment.code()}", namespace)
    assert namespace["made"] == experiment


def test_a_frame_is_known_by_its_content() -> None:
    first, again, other = people(), people(), people().assign(age=1)
    assert fb.Table(first, target="ill") == fb.Table(again, target="ill")
    assert fb.Table(first, target="ill") != fb.Table(other, target="ill")
    table = fb.Table(first, target="ill")
    first["age"] = 0  # what was given is not what is kept
    assert table.table().x[:, 0].max() > 20
    assert refusal(fb.Table(path="frame:0123456789abcdef", target="ill")) == (
        "data.path",
        "frame:0123456789abcdef was a DataFrame in another process; "
        "save it to a file and give its path",
    )


# What bad input gets

Bad = Callable[[Path], fb.Table]
LONG = "a,b\n" + "1,2\n" * 50


def column(name: str, values: Any) -> Bad:
    return lambda _: fb.Table(people().assign(**{name: values}), target="ill", client="site")


@pytest.mark.parametrize(
    ("make", "field", "words"),
    [
        (lambda _: fb.Table(), "path", "no table is chosen"),
        (lambda _: fb.Table(path="nowhere.csv", target="a"), "path", "no file 'nowhere.csv'"),
        (lambda _: fb.Table(people()), "target", "choose the column to predict: 'age'"),
        (lambda _: fb.Table(people(), target="sick"), "target", "no column 'sick'; there are"),
        (lambda _: fb.Table(people(), target="ill", client="town"), "client", "no column 'town'"),
        (lambda _: fb.Table(people(), target="ill", ignore=("x",)), "ignore", "no column 'x'"),
        (lambda _: fb.Table(people(), target="ill", client="ill"), "target", "has two roles"),
        (
            lambda _: fb.Table(people().assign(ill="yes"), target="ill"),
            "target",
            "'ill' is 'yes' in every row: one class only",
        ),
        (
            lambda _: fb.Table(people().assign(ill=None), target="ill"),
            "target",
            "'ill' has no value at all; choose another target",
        ),
        *(
            (
                lambda _, role=role: fb.Table(
                    people().assign(void=None), target="ill", **{role: "void"}
                ),
                role,
                f"'void' has no value at all; choose another {role}",
            )
            for role in ("client", "time", "unit")
        ),
        (
            lambda _: fb.Table(
                people().assign(n=[10**400 + k for k in range(200)]), target="n", task="regression"
            ),
            "target",
            "and numbers up to 1e+30 can be predicted; correct that cell, or give the target in",
        ),
        (
            lambda _: fb.Table(people().assign(n=[*range(199), 1e31]), target="n"),
            "target",
            "'n' is 1e+31 in row 200, and numbers up to 1e+30 can be predicted",
        ),
        (
            lambda _: fb.Table(people().assign(n=np.arange(200) * 1e-300), target="n"),
            "target",
            "'n' differs by 2e-298 at most, and differences from 1e-30 on can be predicted",
        ),
        (
            lambda _: fb.Table(
                people().assign(n=3 * 10**18 + np.arange(200) % 30), target="n", task="regression"
            ),
            "target",
            "'n' has the same value in every row to the 15 digits of a number",
        ),
        (column("far", [*range(199), 1e20]), "path", "'far' is 1e+20 in row 200, so far from the"),
        (
            lambda _: fb.Table(
                people(2000).assign(n=range(2000)), target="n", task="classification"
            ),
            "target",
            "2,000 different values; these are not classes; for numbers set task = 'regression'",
        ),
        (
            lambda _: fb.Table(people(), target="ill", task="regression"),
            "task",
            "which is not a number; a regression predicts numbers",
        ),
        (column("empty", None), "ignore", "'empty' has no value at all; add it to ignore"),
        (
            column("mixed", ["12"] * 150 + ["twelve"] + ["13"] * 49),
            "path",
            "'mixed' holds numbers but 'twelve' in row 151 (1 such cells)",
        ),
        (column("far", [np.inf] + [1.0] * 199), "path", "'far' is infinite in row 1"),
        (
            lambda _: fb.Table(
                people().assign(site=[None] + ["a"] * 199), target="ill", client="site"
            ),
            "client",
            "'site' is missing in row 1 (1 such rows); give who holds them",
        ),
        (
            lambda _: fb.Table(people().assign(day="soon"), target="ill", time="day"),
            "time",
            "'day' is 'soon' in row 1, which is not a time (200 such rows)",
        ),
        (
            lambda tmp: fb.Table(written(tmp, "a,b,a\n1,2,3\n"), target="b"),
            "path",
            "2 columns are called 'a'",
        ),
        (
            lambda tmp: fb.Table(written(tmp, "a,b,,\n1,2,3,4\n"), target="b"),
            "path",
            "2 columns have no name",
        ),
        (lambda tmp: fb.Table(written(tmp, ""), target="b"), "path", "is empty"),
        (lambda tmp: fb.Table(written(tmp, "a,b\n"), target="b"), "path", "has no rows"),
        (
            lambda tmp: fb.Table(written(tmp, "<!DOCTYPE html><p>no</p>"), target="b"),
            "path",
            "is a web page, not a table",
        ),
        (lambda tmp: fb.Table(written(tmp, "a\0b"), target="b"), "path", "is not text"),
        (
            lambda tmp: fb.Table(written(tmp, LONG + "1,2,3,4\n"), target="b"),
            "path",
            "is not a table",
        ),
        (
            lambda tmp: fb.Table(written(tmp, LONG), target="b", largest=1e-7),
            "path",
            "has 0.00 GB, and reading it takes several times that memory",
        ),
        (
            lambda tmp: fb.Table(written(tmp, "a,b\n1,2\n1,3\n", "x.parquet"), target="b"),
            "path",
            "is not a Parquet file",
        ),
        (
            lambda tmp: fb.Table(people().set_axis(["a", "a", "b", "c", "d"], axis=1), target="d"),
            "path",
            "several columns are called 'a'",
        ),
        (column("rate", ["12%", "7,5 %"] * 100), "path", "written as in '12%'; write them as in 1"),
        (column("sum", ["1,234.5", "12,000"] * 100), "thousands", "written as in '1,234.5'"),
        (
            lambda _: fb.Table(people().assign(y=[*range(199), "oops"]), target="y"),
            "target",
            "'y' holds numbers but 'oops' in row 200",
        ),
        (
            lambda _: fb.Table(
                people().assign(
                    ill=[None] * 10 + ["a", "b"] * 95, n=["1"] * 49 + ["x"] + ["2"] * 150
                ),
                target="ill",
            ),
            "path",
            "'n' holds numbers but 'x' in row 50",
        ),
        (
            lambda _: fb.Table(people().assign(u=[None] + [1] * 199), target="ill", unit="u"),
            "unit",
            "'u' is missing in row 1 (1 such rows); give what they belong to",
        ),
        (
            lambda _: fb.Table(people().assign(u=1), target="ill", unit="u"),
            "unit",
            "'u' is the same in every row, so there is nothing to keep together",
        ),
        (
            lambda _: fb.Table(people(), target="ill", client="site", unit="site"),
            "unit",
            "'site' has two roles",
        ),
        (
            lambda _: fb.Table(people().assign(t=5), target="ill", time="t"),
            "time",
            "'t' is the same in every row: no rows are the latest",
        ),
        (
            lambda _: fb.Table(
                people().assign(t=["1/2/2024", "3/4/2024"] * 100), target="ill", time="t"
            ),
            "time",
            "where day and month are ambiguous; write them as in 2024-01-31",
        ),
        (
            lambda tmp: fb.Table(
                written(tmp, "a,b,y\n" + "1,2,u,note\n3,4,v,note\n" * 20), target="y"
            ),
            "path",
            "have more cells than its first row has names",
        ),
        (
            lambda _: fb.Table(people()[["ill", "site"]], target="ill", client="site"),
            "path",
            "no column is left to learn from",
        ),
    ],
)
def test_what_is_refused(make: Bad, field: str, words: str, tmp_path: Path) -> None:
    where, why = refusal(make(tmp_path))
    assert where == f"data.{field}"
    assert words in why


@pytest.mark.parametrize("what", [pd.Series([1, 2]), np.zeros((3, 2)), {"a": [1]}, 7])
def test_what_is_no_table_is_refused_by_its_type(what: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(what).__name__}"):
        fb.Table(what)


@pytest.mark.parametrize("cell", [[1, 2], {"a": 1}, {1, 2}, ([1], 2), np.ones(2)])
def test_cells_of_several_values_are_refused_by_their_column(cell: Any) -> None:
    frame = people().assign(many=[cell] * 200)
    where, why = refusal(fb.Table(frame, target="ill"))
    assert where == "data.ignore"
    assert why.startswith("'many' has several values in a cell, such as ")
    assert why.endswith("; give each a column of its own, or add it to ignore")
    ignored = fb.Table(frame, target="ill", ignore=("many",))
    assert roles(ignored)["many"] == "not used"
    np.testing.assert_array_equal(ignored.table().x, fb.Table(people(), target="ill").table().x)
    assert ignored != fb.Table(frame.assign(many=[[3]] * 200), target="ill", ignore=("many",))


def test_cells_of_several_values_in_a_file_are_refused_too(tmp_path: Path) -> None:
    people().assign(many=[[1, 2]] * 200).to_parquet(tmp_path / "t.parquet")
    assert refusal(fb.Table(tmp_path / "t.parquet", target="ill"))[0] == "data.ignore"
    arrow = pd.read_parquet(tmp_path / "t.parquet", dtype_backend="pyarrow")
    assert "'many' has several values" in refusal(fb.Table(arrow, target="ill"))[1]
    table = fb.Table(tmp_path / "t.parquet", target="ill", ignore=("many",))
    assert table.facts.rows == 200


def test_columns_without_a_name_are_called_by_their_place() -> None:
    frame = people()
    one = frame.set_axis([None, *frame.columns[1:]], axis=1)
    table = fb.Table(one, target="ill")
    assert roles(table)["column 1"] == "number"
    assert "a column without a name is called 'column 1'" in table.cautions()
    two = frame.set_axis([None, np.nan, *frame.columns[2:]], axis=1)
    assert refusal(fb.Table(two, target="ill")) == (
        "data.path",
        "2 columns have no name; every column needs its own name",
    )


def test_months_durations_and_complex_numbers_are_what_they_are() -> None:
    frame = people().assign(
        month=pd.period_range("2020-01", periods=200, freq="M"),
        stay=pd.to_timedelta(np.random.default_rng(1).permutation(200), unit="h"),
        wave=np.arange(200) * 1j,
    )
    table = fb.Table(frame, target="ill")
    found = {each.name: (each.role, each.why) for each in table.facts.columns}
    assert found["month"][1].startswith("dates are not used as features; set its role to time")
    assert found["wave"][1].startswith("complex numbers are not used; make columns of their parts")
    assert found["stay"][0] == "number"
    assert "'stay' holds durations, which are read as seconds" in table.cautions()
    raw = table.table()
    np.testing.assert_array_equal(
        raw.x[:, raw.card.features.index("stay")], frame["stay"].dt.total_seconds()
    )
    assert fb.Table(frame, target="stay").task == "regression"
    late = fb.Table(frame, target="ill", time="month").load()
    assert late.test_time is not None
    assert late.test_time.min() == pd.Timestamp("2033-05-01").timestamp()
    assert fb.Table(frame, target="ill", time="stay").load().test_time is not None


def test_clients_may_have_very_long_numbers() -> None:
    frame = people().assign(site=np.where(np.arange(200) % 2, 1e20, 2e20))
    assert len(fb.Table(frame, target="ill", client="site").facts.clients) == 2


def test_every_unit_seen_to_the_end_leaves_nothing_to_train_on() -> None:
    frame = people().assign(patient=np.arange(200) % 4, day=range(200))
    table = fb.Table(frame, target="ill", time="day", unit="patient")
    with pytest.raises(fb.TableError, match="'patient' also occurs in the latest 20% of rows"):
        table.load()


def test_a_large_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n")
        file.truncate(2_000_000_000)  # a hole: it takes no room
    where, why = refusal(fb.Table(path, target="b"))
    assert where == "data.path"
    assert "2.00 GB" in why
    assert "use a sample of its rows, or raise largest from 1" in why


def test_a_site_that_is_seen_only_at_the_end_trains_on_its_own_first_rows() -> None:
    frame = people().assign(day=range(200))
    frame.loc[190:, "site"] = "late"
    experiment = fb.Experiment(
        data=fb.Table(frame, target="ill", client="site", time="day"), partition=fb.Natural()
    )
    federation = experiment.federation()
    late = federation.names.index("late")
    assert federation.sizes[late] == 8
    assert federation.tests_of(np.array([late])) == 2


def test_more_clients_than_samples_are_refused() -> None:
    experiment = fb.Experiment(
        data=fb.Table(people(50), target="ill"), partition=fb.IID(clients=100)
    )
    with pytest.raises(ValueError, match="100 clients need 100 training samples"):
        experiment.federation()
