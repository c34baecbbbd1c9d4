"""A table of one's own on the form: parts of a file, and the roles of columns."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

import fedbench as fb
from fedbench.scenarios import digits
from fedbench_widgets import own as module
from fedbench_widgets.form import WRONG, Form

WIDGETS = Path(module.__file__).parent
CSV = "age,site,ill\n" + "".join(
    f"{20 + k},{'north' if k % 3 else 'south'},{'yes' if k > 30 else 'no'}\n" for k in range(60)
)


@pytest.fixture
def form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Form:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Form(digits(), lambda: None)


def send(form: Form, content: dict[str, Any], *buffers: bytes) -> None:
    form.own._heard(None, content, [memoryview(each) for each in buffers])


def upload(form: Form, content: bytes, name: str = "people.csv", parts: int = 1) -> None:
    step = -(-len(content) // parts)
    for at in range(0, len(content), step):
        part = {"token": name, "name": name, "size": len(content), "at": at}
        send(form, {"part": part}, content[at : at + step])


def give(form: Form, column: str, role: str) -> None:
    send(form, {"role": {"column": column, "role": role}})


def roles(form: Form) -> dict[str, str]:
    return {each["name"]: each["role"] for each in form.own.picker.columns}


def inside(form: Form) -> dict[str, Any]:
    """Return what the page is told beside what is saved."""
    return form.own._inside


def saved(form: Form) -> str:
    """Return the state of all widgets of the form, as a notebook would save it."""
    found, todo = [], [form.widget]
    while todo:
        widget = todo.pop()
        found.append(repr(widget.get_state()))
        todo += getattr(widget, "children", ())
    return "\n".join(found)


def test_a_file_can_be_chosen_first_of_all_and_nothing_is_red_before_its_turn(form: Form) -> None:
    section = form._sections["Data"]
    assert section.children[0].children[0] is form.own.widget
    assert not form.own.picker.chosen
    form.put(data=fb.Table())
    assert form.own.picker.chosen
    assert form.own.picker.words == "Choose a file to begin."
    assert form.experiment is None
    assert form.wrong == "Data › Choose a file to begin."
    assert WRONG not in section._dom_classes
    form.put(data=fb.Wine())
    assert not form.own.picker.chosen
    assert form.experiment is not None


@pytest.mark.parametrize("parts", [1, 7])
def test_a_file_is_put_together_and_shown_column_by_column(form: Form, parts: int) -> None:
    upload(form, CSV.encode(), parts=parts)
    table = form.own.table
    assert table is not None
    assert Path(table.path).read_text() == CSV
    assert form.own.picker.received == {"token": "people.csv", "at": len(CSV)}
    assert roles(form) == {"age": "feature", "site": "client", "ill": "target"}
    assert inside(form)["columns"]["age"] == "number · 20, 21, 22"
    assert "Guessed: ill as target and site as client" in form.own.picker.words
    experiment = form.experiment
    assert experiment is not None
    assert experiment.partition == fb.Natural()


def test_a_part_that_comes_twice_or_out_of_turn_changes_nothing(form: Form) -> None:
    content = CSV.encode()
    part = {"token": "t", "name": "a.csv", "size": len(content), "at": 0}
    send(form, {"part": part}, content[:100])
    send(form, {"part": part}, content[:100])
    send(form, {"part": part | {"at": 300}}, content[300:])
    assert form.own.picker.received == {"token": "t", "at": 100}
    send(form, {"part": part | {"at": 100}}, content[100:])
    assert form.own.table is not None


def test_roles_make_an_experiment_whose_clients_are_natural(form: Form) -> None:
    upload(form, CSV.encode())
    give(form, "ill", "target")
    give(form, "site", "client")
    form.put(privacy=fb.NoPrivacy())
    assert roles(form) == {"age": "feature", "site": "client", "ill": "target"}
    experiment = form.experiment
    assert experiment is not None
    assert experiment.partition == fb.Natural()
    assert experiment.clients == 2
    assert form.own.picker.words == "60 rows, 3 columns, 2 clients; ill is 2 classes."
    give(form, "site", "not used")
    assert roles(form)["site"] == "not used"
    table = form.own.table
    assert table is not None
    assert (table.client, table.ignore) == ("", ("site",))
    give(form, "site", "feature")
    assert roles(form)["site"] == "feature"


def test_another_target_takes_the_role_and_its_own_task(form: Form) -> None:
    upload(form, CSV.encode())
    give(form, "age", "target")
    table = form.own.table
    assert table is not None
    assert (table.target, table.task) == ("age", "regression")
    assert roles(form) == {"age": "target", "site": "client", "ill": "feature"}


def test_what_is_no_table_is_refused_and_the_one_before_stays(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(form, CSV.encode())
    before = form.own.table
    upload(form, b"%PDF", "page.pdf")
    assert inside(form)["problem"].startswith("'page.pdf' is not a kind of table that can be read")
    assert inside(form)["problem"].endswith("; still using people.csv")
    assert form.own.table == before
    monkeypatch.setattr(module, "LARGEST", 10)
    upload(form, CSV.encode(), "large.csv")
    assert "put it next to the notebook and type its name as File" in inside(form)["problem"]
    assert form.own.table == before
    give(form, "ill", "target")
    assert inside(form)["problem"] == ""


def test_leaks_and_gaps_are_told_before_a_run(form: Form) -> None:
    lines = CSV.splitlines()
    told = [f"{lines[0]},again", *(f"{line},{line.rpartition(',')[2]}" for line in lines[1:])]
    upload(form, "\n".join(told).encode())
    give(form, "ill", "target")
    assert inside(form)["cautions"] == [
        "'again' alone predicts 'ill': if it is only known afterwards, add it to ignore"
    ]


PLAIN = "a,b,c\n" + "".join(f"{k},{k % 7},{k % 3}\n" for k in range(60))


def test_where_nothing_is_plain_nothing_is_guessed(form: Form) -> None:
    upload(form, PLAIN.encode())
    assert set(roles(form).values()) == {"feature"}
    assert form.own.picker.words == "Choose the column to predict: give it the role target."
    assert form.wrong == f"Data › {form.own.picker.words}"
    assert inside(form)["problem"] == ""


def test_a_new_file_with_the_same_columns_keeps_their_roles(form: Form) -> None:
    upload(form, PLAIN.encode(), "march.csv")
    give(form, "c", "target")
    give(form, "b", "not used")
    upload(form, PLAIN.replace("59,", "99,").encode(), "april.csv")
    table = form.own.table
    assert table is not None
    assert (Path(table.path).name, table.target, table.ignore) == ("april.csv", "c", ("b",))
    upload(form, PLAIN.replace("a,b,c", "a,b,d").encode(), "may.csv")
    table = form.own.table
    assert table is not None
    assert (table.target, table.ignore) == ("", ())


MONTH = "id;dose;site;code;ill\n" + "".join(
    f"P{k};{k % 9},5;{'north' if k % 3 else 'south'};{'-9' if k % 10 == 0 else k % 4};"
    f"{'yes' if k % 7 == 0 else 'no'}\n"
    for k in range(120)
)
SET: dict[str, Any] = {
    "target": "ill",
    "client": "site",
    "ignore": ("id",),
    "categories": ("code",),
    "missing_values": ("code=-9", "?!"),
    "decimal": ",",
    "separator": ";",
    "ranked": True,
    "test_fraction": 0.3,
    "split_seed": 4,
    "largest": 2.0,
    "header": True,
}


def settings(form: Form) -> dict[str, Any]:
    """Return the settings of the table on the form that are not those of a plain one."""
    table = form.own.table
    assert table is not None
    found = {name: getattr(table, name) for name in type(table).model_fields}
    plain = fb.Table()
    return {name: value for name, value in found.items() if value != getattr(plain, name)}


def next_file(form: Form, content: bytes, name: str = "april.csv") -> dict[str, Any]:
    """Return the settings that are kept, other than the path, when a file follows `MONTH`."""
    upload(form, MONTH.encode(), "march.csv")
    before = form.own.table
    assert before is not None
    form.put(data=fb.Table(path=before.path, **SET))
    assert form.own.picker.words.startswith("120 rows, 5 columns, 2 clients; ill is 2 classes")
    upload(form, content, name)
    found = settings(form)
    assert Path(found.pop("path")).name == name
    return found


def test_the_next_delivery_of_a_table_keeps_every_setting(form: Form) -> None:
    assert next_file(form, MONTH.replace("P1;", "Q1;").encode()) == SET
    assert "Settings of the file before are kept." in form.own.picker.words
    assert form.experiment is not None


def test_settings_on_columns_that_are_gone_go_with_them(form: Form) -> None:
    found = next_file(
        form, MONTH.replace("id;dose;site;code;ill", "nr;dose;place;kind;ill").encode()
    )
    gone = {"client", "ignore", "categories", "missing_values"}
    assert found == {**{k: v for k, v in SET.items() if k not in gone}, "missing_values": ("?!",)}
    assert "changed: Client, Ignore, Categories, Missing values." in form.own.picker.words


def test_a_table_written_in_another_way_keeps_what_is_not_about_that(form: Form) -> None:
    rows = [line.replace(",", ".").replace(";", ",") for line in MONTH.splitlines()]
    found = next_file(form, "\n".join(rows).encode())
    about = {"decimal", "separator", "header"}
    assert found == {k: v for k, v in SET.items() if k not in about}
    assert form.experiment is not None
    assert "changed: Header, Separator, Decimal." in form.own.picker.words


def test_a_table_without_the_target_begins_anew(form: Form) -> None:
    found = next_file(form, CSV.replace("ill", "outcome").encode())
    kept = {"test_fraction": 0.3, "split_seed": 4, "largest": 2.0}
    assert found == {**kept, "target": "outcome", "client": "site"}
    assert "Guessed: outcome as target and site as client" in form.own.picker.words
    found = next_file(form, PLAIN.encode())
    assert found == kept
    assert form.own.picker.words == (
        "Choose the column to predict: give it the role target. "
        "Settings of the file before are not kept: this is another table."
    )


def test_before_a_target_is_chosen_the_same_columns_are_the_same_table(form: Form) -> None:
    upload(form, PLAIN.encode(), "march.csv")
    give(form, "b", "not used")
    upload(form, PLAIN.replace("59,", "99,").encode(), "april.csv")
    assert settings(form).keys() == {"path", "ignore"}
    upload(form, PLAIN.replace("a,b,c", "a,b,d").encode(), "may.csv")
    assert settings(form).keys() == {"path"}


def workbook(**sheets: str) -> bytes:
    """Return an Excel file with these sheets, each given as CSV."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, text in sheets.items():
        sheet = book.create_sheet(name)
        for line in text.splitlines():
            sheet.append([int(c) if c.isdecimal() else c for c in line.split(",")])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_a_sheet_is_kept_where_there_is_one_of_that_name(form: Form) -> None:
    upload(form, workbook(March=CSV, notes="a,b\n1,2\n"), "march.xlsx")
    assert "has several sheets; choose one of 'March', 'notes'" in inside(form)["problem"]
    assert "/" not in inside(form)["problem"], "the folder of uploads is nobody's affair"
    shown = form._group("data").find("data.sheet")
    assert shown is not None
    assert "fb-unfolded" in shown.widget._dom_classes
    table = form.own.table
    assert table is not None
    form.put(data=fb.Table(path=table.path, sheet="March", target="ill", client="site"))
    assert "fb-unfolded" not in shown.widget._dom_classes
    upload(form, workbook(March=CSV, notes="a,b\n1,2\n"), "again.xlsx")
    assert settings(form)["sheet"] == "March"
    upload(form, workbook(April=CSV), "april.xlsx")
    assert settings(form).keys() == {"path", "target", "client"}
    assert inside(form)["problem"] == ""


