"""What the true model scores, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.data import Source

torch.set_num_threads(1)


def test_the_best_of_a_classifier_is_by_the_true_probability() -> None:
    source = fb.Hospitals(patients=5000)
    found = fb.oracle(source)
    data = source.load()
    truth = data.test_truth
    assert found is not None
    assert truth is not None
    assert found["accuracy"] == pytest.approx(((truth > 0.5) == data.y_test).mean())
    surprise = np.where(data.y_test == 1, -np.log(truth), -np.log(1 - truth))
    assert found["loss"] == pytest.approx(surprise.mean(), rel=1e-6)


def test_the_best_of_a_regression_is_by_the_true_mean_in_its_own_unit() -> None:
    source = fb.CityLoad(days=60)
    found = fb.oracle(source)
    data = source.load()
    assert found is not None
    target = data.y_test * data.card.target_std + data.card.target_mean
    error = target - data.test_truth
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)
    assert found["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert found["r2"] > 0.85


def test_nothing_is_known_of_real_data() -> None:
    assert fb.oracle(fb.Wine()) is None


@pytest.mark.parametrize(
    "source",
    [fb.Hospitals(patients=4000), fb.Banks(rows=8000), fb.CityLoad(days=30), fb.Fleet()],
    ids=lambda source: source.kind(),
)
def test_no_federation_beats_it(source: Source) -> None:
    best = fb.oracle(source)
    assert best is not None
    experiment = fb.Experiment(
        data=source,
        partition=fb.Natural(),
        model=fb.MLP(hidden=(16,)),
        training=fb.LocalTraining(lr=0.1, batch_size=32),
        rounds=5,
    )
    last = fb.run(experiment, progress=False).rows[-1]
    assert last.metrics["loss"] > best["loss"]


def test_it_is_a_level_beside_pooled_and_alone_unless_rows_are_skewed() -> None:
    experiment = fb.Experiment(
        data=fb.Hospitals(),
        partition=fb.Natural(),
        rounds=2,
        engine=fb.StackedEngine(workers=0),
    )
    found = fb.baselines(experiment)
    assert found is not None
    best = fb.oracle(fb.Hospitals())
    assert best is not None
    assert found.levels["true model"] == found.oracle == best["accuracy"]
    skewed = fb.baselines(experiment.replace(skews=[fb.LabelNoise()]))
    assert skewed is not None
    assert "true model" not in skewed.levels and {"pooled", "alone"} < set(skewed.levels)
