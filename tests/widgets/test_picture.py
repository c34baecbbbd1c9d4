"""What the browser is told, without a browser."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

import fedbench as fb
from fedbench.metrics import RoundRecord
from fedbench.runs import Amended, History, Session
from fedbench_widgets.picture import Run, Series, frontier, line_of, note, snapshot, status

WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=3)
PRIVATE = WINES.replace(
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.5),
    privacy=fb.ClientLevelDP(noise_multiplier=1.0, epsilon=None, delta=1e-2),
)
PATIENTS = WINES.replace(data=fb.DiabetesProgression())


EXAMPLES = WINES.replace(
    strategy=fb.FedPer(),
    model=fb.MLP(hidden=(8,)),
    privacy=fb.ExampleLevelDP(epsilon=4, delta=1e-2),
)


def finished(
    experiment: fb.Experiment,
    value: float = 0.5,
    ended: str = "",
    epsilon: float = math.inf,
    personal: float = math.nan,
) -> History:
    history = History(experiment, ended=ended)
    history.append(
        RoundRecord(
            round=1,
            metrics=dict.fromkeys(experiment.metrics, value),
            train_loss=value,
            epsilon=epsilon,
            personal=personal,
            cohort=np.arange(4),
            bytes_up=1,
            bytes_down=1,
            seconds=0.1,
            update_norm=1.0,
            clipped=math.nan,
            clients=np.full(4, value),
        )
    )
    return history


def test_a_run_is_named_with_its_data_and_its_model() -> None:
    history = finished(WINES)
    (point,) = frontier([Run(1, WINES, history)], Session(WINES))
    assert point["data"] == "Wine"
    assert point["label"].startswith("Wine · Linear · ")
    assert "amended" not in point["label"]
    history.amendments.append(Amended(1, {"rounds": 5}))
    (point,) = frontier([Run(1, WINES, history)], Session(WINES))
    assert point["label"].endswith("amended")
    session = Session(WINES)
    session.history.amendments.append(Amended(1, {"rounds": 5}))
    told = snapshot(session, 0, None)["amended"]
    assert told == [{"round": 1, "words": "from round 1 on rounds = 5"}]


def test_a_private_run_without_a_budget_is_private() -> None:
    shown = snapshot(Session(PRIVATE), 0, None)
    assert (shown["unit"], shown["budget"], shown["delta"]) == ("client-level", None, 1e-2)
    assert snapshot(Session(WINES), 0, None)["unit"] is None


def test_the_status_says_why_the_run_ended() -> None:
    session = Session(WINES)
    assert status(session, WINES, [])["ended"] == ""
    session.history.ended = "privacy budget: one more round would pass it"
    assert status(session, WINES, [])["ended"].startswith("privacy budget")


def test_a_run_that_the_form_no_longer_holds_is_said_to_be_the_last() -> None:
    session = Session(WINES.replace(rounds=1))
    ran, other = session.experiment, WINES.replace(rounds=9)
    assert status(session, other, [])["subtitle"] == other.describe()  # nothing is on show yet
    session.start()
    assert session.wait(60) == "done"
    assert status(session, ran, [])["subtitle"] == ran.describe()
    assert status(session, None, [])["subtitle"] == ran.describe()
    found = status(session, other, [])
    assert found["subtitle"] == "Showing the last run. Press Start to run the new settings."
    assert (found["title"], found["rounds"]) == ("Wine", 1)


def test_the_note_tells_the_end_but_leaves_a_failure_to_its_banner() -> None:
    assert note(History(WINES)) == ""
    assert note(finished(WINES, ended="target reached")).endswith("The run ended: target reached.")
    assert "ended" not in note(finished(WINES, ended="failed: the model diverged"))
    assert note(finished(PATIENTS, math.inf)).startswith("After round 1 the RMSE is inf: training")
    assert "worst" in note(finished(PATIENTS, 61.0))
    untested = finished(PATIENTS, 61.0)
    untested.rows[0].clients[:] = math.nan
    assert note(untested).endswith("61 (RMSE).")


def test_a_tenth_of_a_few_clients_is_called_the_worst() -> None:
    few, many = finished(WINES), finished(WINES)
    assert "; on the worst of the clients on 50%." in note(few)
    for count, called in ((19, "the worst of"), (20, "the worst tenth of")):
        many.rows[0] = dataclasses.replace(
            many.rows[0], clients=np.array([0.5] * count + [math.nan] * 9, dtype=np.float32)
        )
        assert f"; on {called} the clients on 50%." in note(many)


def test_it_is_said_by_how_few_rows_the_worst_are_judged() -> None:
    history = finished(WINES)
    data = WINES.federation()
    values = np.full(data.clients, np.nan, dtype=np.float32)
    tests = data.tests_of(np.arange(data.clients))
    values[tests > 0] = 1.0
    one = int(np.flatnonzero(tests == tests[tests > 0].min())[0])
    values[one] = 0.25
    history.rows[0] = dataclasses.replace(history.rows[0], clients=values)
    rows = f"{tests[one]} test row{'' if tests[one] == 1 else 's'}"
    said = f"; on the worst of the clients on 25%, judged by {rows}: much of that is chance."
    assert said in note(history, data)
    assert "judged" not in note(history)
    halves = WINES.replace(data=fb.Wine(test_fraction=0.5), partition=fb.IID(clients=3))
    plenty = finished(halves)
    plenty.rows[0] = dataclasses.replace(plenty.rows[0], clients=np.float32([0.5, 0.25, 1]))
    assert "on the worst of the clients on 25%." in note(plenty, halves.federation())


def test_the_unit_of_privacy_is_told_with_every_epsilon() -> None:
    for experiment, unit in ((PRIVATE, "client-level"), (EXAMPLES, "example-level"), (WINES, None)):
        history = finished(experiment, epsilon=2.0 if unit else math.nan)
        (point,) = frontier([Run(1, experiment, history)], Session(experiment))
        assert (point["unit"], point["epsilon"]) == (unit, 2.0 if unit else None)
        assert snapshot(Session(experiment), 0, None)["unit"] == unit
        assert status(Session(experiment), experiment, [])["unit"] == unit
    # the norms that are drawn are those of updates: what clips examples is no bound on them
    clips = [snapshot(Session(experiment), 0, None)["clip"] for experiment in (PRIVATE, EXAMPLES)]
    assert clips == [1.0, None]


def test_models_of_ones_own_are_told_apart_from_the_global_one() -> None:
    history = finished(EXAMPLES, value=0.125, personal=0.75)
    assert snapshot(Session(EXAMPLES), 0, None)["personal"] is True
    assert snapshot(Session(PRIVATE), 0, None)["personal"] is False
    series = Series(history)
    (row,) = series.points()
    shown = dict(zip(series.columns, row.tolist(), strict=True))
    assert (shown["metric"], shown["personal"]) == (0.125, 0.75)
    (point,) = frontier([Run(1, EXAMPLES, history)], Session(EXAMPLES))
    assert (point["value"], point["personal"]) == (0.125, 0.75)
    assert "the global model is right on 12.5%" in note(history)
    assert "the personal models on 75.0%;" in note(history)
    (point,) = frontier([Run(1, WINES, finished(WINES))], Session(WINES))
    assert point["personal"] is None
    assert "personal models" not in note(finished(WINES))
    fitted = finished(PATIENTS.replace(strategy=fb.Ditto()), value=61.0, personal=55.5)
    assert "61 (RMSE), with the personal models 55.5;" in note(fitted)


def test_runs_that_differ_only_by_budget_and_seed_are_of_one_line() -> None:
    assert line_of(EXAMPLES) == line_of(EXAMPLES.replace(seed=5, **{"privacy.noise_seed": 9}))
    privacy = EXAMPLES.privacy.replace(epsilon=7.0, noise_multiplier=None)
    assert line_of(EXAMPLES) == line_of(EXAMPLES.replace(privacy=privacy))
    assert line_of(EXAMPLES) != line_of(EXAMPLES.replace(rounds=99))
    (whole,) = frontier([Run(1, EXAMPLES, finished(EXAMPLES))], Session(EXAMPLES))
    assert whole["line"] == line_of(EXAMPLES)
    (cut,) = frontier([Run(1, EXAMPLES, finished(EXAMPLES, ended="stopped"))], Session(EXAMPLES))
    assert cut["line"] is None
    changed = finished(EXAMPLES)
    changed.amendments.append(Amended(2, {"training.lr": 0.3}))
    (other,) = frontier([Run(1, EXAMPLES, changed)], Session(EXAMPLES))
    assert other["line"] is None


def test_levels_that_need_no_model_and_the_targets_unit_are_drawn() -> None:
    session = Session(PATIENTS)
    assert (snapshot(session, 0, None)["naive"], snapshot(session, 0, None)["target_unit"]) == (
        [],
        "",
    )
    session.history.rows.extend(finished(PATIENTS, value=61.0).rows)
    shown = snapshot(session, 1, None)
    (mean,) = shown["naive"]
    assert mean["label"] == f"always the mean {mean['value']:.3g}" and mean["value"] > 10
    assert shown["target_unit"] == PATIENTS.federation().card.target_unit != ""
