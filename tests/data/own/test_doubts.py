"""What can be meant in two ways is asked, with the argument that decides; what is odd is said."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fedbench as fb


def people(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, rows)
    frame = pd.DataFrame({"age": age, "bmi": rng.normal(27, 4, rows).round(1)})
    frame["site"] = rng.choice(["north", "south", "west"], rows)
    return frame.assign(ill=np.where(age + rng.normal(0, 10, rows) > 50, "yes", "no"))


def refusal(*data: Any, **fields: Any) -> tuple[str, str]:
    with pytest.raises(fb.TableError) as caught:
        _ = fb.Table(*data, **{"target": "ill", **fields}).facts
    return caught.value.field, str(caught.value)


def cautions(*data: Any, **fields: Any) -> str:
    return "\n".join(fb.Table(*data, **{"target": "ill", **fields}).facts.cautions)


def saved(tmp_path: Path, content: bytes, name: str = "t.csv") -> Path:
    place = tmp_path / name
    place.write_bytes(content)
    return place


def column(table: fb.Table, name: str) -> Any:
    return table._read().frame[name]


# Cells


@pytest.mark.parametrize("share", [0.02, 0.09, 0.12, 0.6, 0.95])
@pytest.mark.parametrize("mark", ["-", "None", ".", "--", "unknown", "n.d."])
def test_a_mark_among_numbers_is_asked_at_any_share(mark: str, share: float) -> None:
    frame = people()
    gap = np.arange(200) < 200 * share
    frame["bmi"] = np.where(gap, mark, frame["bmi"].astype(str))
    _, why = refusal(frame)
    assert f"'bmi' holds numbers but {mark!r} in row 1 ({gap.sum()} such cells)" in why
    for remedy in ({"missing_values": (mark,)}, {"missing_values": (f"bmi={mark}",)}):
        table = fb.Table(frame, target="ill", **remedy)
        np.testing.assert_array_equal(column(table, "bmi").isna(), gap)
        assert f"{gap.sum()} cells that say {mark!r} are read as missing" in cautions(
            frame, **remedy
        )
    np.testing.assert_array_equal(
        np.isnan(fb.Table(frame, target="ill", numbers=("bmi",)).table().x[:, 1]), gap
    )
    named = fb.Table(frame, target="ill", categories=("bmi",)).facts.columns[1]
    assert named.role == "category"


@pytest.mark.parametrize("mark", ["#N/A", "n/a", "NA", "NULL", "?"])
def test_a_usual_mark_is_missing_and_said(mark: str) -> None:
    frame = people()
    frame["bmi"] = np.where(np.arange(200) % 3 == 0, mark, frame["bmi"].astype(str))
    assert f"'bmi': 67 cells that say {mark!r} are read as missing" in cautions(frame)


def test_a_number_that_stands_for_nothing_is_pointed_out_and_can_be_named() -> None:
    frame = people()
    frame.loc[:2, "age"] = 0
    frame.loc[7, "bmi"] = 270
    frame = frame.assign(sbp=np.random.default_rng(1).normal(130, 15, 200).round())
    frame.loc[3:5, "sbp"] = 999
    said = cautions(frame)
    assert "'age' is 0 in 3 rows, far from the others (20 to 79)" in said
    assert "'bmi' has 1 values beyond 10 SD (max 270" in said
    assert "'sbp' has 3 values beyond 10 SD (max 999" in said
    named = ("age=0", "bmi=270", "sbp=999")
    assert "beyond" not in cautions(frame, missing_values=named)
    assert column(fb.Table(frame, target="ill", missing_values=named), "age").isna().sum() == 3
    assert refusal(frame, missing_values=("town=0",))[0] == "missing_values"


def test_skewed_numbers_are_not_far() -> None:
    frame = people(1000).assign(pay=np.random.default_rng(2).lognormal(8, 1, 1000))
    assert "beyond" not in cautions(frame)


def test_codes_and_ids_that_look_like_numbers_are_pointed_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = people().assign(
        zip=rng.integers(501, 99950, 200), patient_id=rng.permutation(10**6)[:200]
    )
    said = cautions(frame)
    assert "'zip' looks like a code and is read as a number; pass categories=('zip',)" in said
    assert "'patient_id' looks like an ID" in said
    frame["zip"] = [f"{value:05}" for value in rng.choice([501, 1234, 99950], 200)]
    place = saved(tmp_path, frame.to_csv(index=False).encode())
    assert "'zip' holds numbers with leading zeros" in cautions(place)
    assert set(column(fb.Table(place, target="ill"), "zip")) == {"00501", "01234", "99950"}


@pytest.mark.parametrize(
    ("how", "fields"),
    [
        (lambda v: f"{v:.1f}".replace(".", ","), {"decimal": ","}),
        (lambda v: f"{v:,.1f}", {"thousands": ","}),
        (lambda v: f"{v:,.1f}".replace(",", "'"), {"thousands": "'"}),
        (
            lambda v: f"{v:,.1f}".replace(",", " ").replace(".", ","),
            {"decimal": ",", "thousands": " "},
        ),
        (
            lambda v: f"{v:,.1f}".replace(",", ";").replace(".", ",").replace(";", "."),
            {"decimal": ",", "thousands": "."},
        ),
    ],
)
@pytest.mark.parametrize("file", [True, False])
def test_other_notations_are_refused_by_the_field_that_reads_them(
    how: Any, fields: dict[str, str], file: bool, tmp_path: Path
) -> None:
    pay = (np.random.default_rng(4).random(200) * 9000 + 1000).round(1)
    frame = people().assign(pay=[how(value) for value in pay])
    data = saved(tmp_path, frame.to_csv(index=False, sep=";").encode()) if file else frame
    where, _ = refusal(data)
    assert where in ("decimal", "thousands")
    np.testing.assert_array_equal(column(fb.Table(data, target="ill", **fields), "pay"), pay)


def test_a_group_that_is_not_of_three_is_no_mark_of_thousands() -> None:
    frame = people().assign(pay=["1,5", "2,75"] * 100)
    assert refusal(frame, thousands=",")[0] in ("decimal", "path")


# Files


def test_a_first_row_of_data_is_asked(tmp_path: Path) -> None:
    frame = people()
    place = saved(tmp_path, frame.to_csv(index=False, header=False).encode())
    where, why = refusal(place, target="column 4")
    assert where == "header"
    assert "looks like data" in why
    table = fb.Table(place, target="column 4", header=False)
    np.testing.assert_array_equal(column(table, "column 1"), frame["age"])
    years = "ill,2019,2020\n" + "yes,1,2\nno,3,5\n" * 20
    assert refusal(saved(tmp_path, years.encode()))[0] == "header"
    assert "2019" in {
        each.name for each in fb.Table(tmp_path / "t.csv", target="ill", header=True).facts.columns
    }


def test_a_row_number_is_left_out_whatever_rows_are_dropped(tmp_path: Path) -> None:
    frame = people()
    frame.loc[[3, 50], "ill"] = None
    for data in (frame.to_csv(), frame[frame["age"] > 30].to_csv()):
        table = fb.Table(saved(tmp_path, data.encode()), target="ill")
        assert table.table().card.features[0] == "age"
    assert "'row' is not used: it only numbers the rows" in cautions(
        frame.assign(row=range(1, 201))
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_is_found(encoding: str, tmp_path: Path) -> None:
    frame = people().assign(site=np.where(np.arange(200) % 2, "Köln", "東京"))
    place = saved(tmp_path, frame.to_csv(index=False).encode(encoding))
    assert set(column(fb.Table(place, target="ill"), "site")) == {"Köln", "東京"}


@pytest.mark.parametrize(
    ("encoding", "towns"),
    [
        ("latin-1", ("München", "Köln")),
        ("latin-1", ("Hôtel-Dieu", "Pitié-Salpêtrière")),
        ("cp1250", ("Łódź", "Świętokrzyskie")),
        ("cp1251", ("Москва", "Казань")),
        ("gbk", ("北京协和医院", "华西医院")),
        ("shift_jis", ("東京大学病院", "大阪")),
    ],
)
def test_other_encodings_are_found_and_said_or_chosen(
    encoding: str, towns: tuple[str, str], tmp_path: Path
) -> None:
    frame = people().assign(site=np.where(np.arange(200) % 2, *towns))
    place = saved(tmp_path, frame.to_csv(index=False).encode(encoding))
    try:
        said = cautions(place)
    except fb.TableError as error:
        assert error.field == "encoding"
        assert "the likeliest, or one of" in str(error)
    else:
        assert "because it is not UTF-8" in said
        assert set(column(fb.Table(place, target="ill"), "site")) == set(towns)
    chosen = fb.Table(place, target="ill", encoding=encoding)
    assert set(column(chosen, "site")) == set(towns)
    assert fb.Table.from_toml(chosen.to_toml()) == chosen
    assert refusal(place, encoding="utf-8")[0] == "encoding"


def test_letters_far_behind_the_start_of_a_file_are_no_surprise(tmp_path: Path) -> None:
    frame = people(9000)
    frame.loc[8999, "site"] = "Köln"
    place = saved(tmp_path, frame.to_csv(index=False).encode("latin-1"))
    assert "Köln" in set(column(fb.Table(place, target="ill"), "site"))


def test_separators_that_could_both_be_meant_are_asked(tmp_path: Path) -> None:
    text = "a;b,c;ill\n" + "1;u,v;yes\n4;w,v;no\n" * 20
    where, why = refusal(saved(tmp_path, text.encode()))
    assert (where, "separator=';', the likelier" in why) == ("separator", True)
    assert len(fb.Table(tmp_path / "t.csv", target="ill", separator=";").facts.columns) == 3


def test_ends_of_lines_and_short_rows(tmp_path: Path) -> None:
    text = people().to_csv(index=False, sep=";")
    for ending in (text.replace("\n", ";;\r\n"), "sep=;\n" + text, text.replace("\n", "\r")):
        table = fb.Table(saved(tmp_path, ending.encode()), target="ill")
        assert [each.name for each in table.facts.columns] == ["age", "bmi", "site", "ill"]
    assert "the first such row ends in line 202" in cautions(
        saved(tmp_path, (text + "30;20.5\n").encode())
    )
    blanks = people().to_string(index=False)
    assert len(fb.Table(saved(tmp_path, blanks.encode()), target="ill").facts.columns) == 4


def test_excel_files_are_read_and_a_sheet_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, place = people(), tmp_path / "t.xlsx"
    with pd.ExcelWriter(place) as writer:
        frame.to_excel(writer, sheet_name="one", index=False)
    np.testing.assert_array_equal(column(fb.Table(place, target="ill"), "bmi"), frame["bmi"])
    with pd.ExcelWriter(place) as writer:
        frame.to_excel(writer, sheet_name="one", index=False)
        frame.assign(age=1).to_excel(writer, sheet_name="two", index=False)
    where, why = refusal(place)
    assert (where, "choose one of 'one', 'two'" in why) == ("sheet", True)
    assert fb.Table(place, target="ill", sheet="one").facts.rows == 200
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "pip install 'fedbench-workbench[excel]'" in refusal(place, sheet="two")[1]


def test_archives_folders_and_what_is_no_table(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", people().to_csv(index=False))
    assert fb.Table(saved(tmp_path, packed.getvalue(), "t.zip"), target="ill").facts.rows == 200
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("b.csv", "a\n1\n")
    assert "holds 2 files" in refusal(saved(tmp_path, packed.getvalue(), "t.zip"))[1]
    assert "is a folder" in refusal(tmp_path)[1]
    assert "is not text" in refusal(saved(tmp_path, b"\x89PNG\r\n\x1a\n\0\0\1" * 99))[1]
    assert "old Excel" in refusal(saved(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9))[1]
    for broken in (b"\x1f\x8b\x08\0\0\0\0\0", b"PK\x03\x04 and no more", b"PAR1 and no more"):
        assert "Error" not in refusal(saved(tmp_path, broken))[1]
    assert "never closed" in refusal(saved(tmp_path, b'a,ill\n1,yes\n2,"no\n'))[1]
    one = saved(tmp_path, b"A report\na,b,ill\n1,2,yes\n2,3,no\n")
    assert "delete what stands above the column names" in refusal(one)[1]


# Columns, classes, holders, times


def test_columns_and_classes_that_are_odd_are_pointed_out() -> None:
    frame = people()
    frame = frame.assign(
        lb=frame["bmi"] * 2.2046, place=frame["site"].str.upper(), risk=frame["ill"].map(len)
    )
    said = cautions(frame)
    assert "'lb' says the same as 'bmi'" in said
    assert "'place' says the same as 'site'" in said
    assert "'risk' alone predicts 'ill'" in said
    assert "'North' and 'north'" in cautions(
        people().assign(site=["North", "north"] * 100)
    ) or "'north' and 'North'" in cautions(people().assign(site=["North", "north"] * 100))
    three = people().assign(ill=np.random.default_rng(0).choice(["a", "b", "c"], 200))
    assert "alone" in cautions(three.assign(code=three["ill"].map({"a": 10, "b": 30, "c": 20})))
    classes = people().assign(ill=[f"c{k}" for k in range(120)] + ["a", "b"] * 40)
    assert "120 of 122 classes of 'ill' have a single row" in cautions(classes)
    assert refusal(people(120).assign(ill=[f"c{k}" for k in range(120)]))[0] == "target"
    graded = people().assign(ill=[1, 2, 3, 4] * 50)
    assert "taken for classes; pass task='regression'" in cautions(graded)
    assert fb.Table(people().assign(ill=[1, 2] * 100), target="ill").facts.classes == ("1", "2")


def test_many_rows_of_one_time_and_holders_seen_late_or_early() -> None:
    frame = people().assign(day=np.arange(200) // 50)
    assert "'day' is coarse: 4 different times" in cautions(frame, time="day")
    frame = people().assign(day=range(200))
    frame.loc[185:, "site"] = "new"
    frame.loc[:30, "site"] = "closed"
    said = fb.Table(frame, target="ill", client="site", time="day").cautions()
    assert any("1 clients, such as 'new'" in each for each in said)
    assert any("1 clients, such as 'closed'" in each for each in said)


@pytest.mark.parametrize("blank", ["", "  ", "NA", None])
def test_a_row_without_a_holder_is_refused(blank: str | None) -> None:
    frame = people()
    frame.loc[3:5, "site"] = blank
    assert "'site' is missing in row 4 (3 such rows)" in refusal(frame, client="site")[1]


def test_a_rare_class_is_ranked_unless_said_otherwise() -> None:
    frame = people(500)
    frame["ill"] = np.where(np.arange(500) % 55 == 0, "yes", "no")
    table = fb.Table(frame, target="ill")
    assert "only 2.0% of rows have 'ill' = 'yes', so AUC is shown first" in cautions(frame)
    assert fb.Experiment(data=table).metric == "auc"
    assert table.load().card.ranked
    assert fb.Experiment(data=table.replace(ranked=False)).metric == "accuracy"
    assert fb.Experiment(data=fb.Table(people(), target="ill")).metric == "accuracy"
    assert fb.Experiment(data=fb.Table(people(), target="ill", ranked=True)).metric == "auc"
    assert refusal(people(), target="site", ranked=True)[0] == "ranked"
    experiment = fb.Experiment(
        data=table.replace(client="site"),
        partition=fb.Natural(),
        rounds=2,
        target={"metric": "auc"},
    )
    assert "auc" in fb.run(experiment, progress=False).rows[-1].metrics


# How it is shown


def test_cells_can_be_left_out_of_what_is_said() -> None:
    frame = people()
    frame.loc[:3, "bmi"] = 27.5
    frame["note"] = np.where(np.arange(200) % 9, frame["bmi"].astype(str), "SECRET")
    refused = fb.Table(frame, target="ill")
    with pytest.raises(fb.TableError) as caught:
        _ = refused.facts
    assert "SECRET" in str(caught.value) and "SECRET" not in caught.value.public
    table = fb.Table(frame, target="ill", numbers=("note",))
    assert "SECRET" in "".join(table.facts.cautions)
    assert "SECRET" not in "".join(table.cautions()) + "".join(table.load().card.traps)


def test_facts_and_tables_are_readable() -> None:
    table = fb.Table(people(), target="ill", client="site")
    lines = repr(table.facts).splitlines()
    assert lines[0] == "200 rows, 4 columns, 3 clients by 'site'; 'ill' is one of 2 classes"
    assert lines[1].split()[:2] == ["age", "number"]
    assert repr(table).startswith("fb.Table(path='frame:")
    assert max(map(len, lines)) < 120
