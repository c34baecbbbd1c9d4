"""A score stands beside what costs nothing, and a model that does not beat it is named as such."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import fedbench as fb
from fedbench.runs import Cautioned
from fedbench.runs.naive import levels, naive, unproven
from fedbench.runs.note import note
from fedbench.runs.warning_signs import outliers

torch.set_num_threads(1)


def patients(signal: float, rows: int = 600) -> pd.DataFrame:
    """Return a table whose target is "no" in about 70 %, and tells of x by `signal`."""
    rng = np.random.default_rng(4)
    ill = rng.random(rows) < 0.3
    return pd.DataFrame(
        {
            "x": rng.standard_normal(rows) + signal * ill,
            "z": rng.standard_normal(rows),
            "ill": np.where(ill, "yes", "no"),
        }
    )


def of(frame: pd.DataFrame, target: str = "ill", **more: object) -> fb.Experiment:
    return fb.Experiment(
        data=fb.Table(frame, target=target),
        partition=fb.IID(clients=4),
        rounds=5,
        training=fb.LocalTraining(lr=0.1),
        **more,  # pyright: ignore[reportArgumentType]
    )


def ran(experiment: fb.Experiment) -> tuple[fb.Session, list[str]]:
    session, told = fb.Session(experiment), []
    session.subscribe(lambda e: told.append(e.text) if isinstance(e, Cautioned) else None)
    session.start()
    assert session.wait(60) == "done", session.failure
    return session, told


def test_a_majority_is_no_success() -> None:
    experiment = of(patients(0.0))
    data = experiment.federation()
    session, told = ran(experiment)
    share = float((data.y_test == 0).mean())
    assert levels(data, "accuracy") == {"always “no”": share, "chance": 0.5}
    sentence = note(session.history, data)
    assert f"of the held-out test set (always “no” {share:.1%}, chance 50.0%)" in sentence
    said = f"No better than always “no” ({share:.1%}), as far as 120 test rows can show"
    assert said in sentence
    assert [each for each in told if each.startswith(said)] == [session.history.unproven]
    assert session.history.cautions == [session.history.unproven]


def test_a_model_that_beats_the_majority_is_not_doubted() -> None:
    session, told = ran(of(patients(4.0)))
    assert session.history.metric == "accuracy" and not session.history.unproven
    assert not [each for each in told if "better" in each or "worse" in each]


def test_a_number_is_held_against_the_mean_of_the_training_rows() -> None:
    frame = patients(0.0).assign(cost=lambda table: 100 + 10 * table["z"])
    data = of(frame, "cost").federation()
    mean, std = data.card.target_mean, data.card.target_std
    train, test = data.y * std + mean, data.y_test * std + mean
    expected = float(np.sqrt(((test - train.mean()) ** 2).mean()))
    assert levels(data, "rmse") == {"always the mean": pytest.approx(expected, rel=1e-5)}
    middle = float(np.abs(test - np.median(train)).mean())
    assert levels(data, "mae") == {"always the median": pytest.approx(middle, rel=1e-5)}
    assert not unproven(data, "rmse", test[:, None])
    assert unproven(data, "rmse", np.full((len(test), 1), 100.0)).startswith("No better than")
    assert unproven(data, "rmse", np.full((len(test), 1), 500.0)).startswith(
        "The model is worse than always the mean"
    )


def test_ranks_are_held_against_chance() -> None:
    experiment = of(patients(0.0))
    data, rng = experiment.federation(), np.random.default_rng(2)
    assert levels(data, "auc") == {"chance": 0.5}
    guess = rng.random(len(data.y_test))
    right = np.stack([1 - data.y_test, data.y_test], axis=1).astype(float)
    assert unproven(data, "auc", np.stack([1 - guess, guess], axis=1)).startswith(
        "No better than chance (0.5), as far as 120 test rows can show: gain "
    )
    assert not unproven(data, "auc", right)
    assert unproven(data, "auc", 1 - right).startswith("The model is worse than chance")


def test_balanced_classes_have_one_level() -> None:
    (only,) = naive(fb.Experiment(data=fb.Digits()).federation(), "accuracy")
    assert only.name.startswith("always “") and only.value == pytest.approx(0.1, abs=0.02)
    assert naive(fb.Experiment(data=fb.Digits()).federation(), "loss") == ()


def test_the_level_is_of_the_training_majority_where_the_test_rows_have_another() -> None:
    frame = patients(0.0, 40).assign(ill=["no"] * 30 + ["yes"] * 10, day=range(40))
    data = fb.Experiment(
        data=fb.Table(frame, target="ill", time="day", test_fraction=0.25),
        partition=fb.IID(clients=2),
    ).federation()
    assert levels(data, "accuracy")["always “no”"] == 0.0  # all of the latest are ill


def test_a_model_that_grows_worse_is_cautioned_of_while_it_does() -> None:
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(),
        partition=fb.IID(clients=6),
        rounds=5,
        training=fb.LocalTraining(lr=0.6),
    )
    session, heard = fb.Session(experiment), []
    session.subscribe(heard.append)
    session.start()
    assert session.wait(60) == "done"
    worse = [
        k
        for k, event in enumerate(heard)
        if isinstance(event, Cautioned) and event.text.startswith("The model is getting worse")
    ]
    rounds = [k for k, event in enumerate(heard) if isinstance(event, fb.RoundRecord)]
    assert len(worse) == 1 and worse[0] < rounds[2]  # once, and three rounds before the end
    assert "round 1 and is" in note(session.history) and "Lower training.lr" in note(
        session.history
    )
    assert len(session.history.cautions) == 2  # that it is worse than the mean, too


def test_features_far_from_what_they_were_scaled_by_are_named() -> None:
    frame = patients(1.0)
    assert not outliers(of(frame).federation())
    frame.loc[7, "z"] = 999.0
    frame["rare"] = (np.arange(len(frame)) == 5).astype(int)  # a mark is far from its mean as well
    session, told = ran(of(frame))
    (found,) = [each for each in told if "standard deviations" in each]
    assert "more than 10 standard deviations from their mean: z (1 value, up to 2" in found
    assert "rare" not in found and found in session.history.cautions


def test_a_series_is_held_against_its_last_value() -> None:
    experiment = fb.Experiment(data=fb.Traffic(days=7), partition=fb.Natural())
    data = experiment.federation()
    best, mean = naive(data, "rmse")
    assert (best.name, mean.name) == ("the last value", "always the mean")
    assert best.value < mean.value
    # the first feature, in km/h: what was measured last before each row
    raw = experiment.data.load()
    speed = raw.y_test * raw.card.target_std + raw.card.target_mean
    assert raw.test_latest is not None and best.guess is not None
    assert best.value == pytest.approx(np.sqrt(((speed - raw.test_latest) ** 2).mean()), rel=1e-4)
    standard = (raw.test_latest - raw.test_latest.mean()) / raw.test_latest.std()
    assert np.corrcoef(standard, raw.x_test[:, 0])[0, 1] == pytest.approx(1, abs=1e-4)
    assert sorted(best.guess.tolist()) == sorted(raw.test_latest.tolist())
    assert unproven(data, "rmse", best.guess[:, None]).startswith("No better than the last value")