def frame() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(CSV))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", lambda: CSV.replace(",", "\t").encode()),
        ("a.txt", lambda: CSV.replace(",", ";").encode()),
        ("a.csv.gz", lambda: gzip.compress(CSV.encode())),
        ("A.CSV", lambda: CSV.encode("utf-16")),
        ("a.xlsx", lambda: workbook(one=CSV)),
        ("a.parquet", lambda: frame().to_parquet()),
        ("a.pq", lambda: frame().to_parquet()),
        ("a.zip", lambda: zipped(people=CSV)),
    ],
)
def test_what_the_reader_reads_can_be_uploaded(form: Form, name: str, content: Any) -> None:
    upload(form, content(), name)
    assert form.own.picker.words.startswith("60 rows, 3 columns, 2 clients; ill is 2 classes.")
    assert form.experiment is not None
    kinds = re.findall(r'const KINDS = "(.*)"', (WIDGETS / "upload" / "upload.js").read_text())
    assert Path(name).suffix.lower() in kinds[0].split(","), "the browser does not offer it"


def zipped(**files: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"%PDF", "not a kind of table that can be read; save it as CSV, Excel (.xlsx)"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "not a kind of table that can be read"),
        ("a.json", b"[]", "not a kind of table that can be read"),
        ("a.csv", b"%PDF-1.4\n\xe2\xe3", "'a.csv' is a PDF, not a table"),
        ("a.xlsx", CSV.encode(), "'a.xlsx' is not an Excel file"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel file (.xls); save it as"),
        ("a.parquet", b"PAR1", "is not a Parquet file, or it is damaged"),
        ("a.csv", b"<!doctype html>", "is a web page, not a table"),
        ("a.zip", zipped(a=CSV, b=CSV), "holds 2 files; unpack it"),
        ("a.csv", b"", "is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    form: Form, name: str, content: bytes, words: str
) -> None:
    upload(form, content or b" ", name)
    assert words in inside(form)["problem"]
    assert "fedbench-tables" not in inside(form)["problem"]


def test_a_column_that_was_left_out_becomes_a_feature_where_that_means_anything(form: Form) -> None:
    lines = CSV.splitlines()
    odd = [f"nr,name,day,same,{lines[0]}"]
    odd += [f"{k},name {k},2024-01-{k % 28 + 1:02},x,{line}" for k, line in enumerate(lines[1:])]
    upload(form, "\n".join(odd).encode())
    assert [roles(form)[name] for name in ("nr", "name", "day", "same")] == ["not used"] * 4
    told = inside(form)["columns"]["name"]
    assert told.startswith("looks like an ID: almost every value is different; give it the role")
    assert any("give it the role feature to use it" in each for each in inside(form)["cautions"])
    for name in ("nr", "name", "day", "same"):
        give(form, name, "feature")
    assert roles(form) | {"age": "", "site": "", "ill": ""} == {
        "nr": "feature",
        "name": "feature",
        "day": "not used",
        "same": "not used",
        "age": "",
        "site": "",
        "ill": "",
    }
    assert settings(form) | {"path": ""} == {
        "path": "",
        "target": "ill",
        "client": "site",
        "numbers": ("nr",),
        "categories": ("name",),
    }


def test_the_red_line_speaks_of_the_file_that_is_there(form: Form) -> None:
    upload(form, b"a,a\n1,2\n", "broken.csv")
    assert "2 columns are called 'a'" in inside(form)["problem"]
    upload(form, CSV.encode())
    assert inside(form)["problem"] == ""
    assert form.wrong == ""


def test_nothing_that_a_cell_holds_is_in_what_a_notebook_saves(form: Form) -> None:
    rows = "".join(
        f"P-{k:04}-SECRET,{50000 + k},SECRET{k % 2},{'yes' if k > 30 else 'no'}\n"
        for k in range(60)
    )
    upload(form, ("name,pay,town,ill\n" + rows).encode(), "people.csv")
    assert form.experiment is not None
    assert "SECRET" in repr(inside(form))
    for role in ("time", "client", "feature"):  # refused, with a value in the reason, or not
        assert "SECRET" not in saved(form)
        assert "50001" not in saved(form)
        give(form, "pay" if role == "time" else "name", role)
