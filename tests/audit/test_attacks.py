"""Attacks on mechanisms, through the product: each gains no more than ε says.

All draw from fixed seeds. Where an attack counts events, its bounds are those of Clopper and
Pearson (1934) at 1 − 10⁻⁹: an honest mechanism fails a test once in some ten million seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

import fedbench as fb
from fedbench.channel import Pipeline, Receiving
from fedbench.data import FederatedDataset
from fedbench.engine import (
    Arrival,
    Broadcast,
    Engine,
    LocalUpdates,
    LoopEngine,
    StackedEngine,
    TrainingContext,
)
from fedbench.participation.sampling import FixedCohort, Poisson, Sampling
from fedbench.privacy import noise
from fedbench.privacy.accounting import epsilon
from fedbench.runs import Session
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo

ENGINES = {"loop": LoopEngine(), "here": StackedEngine(workers=0), "two": StackedEngine(workers=2)}
engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
SURE = 1e-9


def between(hits: int, trials: int) -> tuple[float, float]:
    """Return the Clopper-Pearson bounds of a probability."""
    low = stats.beta.ppf(SURE / 2, hits, trials - hits + 1) if hits else 0.0
    high = stats.beta.ppf(1 - SURE / 2, hits + 1, trials - hits) if hits < trials else 1.0
    return float(low), float(high)


def single_rows(x: NDArray[Any], y: NDArray[Any]) -> FederatedDataset:
    """Return a regression on one feature where each client holds one row."""
    experiment = fb.Experiment(data=fb.DiabetesProgression(), partition=fb.IID(clients=2))
    data, count = experiment.federation(), len(y)
    return replace(
        data,
        card=replace(data.card, shape=(1,), features=("x",)),
        x=x.astype(np.float32).reshape(count, 1),
        y=y.astype(np.float32),
        offsets=np.arange(count + 1),
        strata=np.zeros(count, dtype=np.int64),
    )


# A1: one client's extreme value in the arithmetic of all others ---------------------------------


@engines
def test_a_row_of_the_largest_number_does_not_silence_the_other_clients(engine: Engine) -> None:
    # claimed 0.926, attack ≥ 3.99: with the row all updates were nothing, without it twenty were C
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(),
        partition=fb.IID(clients=21),
        model=fb.Linear(),
        training=fb.LocalTraining(steps=3, batch_size=None, lr=1.0),
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ClientLevelDP(noise_multiplier=4.0, clip=1.0, delta=1e-5, noise_seed=1),
        sampling=fb.Everyone(),
        engine=engine,
        rounds=1,
    )
    found = []
    for extreme in (0.0, 3e38):
        data = experiment.federation()
        x, y = np.zeros_like(data.x), np.full_like(data.y, 3.0)
        x[:, 0] = 1.0
        x[0, 0], y[0] = extreme, 0.0
        rounds = Rounds(experiment, replace(data, x=x, y=y))
        progress, _ = rounds.next(rounds.begin())
        found.append(torch.cat([leaf.flatten() for leaf in progress.params.values()]).double())
    # the noise is the same: what is left is one client's part of the mean
    assert float((found[0] - found[1]).norm()) <= 1.0 / 21 * (1 + 1e-3)


# A2 is in tests/engine/test_isolation.py: no row decides whether a private run goes on


# A3: a round that fails is paid for --------------------------------------------------------------

FAILING = fb.Experiment(
    data=fb.Wine(),
    partition=fb.IID(clients=5),
    strategy=fb.FedAvgM(beta=0.0, server_lr=1e39, weighting="uniform"),
    privacy=fb.ClientLevelDP(noise_multiplier=0.3, clip=2.0, delta=1e-5, noise_seed=1),
    sampling=fb.Everyone(),
    rounds=3,
)
ONE_ROUND = epsilon(1.0, 0.3, 1, 1e-5)


@engines
def test_a_round_that_fails_is_in_history_card_summary_and_checkpoint(engine: Engine) -> None:
    from fedbench.runs.outcome import outcome

    session = Session(FAILING.replace(engine=engine))
    session.start()
    session.wait(120)
    assert session.state == "failed" and len(session.history) == 0
    assert session.history.spent == pytest.approx(ONE_ROUND) and ONE_ROUND > 4.6
    assert outcome(session.history)["epsilon"] == pytest.approx(ONE_ROUND)
    card = session.history.privacy_card()
    assert "0 rounds and 1 unfinished round" in card.statement
    checkpoint = session.checkpoint()
    assert checkpoint is not None
    assert checkpoint.progress.ledger.epsilon(1e-5) == pytest.approx(ONE_ROUND)
    # whoever goes on pays for it too
    resumed = Session.resumed(checkpoint.experiment, checkpoint)
    assert resumed.history.spent == pytest.approx(ONE_ROUND)


def test_an_exception_in_a_round_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = FAILING.replace(strategy=fb.FedAvg(weighting="uniform"))
    session = Session(calm)
    session.step()
    session.wait(120)
    before = session.history.spent

    def update(self: Any, *_: Any) -> Any:
        raise ZeroDivisionError("after the updates were seen")

    monkeypatch.setattr(fb.FedAvg, "update", update)
    session.resume()
    session.wait(120)
    assert session.state == "failed" and len(session.history) == 1
    assert session.history.spent > before
    assert session.history.spent == pytest.approx(epsilon(1.0, 0.3, 2, 1e-5))


def test_a_point_of_a_sweep_that_fails_is_paid_for() -> None:
    from fedbench.study.job import Job, Outcome

    found = Job("run", FAILING).compute(lambda *_: None, lambda: True)
    outcome = Outcome.from_dict(found)
    assert outcome.error and outcome.rounds == 0
    assert outcome.epsilon == pytest.approx(ONE_ROUND)
    assert outcome.ledger is not None
    assert outcome.ledger.epsilon(1e-5) == pytest.approx(ONE_ROUND)


# A4: the tail of the noise -----------------------------------------------------------------------


class Lowest(np.random.SFC64):
    """Bits that are all zero: the largest normal number that can come out."""

    def random_raw(self, size: Any = None, lock: bool = True) -> Any:
        return np.zeros(size, dtype=np.uint64)


class LowRadii(np.random.SFC64):
    """Bits of which every radius is among the 2⁻²⁴ that are refined."""

    def random_raw(self, size: Any = None, lock: bool = True) -> Any:
        words = super().random_raw(size)
        if size == noise.BLOCK:  # not what radii are refined by
            words.view(np.uint32)[:size] &= np.uint32(noise.LOW - 1)
        return words


class Crafted(fb.ExampleLevelDP):
    """Noise of the largest numbers that there are."""

    keeps_privacy: ClassVar[bool] = True

    def perturbation(self, round: int, client: int) -> np.random.BitGenerator:
        return Lowest(0)


def one_step(engine: Engine, data: FederatedDataset, params: Any, **known: Any) -> LocalUpdates:
    training = fb.LocalTraining(steps=1, batch_size=None, lr=known.pop("lr", 1.0))
    context = TrainingContext(data, fb.Linear(), training, fb.FedAvg(), seed=0, **known)
    info = RoundInfo(1, training.lr, data.clients, float(data.clients))
    return engine.train(context, Broadcast(info, params), np.arange(data.clients), {})


def test_normal_numbers_reach_as_far_as_is_said() -> None:
    found = np.zeros(5, dtype=np.float32)
    noise.normal(Lowest(0), found)
    assert float(found.max()) == pytest.approx(math.sqrt(2 * 160 * math.log(2)), rel=1e-6)
    assert noise.laplace(Lowest(0), 1).item() == pytest.approx(192 * math.log(2), rel=1e-6)


def test_the_far_tail_is_that_of_a_normal_number() -> None:
    pairs = 3 * noise.BLOCK
    found = np.empty((3, 2, noise.BLOCK), dtype=np.float32)  # halves of a block are its pairs
    noise.normal(LowRadii(1), found.reshape(-1))
    squares = (found.astype(np.float64) ** 2).sum(1).ravel()
    assert len(squares) == pairs
    # beyond √(2 ln 2²⁴) = 5.77 the squared radius goes on as an exponential does
    beyond = squares / 2 - 24 * math.log(2)
    assert beyond.min() > -1e-5 and stats.kstest(beyond, "expon").pvalue > 1e-6


def test_the_bulk_and_the_tail_have_their_probabilities() -> None:
    found = np.empty(4_000_000, dtype=np.float32)
    noise.normal(np.random.SFC64(5), found, 2.0)
    for bound in (0.01, 0.5, 1.0, 2.0, 3.0, 4.0, 4.5):
        low, high = between(int((found > 2 * bound).sum()), len(found))
        assert low <= stats.norm.sf(bound) <= high
        low, high = between(int((found < -2 * bound).sum()), len(found))
        assert low <= stats.norm.sf(bound) <= high
    assert stats.kstest(found[:500_000] / 2, "norm").pvalue > 1e-6
    half = len(found) // 2
    assert abs(np.corrcoef(found[:half], found[half:])[0, 1]) < 6 / math.sqrt(half)


@pytest.mark.parametrize("engine", [LoopEngine(), StackedEngine(workers=0)], ids=["loop", "here"])
def test_an_engine_lets_the_whole_tail_through(engine: Engine) -> None:
    # claimed δ = 1e-5, true ≥ 5.5e-4: |noise| ended at 5.77 deviations
    data = single_rows(np.zeros(2), np.zeros(2))
    params = {"1.weight": torch.zeros(1, 1), "1.bias": torch.zeros(1)}
    privacy = Crafted(noise_multiplier=1.0, clip=1.0)
    sent = one_step(engine, data, params, privacy=privacy).payloads
    largest = max(float(leaf.abs().max()) for leaf in sent.values())
    assert largest == pytest.approx(14.89, abs=0.02)


def test_local_laplace_noise_has_a_tail_for_a_claim_without_delta() -> None:
    found = noise.laplace(np.random.SFC64(3), 400_000)
    assert stats.kstest(found, "laplace").pvalue > 1e-6
    drawn = fb.LocalLaplace(noise_multiplier=1.0).draw(np.random.Generator(Lowest(0)), (2, 2))
    assert np.abs(drawn).min() > 130


# A5: signal and noise, rounded to float32 weights -------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "clients"),
    [(LoopEngine(), 500), (StackedEngine(workers=0), 8_000)],
    ids=["loop", "here"],
)
@pytest.mark.parametrize("there", [True, False])
def test_weights_are_rounded_once(engine: Engine, clients: int, there: bool) -> None:
    # claimed 4.38, attack ≥ 5.20: a step of 3.1e-8 and then noise, each rounded at w = 1
    step, x = 3.1e-8, 1e4 if there else 0.0
    data = single_rows(np.full(clients, x), np.zeros(clients))
    params = {"1.weight": torch.ones(1, 1), "1.bias": torch.zeros(1)}
    privacy = fb.ExampleLevelDP(noise_multiplier=1.0, clip=1.0, noise_seed=7)
    sent = one_step(engine, data, params, privacy=privacy, lr=step)
    moved = sent.payloads["1.weight"].double().numpy().ravel()
    below = 2.0**-24  # floats are that far apart below 1, and twice as far above
    signal = step if there else 0.0
    for count in (1, 0, -1, -2):
        at = count * (2 * below if count > 0 else below)
        top = at + (below if count >= 0 else below / 2)
        bottom = at - (below if count > 0 else below / 2)
        ideal = stats.norm.cdf(top, -signal, step) - stats.norm.cdf(bottom, -signal, step)
        low, high = between(int(np.isclose(moved, at, rtol=0, atol=1e-12).sum()), clients)
        assert low <= ideal <= high, count


def test_a_server_adds_noise_that_hides_the_last_bits_of_a_sum() -> None:
    # float32 noise near -1/2 is a multiple of 2⁻²⁵, and so was all that it left of a sum of 1/2
    privacy = fb.ClientLevelDP(noise_multiplier=0.5, clip=1.0)
    _, noise_on_sums = privacy.stages()
    count = 400_000
    sent = {}
    for value in (0.0, 0.5):
        aggregate = {"w": torch.full((count,), value)}
        receiving = Receiving(round=1, divisor=1.0, sensitivity=(1.0,), payload=("w",))
        sent[value] = noise_on_sums.decode(aggregate, receiving)[0]["w"].double().numpy()
    small = {value: found[np.abs(found) < 2.0**-8] for value, found in sent.items()}
    on_grid = {value: float(np.mean(found * 2**25 % 1 == 0)) for value, found in small.items()}
    assert min(len(found) for found in small.values()) > 500
    assert on_grid[0.0] < 0.1 and on_grid[0.5] < 0.1


# A6: engines of one's own ------------------------------------------------------------------------


class Careless(StackedEngine):
    """Trains without clipping and without noise."""

    def train(self, context: TrainingContext, *rest: Any) -> LocalUpdates:
        return super().train(replace(context, privacy=fb.NoPrivacy()), *rest)


class Declared(Careless):
    """Says that it keeps privacy."""

    keeps_privacy: ClassVar[bool] = True


class Silent(LoopEngine):
    """Sends updates as they are."""

    def arrivals(self, context: TrainingContext, *rest: Any) -> Iterator[Arrival]:
        return super().arrivals(replace(context, pipeline=Pipeline()), *rest)


class Twofold(Engine):
    """Trains each client twice."""

    def jobs(self, *args: Any) -> list[list[Any]]:
        return super().jobs(*args) * 2


class Blended(LoopEngine, Twofold):
    """The reference engine, whose jobs are another's."""


