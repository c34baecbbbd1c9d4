"""A table of one's own on the form: parts of a file, and the roles of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fedbench as fb
from fedbench.scenarios import digits
from fedbench_widgets import own as module
from fedbench_widgets.cells import HIDDEN
from fedbench_widgets.form import Form

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


def test_it_is_shown_with_a_table_alone(form: Form) -> None:
    assert HIDDEN in form.own.widget._dom_classes
    form.put(data=fb.Table())
    assert HIDDEN not in form.own.widget._dom_classes
    assert form.own.picker.words == "A CSV or Parquet file; its first row names the columns."
    assert [each.path for each in form.problems] == ["data.path"]
    form.put(data=fb.Wine())
    assert HIDDEN in form.own.widget._dom_classes


@pytest.mark.parametrize("parts", [1, 7])
def test_a_file_is_put_together_and_shown_column_by_column(form: Form, parts: int) -> None:
    upload(form, CSV.encode(), parts=parts)
    table = form.own.table
    assert table is not None
    assert Path(table.path).read_text() == CSV
    assert form.own.picker.received == {"token": "people.csv", "at": len(CSV)}
    assert roles(form) == {"age": "feature", "site": "feature", "ill": "feature"}
    assert form.own.picker.columns[0]["words"] == "20, 21, 22"
    assert form.own.picker.words == "Give one column the role of target."


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
    give(form, "site", "left out")
    assert roles(form)["site"] == "left out"
    table = form.own.table
    assert table is not None
    assert (table.client, table.ignore) == ("", ("site",))
    give(form, "site", "feature")
    assert roles(form)["site"] == "feature"


def test_another_target_takes_the_role_and_its_own_task(form: Form) -> None:
    upload(form, CSV.encode())
    give(form, "ill", "target")
    give(form, "age", "target")
    table = form.own.table
    assert table is not None
    assert (table.target, table.task) == ("age", "regression")
    assert roles(form) == {"age": "target", "site": "feature", "ill": "feature"}


def test_what_is_no_table_is_refused_and_the_one_before_stays(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(form, CSV.encode())
    before = form.own.table
    upload(form, b"%PDF", "page.pdf")
    assert form.own.picker.problem.startswith("'page.pdf' is none of .csv")
    assert form.own.table == before
    monkeypatch.setattr(module, "LARGEST", 10)
    upload(form, CSV.encode(), "large.csv")
    assert "put it beside the notebook and type its name as File" in form.own.picker.problem
    assert form.own.table == before
    give(form, "ill", "target")
    assert form.own.picker.problem == ""


def test_leaks_and_gaps_are_told_before_a_run(form: Form) -> None:
    lines = CSV.splitlines()
    told = [f"{lines[0]},again", *(f"{line},{line.rpartition(',')[2]}" for line in lines[1:])]
    upload(form, "\n".join(told).encode())
    give(form, "ill", "target")
    assert form.own.picker.cautions == [
        "'again' alone predicts 'ill': if it is only known afterwards, add it to ignore"
    ]
