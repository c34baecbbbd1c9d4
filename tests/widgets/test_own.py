"""A table of one's own on the form: parts of a file, and the roles of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fedbench as fb
from fedbench.scenarios import digits
from fedbench_widgets import own as module
from fedbench_widgets.form import WRONG, Form

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
    assert inside(form)["problem"].startswith("'page.pdf' is none of .csv")
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