def test_an_engine_that_does_not_declare_that_it_keeps_privacy_is_refused() -> None:
    known, uniform = {"noise_multiplier": 1.0}, fb.FedAvg(weighting="uniform")
    assert fb.Experiment(engine=Careless()).engine == Careless()
    for kind in (fb.ClientLevelDP, fb.ExampleLevelDP, fb.LocalGaussian):
        private = fb.Experiment(privacy=kind(**known), strategy=uniform)
        with pytest.raises(ValidationError, match=r"train\(\) of Careless.*keeps_privacy = True"):
            private.replace(engine=Careless())
        with pytest.raises(ValidationError, match=r"arrivals\(\) of Silent"):
            private.replace(engine=Silent())
        with pytest.raises(ValidationError, match=r"jobs\(\) of Twofold.*set .* in Twofold"):
            private.replace(engine=Blended())
        assert private.replace(engine=Declared()).engine == Declared()


# A7: samplers of one's own -----------------------------------------------------------------------


class Always(FixedCohort):
    """Takes client 0 in every round and says that all are drawn alike."""

    independent: ClassVar[bool] = True
    size: int = 1

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        return np.zeros(1, dtype=np.int64)


class Fixed(Poisson):
    """A Poisson sampler that draws the first clients."""

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        return np.arange(round(self.rate * clients))


@pytest.mark.parametrize("sampling", [Always(), Fixed(rate=0.2)], ids=["claims", "subclass"])
def test_no_amplification_is_claimed_for_a_sampler_of_ones_own(sampling: Sampling) -> None:
    # claimed 1.57 by amplification, though client 0 was in every round
    experiment = fb.Experiment(
        data=fb.Wine(),
        partition=fb.IID(clients=10),
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ClientLevelDP(noise_multiplier=2.0, delta=1e-5, noise_seed=1),
        sampling=sampling,
        rounds=3,
    )
    rounds = Rounds(experiment)
    progress = rounds.begin()
    row = None
    for _ in range(3):
        progress, row = rounds.next(progress)
    assert row is not None and row.epsilon == pytest.approx(epsilon(1.0, 2.0, 3, 1e-5))
    assert experiment.releases(3) == [[(1.0, 3)]]
