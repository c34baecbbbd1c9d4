"""What a run needs is told before it begins."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

import fedbench as fb
from fedbench.data import Card
from fedbench.engine import TrainingContext, memory
from fedbench.models import Model
from fedbench.runs.rounds import Rounds

pytestmark = pytest.mark.process

WEIGHTS = 4 * 650  # bytes of a softmax regression on digits
BATCHES = 3 * 8 * 30 + 3 * 4 * 10 * 64  # row numbers of three steps, pixels of ten images


def shares(cohort: int = 10, participants: int = 100, **parts) -> dict[str, int]:
    experiment = fb.Experiment(partition=fb.IID(clients=50), **parts)
    context = TrainingContext(
        experiment.federation(),
        experiment.model,
        experiment.training,
        experiment.strategy,
        seed=0,
        aggregator=experiment.aggregator,
    )
    return memory.estimate(context, fb.LoopEngine(), cohort, participants)


def test_a_sum_needs_the_same_for_any_cohort() -> None:
    assert shares(cohort=10) == shares(cohort=50)
    assert list(shares().values()) == [4 * WEIGHTS, 3 * WEIGHTS + BATCHES, 0, 0]


def test_other_rules_hold_every_payload() -> None:
    found = shares(cohort=30, aggregator=fb.CoordinateMedian())
    assert list(found.values())[2] == 2 * 30 * WEIGHTS


def test_states_count_for_everyone_who_takes_part() -> None:
    found = shares(participants=40, strategy=fb.Scaffold())
    assert list(found.values()) == [
        6 * WEIGHTS,
        (2 + 1 + 2) * WEIGHTS + BATCHES,
        0,
        40 * WEIGHTS,
    ]


def test_long_rounds_count() -> None:
    long = fb.LocalTraining(steps=1_000_000, batch_size=20)
    assert list(shares(training=long).values())[1] > 3 * 8 * 20_000_000


def test_a_small_model_and_one_without_values_are_told_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = shares(participants=40, strategy=fb.Scaffold())
    monkeypatch.setattr(memory, "TRIED", 0)
    assert shares(participants=40, strategy=fb.Scaffold()) == tried


FIRST_RUNS = """
import sys
import fedbench as fb
for strategy in (fb.FedNova(), fb.FineTuning(), fb.Scaffold(), fb.Ditto(), fb.FedAdam()):
    fb.run(fb.Experiment(strategy=strategy, rounds=1), progress=False)
for data, model in ((fb.Ratings(), fb.MatrixFactorisation()), (fb.Reviews(), fb.TextClassifier())):
    fb.run(fb.Experiment(data=data, model=model, rounds=1), progress=False)
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""


def test_no_first_run_waits_for_a_compiler_that_nobody_uses() -> None:
    result = subprocess.run(
        [sys.executable, "-c", FIRST_RUNS], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["True", "False"]


def test_a_model_too_large_is_refused_with_the_estimate() -> None:
    huge = fb.MLP(hidden=(65536, 65536, 65536, 65536, 65536, 65536))
    session = fb.Session(fb.Experiment(model=huge))
    session.start()
    assert session.wait(30) == "failed"
    assert session.failure is not None
    assert "GB of memory and" in session.failure.message
    assert "choose a smaller model" in session.failure.message


def test_the_remedy_is_for_what_takes_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 200_000)
    plain = fb.Experiment(partition=fb.IID(clients=100), engine=fb.LoopEngine())
    with pytest.raises(ValueError, match=r"0\.0002 GB are free.*take a smaller cohort"):
        Rounds(plain.replace(aggregator=fb.CoordinateMedian()))
    with pytest.raises(ValueError, match="choose a strategy and a channel that keep less"):
        Rounds(plain.replace(strategy=fb.Scaffold()))
    Rounds(plain)


class Normed(Model):
    """A model with a norm over batches."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))


@pytest.mark.parametrize("engine", [fb.StackedEngine(), fb.LoopEngine()], ids=["stacked", "loop"])
def test_batch_norm_is_refused_with_its_layer_and_a_remedy(
    engine: fb.StackedEngine | fb.LoopEngine,
) -> None:
    with pytest.raises(ValueError, match=r"layer '2' is BatchNorm1d.*use GroupNorm"):
        Rounds(fb.Experiment(model=Normed(), engine=engine))


class Spectral(Model):
    """A model whose layer renews an estimate at every pass."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        return nn.Sequential(nn.Flatten(), nn.utils.spectral_norm(nn.Linear(64, 10)))


class Short(Model):
    """A model with too few outputs."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))


class Reading(Model):
    """A model whose construction looks at values."""

    def build(self, card: Card) -> nn.Module:
        """Return the layers."""
        layer = nn.Linear(64, 10)
        assert float(layer.weight.sum()) == float(layer.weight.sum())
        return nn.Sequential(nn.Flatten(), layer)


def test_a_layer_that_carries_data_along_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layer '1' writes its buffer '1\.weight_u'"):
        Rounds(fb.Experiment(model=Spectral()))


def test_outputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(32, 7\) .*and Digits needs \(32, 10\)"):
        Rounds(fb.Experiment(model=Short()))


def test_a_model_that_cannot_be_built_without_values_is_built_with_them() -> None:
    rounds = Rounds(fb.Experiment(model=Reading()))
    _, row = rounds.next(rounds.begin())
    assert row.metrics["accuracy"] > 0.1


def test_a_gpu_that_is_not_there_is_refused() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match=r"engine\.device.*choose 'cpu'"):
        Rounds(fb.Experiment(engine=fb.StackedEngine(device="cuda")))
