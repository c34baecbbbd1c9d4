"""The levels that a run is compared with, as the workbench asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import fedbench as fb
from fedbench.metrics import METRICS
from fedbench_widgets import Workbench
from tests.widgets.test_workbench import send, until

torch.set_num_threads(1)

WINES = fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=6, alpha=1.0), rounds=5)


@pytest.fixture
def workbench() -> Iterator[Workbench]:
    made = Workbench(WINES)
    yield made
    made.close()


def lines(workbench: Workbench) -> list[dict]:
    return workbench.panel.snapshot["levels"]["lines"]


def test_nothing_is_worked_out_that_nobody_asked_for(workbench: Workbench) -> None:
    until(lambda: workbench.form.map.version)
    assert workbench.panel.snapshot["levels"] == {"wanted": False, "words": "", "lines": []}


def test_the_levels_are_those_of_the_experiment(workbench: Workbench) -> None:
    send(workbench, levels=True)
    until(lambda: lines(workbench))
    found = fb.baselines(WINES)
    assert found is not None
    assert lines(workbench) == [
        {"label": f"pooled {found.pooled:.1%}", "value": found.pooled},
        {"label": f"alone {found.local:.1%}", "value": found.local},
    ]
    send(workbench, levels=False)
    until(lambda: not workbench.panel.snapshot["levels"]["wanted"])
    assert lines(workbench) == []


def test_another_budget_has_the_same_levels_and_another_model_has_not(workbench: Workbench) -> None:
    send(workbench, levels=True)
    until(lambda: lines(workbench))
    linear = lines(workbench)
    workbench.experiment = WINES.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Poisson(rate=0.5),
        privacy=fb.ClientLevelDP(epsilon=3, delta=1e-2, noise_seed=1),
    )
    assert workbench._levels.shown(workbench.session.experiment)["lines"] == linear
    workbench.experiment = WINES.replace(model=fb.MLP(hidden=(8,)))
    until(lambda: lines(workbench) and lines(workbench) != linear)


def test_who_knows_the_truth_is_the_true_model(workbench: Workbench) -> None:
    wards = fb.Experiment(data=fb.Hospitals(patients=400), partition=fb.Natural(), rounds=1)
    truth = fb.oracle(wards.data)
    assert truth is not None
    workbench.experiment = wards
    send(workbench, command="reset")
    send(workbench, levels=True)
    until(lambda: lines(workbench))
    assert lines(workbench)[2] == {
        "label": f"true model {METRICS[wards.metric].text(truth[wards.metric], 3)}",
        "value": truth[wards.metric],
    }


def test_what_is_computed_now_does_not_wait_for_a_run(workbench: Workbench) -> None:
    workbench._levels.wanted = True
    assert workbench._levels.shown(WINES.replace(seed=7))["words"] == "computing…"


def test_a_run_comes_first(workbench: Workbench) -> None:
    workbench.experiment = WINES.replace(rounds=100_000)
    workbench.start()
    send(workbench, levels=True)
    until(lambda: "no run is active" in workbench.panel.snapshot["levels"]["words"])
    until(lambda: len(workbench.history) > 50)
    assert lines(workbench) == []
    send(workbench, command="stop")
    assert workbench.wait(60) == "done"
    workbench.experiment = WINES
    send(workbench, command="reset")
    until(lambda: lines(workbench))


def test_why_there_are_none_is_said(workbench: Workbench) -> None:
    crowd = WINES.replace(partition=fb.Population(clients=20_000), sampling=fb.FixedCohort(size=5))
    workbench.experiment = crowd
    send(workbench, levels=True)
    until(lambda: "too many to train each alone" in workbench.panel.snapshot["levels"]["words"])
    assert lines(workbench) == []
