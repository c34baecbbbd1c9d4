"""Runs side by side, and files to take away, without a browser."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

import fedbench as fb
from fedbench.metrics import METRICS
from fedbench.runs import Amended, History, Session
from fedbench_widgets.comparing import PALETTE, Comparing
from fedbench_widgets.picture import frontier
from fedbench_widgets.sharing import Shared, deliver, history_json
from tests.widgets.test_picture import EXAMPLES, PATIENTS, PRIVATE, WINES, finished

EVIL = "<img src=x onerror=alert(1)>"


def of(*histories: History) -> Comparing:
    comparing = Comparing()
    for history in histories:
        comparing.add(history)
    return comparing


def rows(comparing: Comparing) -> list[dict]:
    return comparing.shown(Session(WINES))["rows"]


def ask(comparing: Comparing, id: int, **wanted: object) -> None:
    comparing.obey({"id": str(id), **wanted})


def long(rounds: int) -> History:
    history = History(WINES.replace(rounds=rounds))
    (row,) = finished(WINES).rows
    for number in range(1, rounds + 1):
        history.append(type(row)(**{**vars(row), "round": number, "seconds": 0.5}))
    return history


def test_without_a_run_there_is_nothing_to_compare() -> None:
    shown = Comparing().shown(Session(WINES))
    assert (shown["columns"], shown["rows"], shown["deleted"]) == ([], [], "")
    assert Comparing().frame(Session(WINES)).empty


def test_of_several_data_sets_only_what_runs_of_one_differ_in_is_told() -> None:
    half, many = WINES.replace(**{"training.lr": 0.5}), PATIENTS.replace(rounds=7)
    shown = of(finished(WINES), finished(half), finished(many)).shown(Session(WINES))
    assert [column["path"] for column in shown["columns"]] == ["data", "training.lr", "rounds"]
    assert [[words for words in row["told"] if words] for row in shown["rows"]] == [
        ["Wine", "Learning rate 0.1"],
        ["Wine", "Learning rate 0.5"],
        ["Diabetes progression"],
    ]
    assert [row["cells"] for row in shown["rows"]][2] == ["Diabetes progression", "0.1", "7"]


def test_the_columns_are_the_settings_in_which_runs_differ() -> None:
    half = WINES.replace(**{"training.lr": 0.5})
    shown = of(finished(WINES), finished(half)).shown(Session(WINES))
    assert shown["columns"] == [{"path": "training.lr", "title": "Learning rate"}]
    assert [row["cells"] for row in shown["rows"]] == [["0.1"], ["0.5"]]
    told = [row["told"] for row in shown["rows"]]
    assert told == [["Learning rate 0.1"], ["Learning rate 0.5"]]
    assert [row["name"] for row in shown["rows"]] == ["Learning rate 0.1", "Learning rate 0.5"]


def test_a_row_says_what_the_run_came_to() -> None:
    (row,) = rows(of(finished(PRIVATE, 0.75, epsilon=2.5)))
    found = {
        name: row[name] for name in ("value", "worst_tenth", "epsilon", "unit", "delta", "rounds")
    }
    assert found == {
        "value": 0.75,
        "worst_tenth": 0.75,
        "epsilon": 2.5,
        "unit": "client-level",
        "delta": 1e-2,
        "rounds": 1,
    }
    (free,) = rows(of(finished(WINES, epsilon=math.nan)))
    assert (free["epsilon"], free["unit"], free["simulated_seconds"]) == (None, None, None)
    assert free["metric"] == {
        "name": "accuracy",
        "label": "Test accuracy",
        "percent": True,
        "minimize": False,
        "help": METRICS["accuracy"].tip,
    }


def test_a_run_that_goes_on_is_the_last_row_and_takes_no_part_in_names() -> None:
    session = Session(WINES.replace(rounds=50))
    session.step()
    assert session.wait(60) == "paused"
    comparing = of(finished(WINES))
    *ended, now = comparing.shown(session)["rows"]
    assert [(row["id"], row["name"], row["current"]) for row in ended] == [("1", "run 1", False)]
    assert (now["id"], now["name"], now["current"]) == ("0", "this run", True)
    assert now["cells"] == ["50"]
    session.stop()
    session.wait()
    assert len(comparing.shown(session)["rows"]) == 1


def test_colours_stay_with_runs_and_can_be_chosen() -> None:
    comparing = of(*(finished(WINES) for _ in range(len(PALETTE) + 1)))
    assert [row["color"] for row in rows(comparing)] == [*PALETTE, PALETTE[0]]
    ask(comparing, 2, color="mute")
    ask(comparing, 3, color="red; background: url(//x)")
    comparing.delete(comparing.runs[0])
    assert [row["color"] for row in rows(comparing)][:2] == ["mute", PALETTE[2]]


def test_a_name_is_any_text_and_no_text_gives_the_usual_one_back() -> None:
    comparing = of(finished(WINES), finished(WINES))
    ask(comparing, 1, name=f"  {EVIL}\n ")
    assert [row["name"] for row in rows(comparing)] == [EVIL, "run 2"]
    ask(comparing, 1, name="x" * 500)
    assert rows(comparing)[0]["name"] == "x" * 60
    ask(comparing, 1, name=" ")
    assert rows(comparing)[0]["name"] == "run 1"


def test_pinned_runs_are_lines_with_the_numbers_of_their_history() -> None:
    comparing = of(long(5), finished(PATIENTS, 3.0))
    assert comparing.pins() == []
    ask(comparing, 1, pinned=True)
    (pin,) = comparing.pins()
    assert (pin["id"], pin["color"], pin["metric"]) == ("1", "s1", "accuracy")
    assert pin["label"] == rows(comparing)[0]["name"]
    columns = {name: np.frombuffer(data, "<f4") for name, data in pin["columns"].items()}
    assert columns["round"].tolist() == [1, 2, 3, 4, 5]
    assert columns["seconds"].tolist() == [0.5, 1, 1.5, 2, 2.5]
    assert columns["metric"].tolist() == [0.5] * 5
    ask(comparing, 2, pinned=True)
    assert [each["metric"] for each in comparing.pins()] == ["accuracy", "rmse"]
    ask(comparing, 1, pinned=False)
    assert [each["id"] for each in comparing.pins()] == ["2"]


def test_long_runs_are_decimated_for_a_pin() -> None:
    comparing = of(long(4501))
    ask(comparing, 1, pinned=True)
    rounds = np.frombuffer(comparing.pins()[0]["columns"]["round"], "<f4")
    assert len(rounds) <= 2000
    assert rounds[-1] == 4501


def test_a_deleted_run_is_gone_everywhere_and_comes_back_as_it_was() -> None:
    comparing = of(finished(WINES, 0.1), finished(WINES, 0.2), finished(WINES, 0.3))
    ask(comparing, 2, pinned=True, name="mine", color="s4")
    ask(comparing, 2, delete=True)
    shown = comparing.shown(Session(WINES))
    assert [row["value"] for row in shown["rows"]] == [0.1, 0.3]
    assert shown["deleted"] == "mine"
    assert comparing.pins() == []
    assert len(frontier(comparing.runs, Session(WINES), comparing.colors())) == 2
    comparing.obey("undo")
    shown = comparing.shown(Session(WINES))
    assert [row["value"] for row in shown["rows"]] == [0.1, 0.2, 0.3]
    back = shown["rows"][1]
    assert (back["name"], back["color"], back["pinned"]) == ("mine", "s4", True)
    assert shown["deleted"] == ""
    comparing.obey("undo")  # there is nothing left to undo
    assert len(comparing.runs) == 3


@pytest.mark.parametrize(
    "asked", [None, 7, [], {}, {"id": "9", "delete": True}, {"id": "1", "delete": "yes"}]
)
def test_what_makes_no_sense_changes_nothing(asked: object) -> None:
    comparing = of(finished(WINES))
    before = comparing.shown(Session(WINES))
    comparing.obey(asked)
    assert comparing.shown(Session(WINES)) == before


def test_the_colour_of_a_point_is_that_of_a_pinned_run() -> None:
    comparing = of(finished(WINES), finished(WINES))
    ask(comparing, 2, pinned=True)
    points = frontier(comparing.runs, Session(WINES), comparing.colors())
    assert [point["color"] for point in points] == [None, PALETTE[1]]


# Files -------------------------------------------------------------------------------------------


def shared(comparing: Comparing, session: Session | None = None) -> Shared:
    return Shared(comparing, session or Session(WINES), None)


def test_the_table_of_runs_is_exact() -> None:
    amended = finished(PRIVATE, 0.75, "all 1 rounds done", epsilon=2.5)
    amended.amendments.append(Amended(1, {"rounds": 9}))
    comparing = of(finished(PRIVATE.replace(seed=5), 0.5, epsilon=2.5), amended)
    ask(comparing, 2, name='a "b", c')
    file = shared(comparing).make("compare.csv")
    assert (file.name, file.type) == ("runs.csv", "text/csv")
    assert file.content.decode().splitlines() == [
        "run,name,seed,data_set,metric,value,worst_tenth,epsilon,unit,delta,bytes_up,"
        "bytes_down,seconds,simulated_seconds,grad_steps,rounds_done,amended,ended,experiment",
        "1,Seed 5,5,Wine,accuracy,0.5,0.5,2.5,client-level,0.01,1,1,0.1,,,1,,,"
        f"{PRIVATE.describe()}",
        '2,"a ""b"", c",0,Wine,accuracy,0.75,0.75,2.5,client-level,0.01,1,1,0.1,,,1,'
        f"from round 1 on rounds = 9,all 1 rounds done,{PRIVATE.describe()}",
    ]
    back = pd.read_csv(io.BytesIO(file.content))
    pd.testing.assert_frame_equal(
        back, comparing.frame(Session(WINES)).astype({"seed": int}).replace("", np.nan)
    )


def test_a_history_comes_back_from_json_and_from_csv() -> None:
    session = Session(EXAMPLES.replace(rounds=2))
    session.start()
    assert session.wait(120) == "done"
    file = shared(of(), session).make("history.json")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(file.content, parse_constant=refuse)
    assert fb.Experiment.from_dict(found["experiment"]) == session.history.experiment
    assert found["outcome"] == session.history.summary
    frame = session.history.frame()
    back = pd.DataFrame(found["rounds"]).astype(frame.dtypes.to_dict())
    pd.testing.assert_frame_equal(back, frame, check_exact=True)
    assert type(found["rounds"][0]["round"]) is int
    assert found["rounds"][0]["epsilon"] is None  # the run spends another unit
    csv = shared(of(), session).make("history.csv").content
    assert csv.decode() == frame.to_csv(index=False)


def test_infinite_numbers_are_null() -> None:
    found = json.loads(history_json(finished(WINES, math.inf)))
    assert found["rounds"][0]["accuracy"] is None


def test_a_file_is_made_in_the_background_and_sent_with_its_token() -> None:
    sent: list[tuple[dict, list[bytes]]] = []

    def send(content: dict, buffers: list[bytes] | None = None) -> None:
        sent.append((content, buffers or []))

    comparing = of(finished(WINES))
    thread = deliver(send, {"what": "compare.csv", "token": "t1"}, shared(comparing))
    assert thread is not None
    thread.join(60)
    assert [content for content, _ in sent] == [
        {"shared": "t1", "state": "making"},
        {"shared": "t1", "state": "done", "name": "runs.csv", "type": "text/csv"},
    ]
    (content,) = sent[-1][1]
    assert content == shared(comparing).make("compare.csv").content


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("report", "nothing to report: the run of Wine has no rounds yet"),
        ("history.csv", "nothing to save: the run of Wine has no rounds yet"),
        ("history.json", "nothing to save: the run of Wine has no rounds yet"),
        ("compare.csv", "nothing to save: no run has finished yet"),
        ("compare.report", "nothing to report: no run has finished yet"),
        ("../secret", "there is nothing called '../secret' to save"),
    ],
)
def test_what_cannot_be_saved_is_said(what: str, words: str) -> None:
    sent: list[dict] = []
    thread = deliver(sent.append, {"what": what, "token": 3}, shared(of()))
    assert thread is not None
    thread.join(60)
    assert sent[-1] == {"shared": 3, "state": "failed", "words": words}


def test_a_report_of_all_runs_has_their_names() -> None:
    comparing = of(finished(WINES), finished(WINES, 0.75))
    ask(comparing, 1, name=EVIL)
    text = shared(comparing).make("compare.report").content.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert EVIL not in text
    assert "“run 2”" in text
