import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.runs.session import SessionError


def ran(experiment: fb.Experiment) -> fb.Session:
    session = fb.Session(experiment)
    session.start()
    session.wait()
    assert session.failure is None
    return session


HOSPITALS = fb.Experiment(
    data=fb.Hospitals(hospitals=4, patients=400),
    partition=fb.Natural(),
    training=fb.LocalTraining(steps=5, lr=0.5),
    sampling=fb.Everyone(),
    rounds=3,
)


def test_probabilities_are_the_models_and_give_the_historys_accuracy() -> None:
    session = ran(HOSPITALS)
    frame = session.predictions().frame()
    data = HOSPITALS.federation()
    yes = data.card.classes[1]
    last = session.history.rows[-1]
    right = (frame["probability"] > 0.5) == (frame["target"] == yes)
    assert right.mean() == pytest.approx(last.metrics["accuracy"])
    by_client = right.groupby(frame["client"], sort=False).mean()
    assert list(by_client.index) == list(data.names)
    np.testing.assert_allclose(by_client.to_numpy(), last.clients, atol=1e-6)
    with torch.no_grad():
        outputs = session.module()(torch.from_numpy(data.x_test))
    np.testing.assert_allclose(frame["probability"], outputs[:, 0].sigmoid(), rtol=1e-5)


def test_rows_are_told_apart_by_the_columns_of_the_data() -> None:
    frame = ran(HOSPITALS).predictions().frame()
    assert (frame["hospital"] == frame["client"]).all()


def test_models_of_ones_own_are_told_beside_the_global_one() -> None:
    session = ran(HOSPITALS.replace(strategy=fb.Ditto(lam=0.1)))
    frame = session.predictions().frame()
    assert (frame["probability"] != frame["personal_probability"]).any()
    yes = session.predictions().data.card.classes[1]
    right = (frame["personal_probability"] > 0.5) == (frame["target"] == yes)
    assert right.mean() == pytest.approx(session.history.rows[-1].personal)


def test_each_of_many_classes_has_a_column() -> None:
    session = ran(fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=3), rounds=2))
    said = session.predictions()
    frame = said.frame()
    classes = list(said.data.card.classes)
    np.testing.assert_allclose(frame[classes].sum(axis=1), 1)
    guess = frame[classes].idxmax(axis=1)
    right = (guess == frame["target"]).mean()
    assert right == pytest.approx(session.history.rows[-1].metrics["accuracy"])
    assert set(frame["client"]) <= {0, 1, 2}


def test_numbers_come_in_the_targets_own_unit() -> None:
    experiment = fb.Experiment(
        data=fb.CityLoad(districts=3, days=20),
        partition=fb.Natural(),
        training=fb.LocalTraining(lr=0.05),
        sampling=fb.Everyone(),
        rounds=2,
    )
    session = ran(experiment)
    frame = session.predictions().frame()
    error = frame["prediction"] - frame["target"]
    rmse = float(np.sqrt((error**2).mean()))
    assert rmse == pytest.approx(session.history.rows[-1].metrics["rmse"], rel=1e-5)
    raw = experiment.data.table()
    assert frame["target"].min() >= raw.y.min() - 1e-5
    assert frame["target"].max() <= raw.y.max() + 1e-5


def test_there_are_none_before_the_first_round() -> None:
    with pytest.raises(SessionError, match="cannot compute predictions while idle"):
        fb.Session(HOSPITALS).predictions()
