"""What the Clients tab is told, without a browser."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.data import Source
from fedbench.metrics import RoundRecord
from fedbench.runs import History
from fedbench.study import Baselines
from fedbench_widgets import Workbench
from fedbench_widgets.clients import (
    ABSENT,
    Clients,
    ordinal,
    packed,
    ranked,
    spread,
    stride,
    thinned,
)
from tests.widgets.test_workbench import send, until

torch.set_num_threads(1)

WINES = fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=6, alpha=1.0), rounds=5)
NAN = math.nan


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def row(number: int, values: np.ndarray, cohort: list[int]) -> RoundRecord:
    return RoundRecord(
        round=number,
        metrics={"accuracy": 0.5, "loss": 1.0},
        train_loss=1.0,
        epsilon=NAN,
        cohort=np.array(cohort, dtype=np.int64),
        bytes_up=1,
        bytes_down=1,
        seconds=0.1,
        update_norm=1.0,
        clipped=NAN,
        clients=values,
    )


def decoded(shown: tuple[dict, bytes, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return values and participation, each [clients, rounds], as the page reads them."""
    info, words, _ = shown
    rows, columns = len(info["ids"]), len(info["rounds"])
    found = np.frombuffer(words, "<u2", rows * columns).reshape(columns, rows)
    values = info["low"] + (info["high"] - info["low"]) * found / (ABSENT - 1)
    values[found == ABSENT] = NAN
    bits = np.frombuffer(words, "u1", offset=2 * rows * columns).reshape(columns, -1)
    return values.T, np.unpackbits(bits, axis=1, count=rows, bitorder="little").T.astype(bool)


def test_without_levels_the_sentence_tells_the_spread_and_who_never_took_part() -> None:
    data = WINES.federation()
    took = np.array([1, 0, 2, 0, 1, 1])
    values = floats(0.9, 0.5, NAN, 0.7, 0.8, 0.6)
    assert spread(values, took, data, "accuracy") == (
        "From 50% (client 1) to 90% (client 0), median 70%, over 5 of 6 clients, those with test "
        "rows; the smallest test set has 2 rows. 2 of 6 clients have not taken part yet."
    )
    assert spread(values, took + 1, data, "accuracy").endswith("Every client has taken part.")
    empty = spread(np.full(6, NAN, dtype=np.float32), took, data, "accuracy")
    assert empty.startswith("Clients have no test rows of their own. 2 of 6")


def test_rows_go_from_the_best_to_the_worst() -> None:
    values = floats(0.5, 0.9, NAN, 0.5, 0.1)
    assert ranked(values, True).tolist() == [1, 0, 3, 4]
    assert ranked(values, False).tolist() == [4, 0, 3, 1]


def test_every_kth_and_the_last_are_kept() -> None:
    assert thinned(list(range(7)), 3) == [0, 3, 6]
    assert thinned(list(range(9)), 3) == [0, 3, 8]
    assert thinned(list(range(3)), 1) == [0, 1, 2]
    assert thinned([], 1) == []
    for count in (1, 199, 200, 201, 999, 12_345):
        assert len(thinned(list(range(count)), stride(count, 200))) <= 200


def test_values_are_packed_between_their_ends() -> None:
    words, low, high, outer = packed(floats(0.25, 0.75, NAN, math.inf).reshape(2, 2))
    assert np.frombuffer(words, "<u2").tolist() == [0, ABSENT - 1, ABSENT, ABSENT - 1]
    assert (low, high, outer) == (0.25, 0.75, [0.25, 0.75])
    words, low, high, _ = packed(floats(3, 3))
    assert (np.frombuffer(words, "<u2").tolist(), low, high) == ([0, 0], 3.0, 4.0)
    assert np.frombuffer(packed(floats(NAN))[0], "<u2").tolist() == [ABSENT]


def test_places_in_a_row_are_words_where_they_are_short() -> None:
    said = [ordinal(n) for n in (2, 5, 7, 11, 12, 21, 32, 113)]
    assert said == ["second", "fifth", "7th", "11th", "12th", "21st", "32nd", "113th"]


def test_values_and_dots_are_those_of_the_rounds() -> None:
    history = History(WINES)
    clients = Clients(history)
    assert clients.shown(True, None)[0]["expected"] == 6
    history.append(row(1, floats(0.5, 0.25, NAN, 0.75, 1, 0), [0, 3]))
    history.append(row(2, floats(0.25, 0.5, NAN, 0.75, 1, 0), [3, 5]))
    shown = clients.shown(True, None)
    info = shown[0]
    assert info["ids"] == [4, 3, 1, 0, 5]
    assert (info["took"], info["done"], info["tested"]) == ([0, 2, 0, 1, 1], 2, 5)
    values, took = decoded(shown)
    first = [1, 0.75, 0.25, 0.5, 0]
    np.testing.assert_allclose(values[:, 0], first, atol=1e-5)
    assert took.T.tolist() == [
        [False, True, False, True, False],
        [False, True, False, False, True],
    ]
    data = WINES.federation()
    mixes = np.frombuffer(shown[2], "<u4").reshape(5, -1)
    np.testing.assert_array_equal(mixes, data.counts()[info["ids"]])
    assert info["sizes"] == data.sizes[info["ids"]].tolist()
    held = np.diff(data.test_offsets)
    assert info["tests"] == [held[k] if k < len(held) else 0 for k in info["ids"]]
    assert info["mix"] == data.counts().sum(axis=0).tolist()


