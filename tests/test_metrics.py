"""Columns: declared once, and read by all that shows, writes or reads a history."""

from __future__ import annotations

import hashlib
import json
import math
import pydoc
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

import fedbench as fb
from fedbench.metrics import COLUMNS, MEASURED, METRICS, NUMBERS, TOTALS, columns, over_clients
from fedbench_widgets.comparing import Comparing
from fedbench_widgets.picture import Series, snapshot, status
from fedbench_widgets.sharing import history_csv, history_json

values = st.lists(st.floats(0, 1, width=32) | st.just(float("nan")), min_size=1, max_size=50)


@given(values, st.booleans())
def test_what_is_said_of_the_clients_is_numpys(found: list[float], rises: bool) -> None:
    clients = np.array(found, dtype=np.float32)
    known = clients[~np.isnan(clients)].astype(np.float64)
    said = over_clients(clients, rises)
    if len(known) == 0:
        assert np.isnan(said).all()
        return
    worst = np.partition(known if rises else -known, max(1, len(known) // 10) - 1)
    tenth = np.abs(worst[: max(1, len(known) // 10)])
    percentiles = np.percentile(known, [10, 90])
    assert said == pytest.approx((known.mean(), *percentiles, tenth.mean()))


def test_infinite_errors_are_no_reason_for_a_warning() -> None:
    said = over_clients(np.full(7, np.inf, dtype=np.float32), rises=False)
    assert set(said) == {np.inf}


SMALL = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=5, alpha=0.5),
    model=fb.MLP(hidden=(4,)),
    training=fb.LocalTraining(epochs=2, batch_size=7),
    engine=fb.StackedEngine(workers=0),
    rounds=2,
)


@pytest.fixture(scope="module")
def session() -> fb.Session:
    session = fb.Session(SMALL)
    session.start()
    assert session.wait(60) == "done"
    return session


@pytest.mark.parametrize("column", COLUMNS.values(), ids=list(COLUMNS))
def test_each_column_says_in_a_sentence_what_it_means(column: Any) -> None:
    assert re.fullmatch(r"[A-Z].*\.", column.help) and ". " not in column.help, column.help
    assert column.title and column.title == column.title.strip()
    assert column.text(math.nan) == "–" and column.text(0.5) not in ("", "–")
    assert column.name in pydoc.plain(pydoc.render_doc(fb.RoundRecord))


def test_a_target_may_be_any_metric() -> None:
    assert set(get_args(fb.Target.model_fields["metric"].annotation)) == set(METRICS)
    assert {name for names in MEASURED.values() for name in names} == set(METRICS)


@pytest.mark.parametrize("data", [fb.Wine(), fb.DiabetesProgression()])
def test_a_declared_column_is_everywhere(data: fb.Source, tmp_path: Path) -> None:
    experiment = SMALL.replace(data=data)
    session = fb.Session(experiment)
    session.start()
    assert session.wait(60) == "done"
    history, names = session.history, list(columns(experiment.metrics))
    assert list(history.frame()) == names
    assert history_csv(history).splitlines()[0].split(",") == names
    found = json.loads(history_json(history))
    assert [list(row) for row in found["rounds"]] == [names] * 2
    assert TOTALS.keys() <= found["outcome"].keys()
    folder = fb.save(session, tmp_path / "run")
    assert pd.read_csv(folder / "history.csv").columns.tolist() == names
    written = json.loads((folder / "rounds.jsonl").read_text().splitlines()[0])
    assert NUMBERS.keys() <= written.keys()
    drawn = dict(zip(Series(history).columns, Series(history).points()[-1].tolist(), strict=True))
    assert snapshot(session, 2, None)["columns"] == list(drawn)
    assert snapshot(session, 2, None)["help"].keys() == drawn.keys()
    assert drawn["grad_steps"] == history.frame()["grad_steps"].sum()
    assert status(session, None, [])["totals"]["grad_steps"] == drawn["grad_steps"]


def test_what_adds_up_is_in_the_tables_of_runs(session: fb.Session) -> None:
    comparing = Comparing()
    comparing.add(session.history)
    shown = comparing.shown(session)
    listed = [name for name, column in TOTALS.items() if column.listed]
    assert [total["key"] for total in shown["totals"]] == listed
    (row,) = shown["rows"]
    steps = session.history.frame()["grad_steps"].sum()
    assert row["grad_steps"] == comparing.frame(session)["grad_steps"][0] == steps
    page = fb.report(session)
    assert f'<abbr title="{TOTALS["grad_steps"].help}">local steps</abbr>' in page
    assert f"<td>{steps:,}</td>" in page


def by_hand(experiment: fb.Experiment, cohort: np.ndarray) -> int:
    """Return Σ ⌈n / B⌉ · E over the clients that answered."""
    training = experiment.training
    sizes = experiment.federation().sizes_of(cohort).tolist()
    if training.steps is not None:
        return training.steps * len(cohort)
    return sum(math.ceil(n / (training.batch_size or n)) * (training.epochs or 1) for n in sizes)


ENGINES = {
    "loop": fb.LoopEngine(),
    "stacked": fb.StackedEngine(workers=0),
    "chunks of 2": fb.StackedEngine(workers=0, chunk=2),
    "1 worker": fb.StackedEngine(workers=1),
    "2 workers": fb.StackedEngine(workers=2, chunk=1),
}


class Bare(fb.MLP):
    """A model that no layer of can be stacked: its clients train one by one."""

    def build(self, card):
        from torch import nn

        return nn.Sequential(nn.Linear(card.inputs, card.outputs), nn.Softplus())


COUNTED: dict[str, dict[str, Any]] = {
    "epochs": {},
    "steps": {"training": fb.LocalTraining(steps=3)},
    "full batches": {"training": fb.LocalTraining(batch_size=None)},
    "one by one": {"model": Bare()},
    "cyclic": {"schedule": fb.Cyclic(shuffled=True)},
    "median": {"aggregator": fb.CoordinateMedian()},
    "dropped": {"devices": fb.Devices(dropout=0.4), "rounds": 4},
    "dropped, cyclic": {"devices": fb.Devices(dropout=0.4), "schedule": fb.Cyclic()},
    "nobody": {"sampling": fb.Poisson(rate=1e-6)},
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
@pytest.mark.parametrize("parts", COUNTED.values(), ids=list(COUNTED))
def test_local_steps_are_those_of_a_hand_count(parts: dict[str, Any], engine: fb.Engine) -> None:
    experiment = SMALL.replace(**parts, engine=engine)
    rows = fb.run(experiment, progress=False).rows
    assert [row.grad_steps for row in rows] == [by_hand(experiment, row.cohort) for row in rows]
    if experiment.devices is not None:
        assert any(len(row.cohort) < row.asked for row in rows)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_steps_of_personal_models_and_of_random_batches_count(engine: fb.Engine) -> None:
    ditto = SMALL.replace(strategy=fb.Ditto(), engine=engine)
    private = SMALL.replace(
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1), engine=engine
    )
    for experiment, times in ((ditto, 2), (private, 1)):
        for row in fb.run(experiment, progress=False).rows:
            assert row.grad_steps == times * by_hand(experiment, row.cohort)


def test_a_column_that_is_younger_than_a_file_is_missing(
    session: fb.Session, tmp_path: Path
) -> None:
    folder = fb.save(session, tmp_path / "run")
    rows = [json.loads(line) for line in (folder / "rounds.jsonl").read_text().splitlines()]
    for row in rows:
        del row["grad_steps"], row["simulated_seconds"]
        row["simulated"] = 1.5  # as it was called before
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (folder / "rounds.jsonl").write_bytes(content)
    with safe_open(folder / "checkpoint.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["fedbench"])
        state = {name: file.get_tensor(name) for name in about["leaves"]}
    about["rounds"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    save_file(state, folder / "checkpoint.safetensors", {"fedbench": json.dumps(about)})
    frame = fb.resume(folder).history.frame()
    assert frame["grad_steps"].isna().all() and len(frame) == 2
    assert frame["simulated_seconds"].tolist() == [1.5, 1.5]
    assert frame["loss"].tolist() == session.history.frame()["loss"].tolist()
    assert json.loads(history_json(fb.resume(folder).history))["outcome"]["grad_steps"] is None
