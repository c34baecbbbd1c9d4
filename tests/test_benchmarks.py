"""The workloads that simulators are timed on: what their description says is what is dealt out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import workloads
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