def test_rows_keep_their_places_while_few_rounds_are_added() -> None:
    history = History(WINES)
    clients = Clients(history)
    rising, falling = floats(*np.linspace(0, 1, 6)), floats(*np.linspace(1, 0, 6))
    for number in range(1, 9):
        history.append(row(number, rising, []))
    assert clients.shown(True, None)[0]["ids"] == [5, 4, 3, 2, 1, 0]
    history.append(row(9, falling, []))
    assert clients.shown(True, None)[0]["ids"] == [5, 4, 3, 2, 1, 0]
    history.append(row(10, falling, []))  # a quarter more than when they were chosen
    assert clients.shown(True, None)[0]["ids"] == [0, 1, 2, 3, 4, 5]
    history.append(row(11, rising, []))
    assert clients.shown(False, None)[0]["ids"] == [5, 4, 3, 2, 1, 0], "it has ended"


def test_many_clients_and_rounds_are_thinned_and_come_to_the_same_as_at_once() -> None:
    experiment = WINES.replace(data=fb.Digits(), partition=fb.IID(clients=450))
    history = History(experiment)
    growing = Clients(history)
    rng = np.random.default_rng(0)
    for number in range(1, 502):
        values = rng.random(450).astype(np.float32)
        history.append(row(number, values, np.flatnonzero(rng.random(450) < 0.1).tolist()))
        if number % 7 == 0:
            growing.shown(True, None)
    shown, fresh = growing.shown(False, None), Clients(history).shown(False, None)
    assert shown == fresh
    info = shown[0]
    assert info["which"] == "every third client"
    assert (len(info["ids"]), len(info["rounds"]), info["every"]) == (150, 167, 3)
    assert (info["rounds"][:2], info["rounds"][-1]) == ([1, 4], 501)
    last = history.rows[-1].clients
    assert last[info["ids"][0]] == last.max()
    assert last[info["ids"][-1]] == last.min()
    values, took = decoded(shown)
    rounds = np.array(info["rounds"])
    np.testing.assert_allclose(values, history.clients().loc[info["ids"], rounds], atol=1e-4)
    np.testing.assert_array_equal(took, history.participation().loc[info["ids"], rounds])
    assert info["took"] == history.participation().sum(axis=1)[info["ids"]].tolist()


def test_thinned_rounds_are_sent_anew_only_when_a_column_is_full() -> None:
    history = History(WINES)
    clients = Clients(history)
    for number in range(1, 403):
        history.append(row(number, floats(0, 1, 0, 1, 0, 1), [0]))
    before = clients.shown(True, None)
    assert before[0]["every"] == 3
    history.append(row(403, floats(0, 1, 0, 1, 0, 1), [0]))
    assert clients.shown(True, None) is before
    history.append(row(404, floats(0, 1, 0, 1, 0, 1), [0]))
    history.append(row(405, floats(0, 1, 0, 1, 0, 1), [0]))
    assert clients.shown(True, None)[0]["done"] == 405


def test_levels_of_another_federation_are_not_compared_with() -> None:
    history = History(WINES)
    history.append(row(1, floats(0, 1, 0.5, 1, 0, 1), [0]))
    alone = Baselines("accuracy", 0.9, 0.5, floats(0, 0.5, 0.5, 1, NAN, 0.5))
    info = Clients(history).shown(False, alone)[0]
    assert info["head"] == "How even?" and info["gains"] is None  # nothing is known of single rows
    assert dict(zip(info["ids"], info["alone"], strict=True))[4] is None
    few = Baselines("accuracy", 0.9, 0.5, floats(0, 0.5))
    assert Clients(history).shown(False, few)[0]["head"] == "How even?"


@pytest.mark.parametrize("data", [fb.Wine(), fb.DiabetesProgression()], ids=["accuracy", "rmse"])
def test_a_run_in_the_workbench_and_its_levels(data: Source) -> None:
    workbench = Workbench(WINES.replace(data=data))
    panel = workbench.panel
    try:
        assert panel.clients["rounds"] == []
        workbench.start()
        assert workbench.wait(60) == "done"
        until(lambda: panel.clients["rounds"] == [1, 2, 3, 4, 5])
        values, took = decoded((panel.clients, panel.values, panel.mixes))
        ids, history = panel.clients["ids"], workbench.history
        span = panel.clients["high"] - panel.clients["low"]
        np.testing.assert_allclose(values, history.clients().loc[ids], atol=1e-4 * span)
        assert took.all()
        last = history.clients()[5].loc[ids].to_numpy()
        assert (np.diff(last) >= 0 if data.task == "regression" else np.diff(last) <= 0).all()
        assert panel.clients["alone"] is None
        send(workbench, levels=True)
        until(lambda: panel.clients["alone"])
        found = fb.baselines(workbench.session.experiment)
        assert found is not None
        alone = np.array(panel.clients["alone"])
        np.testing.assert_allclose(alone, found.clients[ids], rtol=1e-5)
        assert panel.clients["head"] == "Who gains?"
        assert found.predictions is not None
        gains = fb.who_gains(workbench.session.predictions(), found.predictions)
        assert panel.clients["note"] == str(gains)
        assert [each["verdict"] for each in panel.clients["gains"]] == [
            gains.verdicts[client] for client in ids
        ]
        send(workbench, levels=False)
        until(lambda: panel.clients["alone"] is None)
    finally:
        workbench.close()
