"""Workloads are dealt out as they are described, and tables tell the figures of their rounds."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fedbench as fb
from benchmarks import engine, growth, workloads
from benchmarks.peers import common
from benchmarks.workloads import WORKLOADS, Workload

LABELS = np.random.default_rng(1).permutation(np.arange(60_000) % 10)


@pytest.fixture(scope="module")
def table() -> workloads.Table:
    return workloads.synthetic(train=2000, test=100)


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_every_client_holds_its_number_of_rows_and_no_row_is_dealt_twice(workload: Workload):
    rows = workload.assign(LABELS)
    assert rows.shape == (workload.clients, workload.samples)
    assert len(np.unique(rows)) == rows.size
    np.testing.assert_array_equal(rows, workload.assign(LABELS))


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_cohort_is_of_its_size_and_of_seed_and_round_alone(workload: Workload):
    cohort = workload.who(3)
    assert len(np.unique(cohort)) == workload.cohort
    assert cohort.max() < workload.clients
    np.testing.assert_array_equal(cohort, workload.who(3))


def test_the_cross_device_cohort_changes_and_its_clients_are_skewed():
    workload = WORKLOADS["W1"]
    assert not np.array_equal(workload.who(1), workload.who(2))
    most = [np.bincount(LABELS[rows]).max() for rows in workload.assign(LABELS)]
    assert np.mean(most) > 0.4 * workload.samples  # an even share would be a tenth


def test_without_the_variable_the_data_are_synthetic_and_say_so(monkeypatch, table):
    monkeypatch.delenv("FEDBENCH_DATA", raising=False)
    monkeypatch.setattr(workloads, "synthetic", lambda: table)
    assert workloads.load().name == "synthetic"
    assert table.x.shape == (2000, 784) and table.x.dtype == np.float32
    assert table.x.min() >= 0 and table.x.max() <= 1


def test_a_peer_reads_what_was_saved(tmp_path, table):
    workload = Workload("small", clients=20, samples=30, cohort=5, batch=10, model="mlp", alpha=0.3)
    workload.save(tmp_path, table)
    facts = json.loads((tmp_path / "workload.json").read_text())
    assert facts["data"] == "synthetic" and facts["samples"] == 30
    read = common.load(str(tmp_path))
    assert read.x.shape == (20, 30, 784) and read.x.dtype == np.float32
    np.testing.assert_array_equal(read.y, table.y[workload.assign(table.y)])
    np.testing.assert_array_equal(read.cohorts[2], workload.who(3))


@pytest.mark.parametrize(("build", "count"), [(common.mlp, 199_210), (common.cnn, 1_663_370)])
def test_the_models_are_those_of_mcmahan_and_colleagues(build, count):
    assert sum(leaf.numel() for leaf in build().parameters()) == count


def _result(*seconds: float, **more: object) -> engine.Result:
    return {"seconds": list(seconds), "peak_mb": 100.0, "accuracy": 0.5, **more}


RESULTS = {
    engine.OURS: _result(9.0, 1.0, 1.0, 1.0, first=9.5, evaluation=[4.0, 0.25, 0.25]),
    "sequential": _result(9.0, 6.0, first=10.0),
    "flower": {"error": "it is not there"},
    engine.FLOOR: {"seconds": [1.0, 0.5, 0.25], "operations": 2e9},
    engine.AGAIN: _result(9.0, 3.0, 3.0, 3.0, first=None, first_warm=9.25),
}


def test_ratios_are_to_all_rounds_of_both_runs_and_the_first_round_stands_apart():
    rows = engine.frame(RESULTS).set_index("peer").astype(str)
    assert list(rows["× fedbench"]) == ["0.50", "3.00", "", "0.19", "1.50"]
    assert list(rows["× floor"]) == ["4.00", "24.00", "", "1.50", "12.00"]
    assert rows.loc["fedbench", "cold start, s"] == "9.50"
    assert rows.loc["fedbench", "warm start, s"] == ""
    assert rows.loc["fedbench, again", "warm start, s"] == "9.25"
    assert rows.loc["fedbench", "evaluation s"] == "0.250"
    assert rows.loc["Flower on Ray", "note"] == "it is not there"


def test_the_picture_has_every_round_but_the_first_and_no_peer_that_failed():
    dots = [each for each in engine.picture({"W1": RESULTS}).data if each.mode == "markers"]
    assert [len(each.x) for each in dots] == [6, 1]


def test_a_workload_whose_peers_all_failed_is_still_drawn():
    figure = engine.picture({"W1": RESULTS, "W2": {"flower": {"error": "it is not there"}}})
    alone = engine.picture({"W1": RESULTS})
    assert len(figure.data) == len(alone.data)  # nothing beside W1, which is as it was
    for one, other in zip(figure.data, alone.data, strict=True):
        assert list(one.x) == list(other.x) and list(one.y) == list(other.y)


@pytest.mark.parametrize("width", sorted({point.width for point in growth.POINTS}))
def test_a_point_tells_the_parameters_of_its_model(width: int):
    params = fb.MLP(hidden=(width, width)).initial(growth.Made().card(), 0)
    found = sum(leaf.numel() for leaf in params.values())
    assert growth.Point("parameters", width=width).parameters == found


def test_a_busy_core_is_told_by_its_ratio_to_the_quiet_twin():
    points = [
        growth.Point("workers", workers=2),
        growth.Point("workers", workers=2, busy=True),
        growth.Point("cohort"),
    ]
    seconds = [[9.0, 1.0], [9.0, 3.0], [9.0, 2.0]]
    found = [
        point.__dict__ | {"at": point.at, "seconds": s, "set_up": 0.1, "peak_mb": 50.0}
        for point, s in zip(points, seconds, strict=True)
    ]
    assert list(growth.frame(found)["× quiet"]) == ["", "3.00", ""]
    assert growth.picture(found).data
