"""The attack's figures by hand and against scikit-learn, and real runs with and without privacy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import roc_auc_score, roc_curve
from torch import nn

import fedbench as fb
from fedbench.audit import loss_threshold
from fedbench.data.card import Card
from fedbench.models import Model
from fedbench.privacy import accounting
from fedbench.runs import SessionError
from fedbench.runs.rounds import Rounds

torch.set_num_threads(1)

# Few rows and many steps: a network with 15,010 parameters learns 100 digits by heart.
HEART = fb.Experiment(
    data=fb.Digits(test_fraction=0.5),
    partition=fb.Explicit(counts=((2,) * 10,) * 5),
    model=fb.MLP(hidden=(200,)),
    training=fb.LocalTraining(lr=0.3, batch_size=10, epochs=5),
    strategy=fb.FedAvg(weighting="uniform"),
    rounds=40,
    engine=fb.StackedEngine(workers=0),
)
EXAMPLES = fb.ExampleLevelDP(epsilon=1, delta=1e-3, noise_seed=0)
CLIENTS = fb.ClientLevelDP(epsilon=1, delta=1e-2, clip=0.1, noise_seed=0)

# Few different values, so that many of them are the same.
losses = st.lists(st.integers(0, 9).map(lambda k: k / 4), min_size=2, max_size=30)


def found(members: list[float], others: list[float]) -> fb.MembershipInference:
    return fb.MembershipInference(np.array(members), np.array(others))


def finished(experiment: fb.Experiment) -> fb.Session:
    session = fb.Session(experiment)
    session.start()
    assert session.wait(120) == "done", session.failure
    return session


def test_by_hand() -> None:
    # Of the six pairs the first member wins all three, the second one, and ties in one.
    result = found([1.0, 3.0], [2.0, 3.0, 4.0])
    assert result.auc == pytest.approx((3 + 1 + 0.5) / 6)
    frame = result.frame()
    assert frame["threshold"].tolist() == [-math.inf, 1, 2, 3, 4]
    assert frame["tpr"].tolist() == [0, 0.5, 0.5, 1, 1]
    assert frame["fpr"].tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])
    assert result.advantage == pytest.approx(0.5)
    assert result.tpr == 0.5


def test_the_variance_by_hand() -> None:
    # Placements of the members 1 and 1/2, of the others 1/2, 3/4 and 1 (DeLong et al. 1988).
    result = found([1.0, 3.0], [2.0, 3.0, 4.0])
    variance = np.var([1, 0.5], ddof=1) / 2 + np.var([0.5, 0.75, 1], ddof=1) / 3
    middle = math.log(0.75 / 0.25)
    reach = norm.ppf(0.975) * math.sqrt(variance) / (0.75 * 0.25)
    expected = [1 / (1 + math.exp(-(middle + sign * reach))) for sign in (-1, 1)]
    assert [result.low, result.high] == pytest.approx(expected)


@given(losses, losses)
def test_the_curve_is_that_of_scikit_learn(members: list[float], others: list[float]) -> None:
    result = found(members, others)
    truth = [1] * len(members) + [0] * len(others)
    scores = -np.array(members + others)
    assert result.auc == pytest.approx(roc_auc_score(truth, scores))
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert result.frame()["fpr"].tolist() == pytest.approx(fpr.tolist())
    assert result.frame()["tpr"].tolist() == pytest.approx(tpr.tolist())
    assert result.advantage == pytest.approx((tpr - fpr).max())
    assert result.tpr == pytest.approx(tpr[fpr <= 0.01].max())


@given(losses, losses)
def test_the_interval_holds_the_auc_and_turns_round_with_the_roles(
    members: list[float], others: list[float]
) -> None:
    result, turned = found(members, others), found(others, members)
    assert 0 <= result.low <= result.auc + 1e-12
    assert result.auc - 1e-12 <= result.high <= 1
    assert turned.auc == pytest.approx(1 - result.auc)
    assert turned.interval == pytest.approx((1 - result.high, 1 - result.low))


def test_losses_that_separate_entirely_leave_the_doubt_of_few_rows() -> None:
    result = found([0.0, 0.1, 0.2], [1.0, 2.0, 3.0, 4.0])
    assert (result.auc, result.high) == (1, 1)
    exact = binomtest(3, 3).proportion_ci(0.95, method="exact")
    assert result.low == pytest.approx(exact.low)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_the_interval_covers_the_truth_in_19_of_20_cases(shift: float) -> None:
    rng, trials = np.random.default_rng(5), 1000
    truth = norm.cdf(shift / math.sqrt(2))
    hits = 0
    for _ in range(trials):
        low, high = found(rng.normal(-shift, 1, 60), rng.normal(0, 1, 40)).interval
        hits += low <= truth <= high
    # A true coverage within a point of 95 % fails this once in 10,000 times.
    assert binom.ppf(1e-4, trials, 0.94) <= hits <= binom.ppf(1 - 1e-4, trials, 0.96)


def test_the_bound_on_epsilon_by_hand() -> None:
    # All 50 members that judge are below the threshold, and none of the 100 others.
    result = found([0.0] * 100, [1.0] * 200)
    low = binomtest(50, 50).proportion_ci(0.95, method="exact").low
    high = binomtest(0, 100).proportion_ci(0.95, method="exact").high
    low_misses = binomtest(100, 100).proportion_ci(0.95, method="exact").low
    high_misses = binomtest(0, 50).proportion_ci(0.95, method="exact").high
    # Which side bounds better is chosen before: both by 50 and 100 rows, so the same side.
    best = max(math.log((low - 0.01) / high), math.log((low_misses - 0.01) / high_misses))
    assert result.epsilon_lower_bound(0.01) == pytest.approx(best)
    assert result.epsilon_lower_bound() > result.epsilon_lower_bound(0.5) > 0


def test_an_exchange_is_two_neighbours_with_a_larger_delta() -> None:
    result = found([0.0] * 100 + [1.0] * 100, [0.0] * 20 + [1.0] * 180)
    plain, delta = result.epsilon_lower_bound(), 0.05
    assert result.epsilon_lower_bound(exchanged=True) == pytest.approx(plain / 2)
    bound = result.epsilon_lower_bound(delta, exchanged=True)
    low = binomtest(50, 100).proportion_ci(0.95, method="exact").low
    high = binomtest(10, 100).proportion_ci(0.95, method="exact").high
    # (ε, δ) twice is (2ε, (1 + e^ε)δ)
    assert low == pytest.approx(math.exp(2 * bound) * high + (1 + math.exp(bound)) * delta)
    assert bound < result.epsilon_lower_bound(delta) / 2


@pytest.mark.parametrize("delta", [0.01, 0.05])
def test_the_bound_of_an_exchange_is_seldom_above_a_tight_mechanism(delta: float) -> None:
    """A Gaussian mechanism whose unit moves the mean by one, observed under an exchange: by two."""
    epsilon = 0.919
    noise = brentq(lambda z: accounting.epsilon(1.0, z, 1, delta) - epsilon, 0.5, 20)
    rng, trials = np.random.default_rng(8), 100
    bounds = []
    for _ in range(trials):
        members, others = rng.normal(-1, noise, 4000), rng.normal(1, noise, 4000)
        bounds.append(found(members, others).epsilon_lower_bound(delta, exchanged=True))
    assert sum(bound > epsilon for bound in bounds) <= binom.ppf(1 - 1e-4, trials, 0.05)


def test_the_bound_by_those_above_the_threshold() -> None:
    # Half of the others have losses that no member has: that tells more than the low ones do.
    result = found([0.0] * 200, [0.0, 0.0, 1.0, 1.0] * 50)
    low = binomtest(50, 100).proportion_ci(0.95, method="exact").low
    high = binomtest(0, 100).proportion_ci(0.95, method="exact").high
    assert result.epsilon_lower_bound() == pytest.approx(math.log(low / high))


def test_the_rows_that_choose_the_threshold_are_not_those_that_judge_it() -> None:
    apart, alike = [0.0, 0.0] * 50, [1.0, 0.0] * 50
    assert found(apart, alike).epsilon_lower_bound() == 0
    assert found(apart, [1.0] * 100).epsilon_lower_bound() > 1
    assert found([0.0, 1.0] * 50, [1.0, 1.0] * 50).epsilon_lower_bound() == 0


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
def test_the_bound_is_seldom_above_what_was_spent(epsilon: float) -> None:
    # Randomised response spends exactly ε: a member has the low loss with odds of e^ε.
    rng, trials = np.random.default_rng(6), 400
    share = math.exp(epsilon) / (1 + math.exp(epsilon))
    bounds = []
    for _ in range(trials):
        members = (rng.random(400) > share).astype(float)
        others = (rng.random(400) < share).astype(float)
        bounds.append(found(list(members), list(others)).epsilon_lower_bound())
    assert sum(bound > epsilon for bound in bounds) <= binom.ppf(1 - 1e-4, trials, 0.05)
    # nor is it idle: 200 rows of a kind judge, which is enough for more than half of it
    assert np.mean(bounds) >= 0.5 * epsilon


@pytest.mark.parametrize("delta", [-0.1, 1.0, math.nan])
def test_a_delta_that_is_none(delta: float) -> None:
    with pytest.raises(ValueError, match=r"delta = .* is not in \[0, 1\)"):
        found([1.0] * 8, [2.0] * 8).epsilon_lower_bound(delta)


@pytest.mark.parametrize(
    ("members", "others", "words"),
    [
        ([1.0], [1.0, 2.0], "members: .* two rows"),
        ([1.0, 2.0], [], "others: .* two rows"),
        ([1.0, math.nan], [1.0, 2.0], "members: the loss of row 1 is nan"),
        ([1.0, 2.0], [math.inf, 2.0], "others: the loss of row 0 is inf"),
    ],
)
def test_losses_that_say_nothing(members: list[float], others: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        found(members, others)


def test_a_model_that_learnt_by_heart_gives_its_rows_away() -> None:
    session = finished(HEART)
    result = fb.membership_inference(session)
    assert (len(result.members), len(result.others)) == (100, 898)
    assert result.auc > 0.6
    assert result.low > 0.5
    assert result.epsilon_lower_bound() > 0
    assert repr(result).startswith("<MembershipInference: AUC 0.6")
    # The test loss of the attack is that of the history.
    last = session.history.rows[-1].metrics["loss"]
    assert result.others.mean() == pytest.approx(last, rel=1e-5)


@pytest.mark.parametrize(
    "privacy", [EXAMPLES, CLIENTS], ids=["example-level ε = 1", "client-level ε = 1"]
)
def test_with_privacy_the_attacker_guesses(privacy: fb.ExampleLevelDP | fb.ClientLevelDP) -> None:
    sampling = fb.Poisson(rate=0.5) if privacy is CLIENTS else fb.Everyone()
    session = finished(HEART.replace(privacy=privacy, sampling=sampling))
    assert session.history.rows[-1].epsilon <= 1
    result = fb.membership_inference(session)
    assert result.low <= 0.5 <= result.high
    assert result.epsilon_lower_bound(privacy.delta, exchanged=privacy is CLIENTS) <= 1


def test_rows_that_no_round_has_seen_are_no_members() -> None:
    data = fb.Arriving(data=fb.CityLoad(districts=4, days=56), periods=8, first=3, seen=3)
    experiment = fb.Experiment(
        data=data,
        partition=fb.Natural(),
        model=fb.MLP(hidden=(8,)),
        training=fb.LocalTraining(batch_size=64),
        rounds=6,
    )
    session = fb.Session(experiment)
    session.step()
    session.wait(60)
    before = fb.membership_inference(session)
    assert len(before.members) == len(experiment.federation().y)
    session.amend(**{"data.seen": 4})
    amended = fb.membership_inference(session)
    assert amended.members.tolist() == before.members.tolist()
    assert amended.others.tolist() == before.others.tolist()
    session.step()
    session.wait(60)
    later = experiment.replace(**{"data.seen": 4}).federation()
    assert len(fb.membership_inference(session).members) == len(later.y)
    # rows that are forgotten since were trained on before
    session.amend(**{"data.seen": 5, "data.memory": 1})
    session.step()
    session.wait(60)
    whole = experiment.replace(**{"data.seen": 5}).federation()
    assert len(fb.membership_inference(session).members) == len(whole.y)


def test_regression_by_its_squared_errors() -> None:
    experiment = fb.Experiment(
        data=fb.DiabetesProgression(),
        partition=fb.IID(clients=5),
        model=fb.MLP(hidden=(200,)),
        training=fb.LocalTraining(lr=0.05, batch_size=10, epochs=20),
        rounds=20,
        engine=fb.StackedEngine(workers=0),
    )
    session = finished(experiment)
    result = fb.membership_inference(session)
    data = experiment.federation()
    with torch.no_grad():
        outputs = session.module().eval()(torch.from_numpy(data.x_test))[:, 0].numpy()
    assert result.others == pytest.approx((outputs - data.y_test) ** 2, rel=1e-4, abs=1e-6)
    assert result.low > 0.5


def test_members_are_the_rows_of_those_who_took_part() -> None:
    session = fb.Session(HEART.replace(sampling=fb.FixedCohort(size=1), rounds=1))
    with pytest.raises(SessionError, match="before the run has started"):
        fb.membership_inference(session)
    session.start()
    assert session.wait(60) == "done"
    (client,) = session.history.rows[0].cohort
    result = fb.membership_inference(session)
    data = HEART.federation()
    rows = slice(data.offsets[client], data.offsets[client + 1])
    with torch.no_grad():
        outputs = session.module().eval()(torch.from_numpy(data.x[rows]))
        expected = HEART.model.loss(outputs, torch.from_numpy(data.y[rows])).numpy()
    assert result.members == pytest.approx(expected, rel=1e-5)


def test_a_row_that_clients_share_counts_once_and_one_that_nobody_holds_never() -> None:
    experiment = HEART.replace(partition=fb.Population(clients=30, samples=5))
    rounds = Rounds(experiment)
    progress, _ = rounds.next(rounds.begin())
    module, data = rounds.module(progress.params), rounds.data
    assert data.choice is not None
    held = {row for client in range(30) for row in data.choice.rows(client).tolist()}
    result = loss_threshold(experiment.model, module, data)
    assert len(result.members) == len(held) < 150


class Dropping(Model):
    """A linear model that drops half of its inputs while it trains."""

    def build(self, card: Card) -> nn.Module:
        layers = nn.Flatten(), nn.Dropout(0.5), nn.Linear(card.inputs, card.outputs)
        return nn.Sequential(*layers)


def test_the_module_is_judged_as_it_is_used() -> None:
    model, data = Dropping(), HEART.federation()
    module = model.module(data.card, 0)
    result = loss_threshold(model, module, data)
    assert module.training
    with torch.no_grad():
        outputs = module.eval()(torch.from_numpy(data.x))
        expected = model.loss(outputs, torch.from_numpy(data.y))
    assert result.members == pytest.approx(expected.numpy(), rel=1e-5)
    loss_threshold(model, module, data)
    assert not module.training


def test_nobody_has_taken_part() -> None:
    module = HEART.model.module(HEART.federation().card, 0)
    with pytest.raises(ValueError, match="clients: no client has taken part"):
        loss_threshold(HEART.model, module, HEART.federation(), np.array([], dtype=np.int64))


EVIL = "<b>bold</b> & <a href='javascript:x'>$\\alpha$</a>"


def test_the_figure_draws_the_curve_and_both_kinds_of_losses() -> None:
    rng = np.random.default_rng(0)
    result = fb.MembershipInference(rng.exponential(1, 50), rng.exponential(2, 70), EVIL)
    figure = result.figure()
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines) == ["guessing", "loss threshold", "members", "held out"]
    assert list(lines["loss threshold"].y) == result.frame()["tpr"].tolist()
    for name in ("members", "held out"):
        assert sum(lines[name].y[:-1]) == pytest.approx(1)
    assert figure.layout.xaxis2.type == "log"
    assert f"AUC {result.auc:.3f}" in " ".join(n.text for n in figure.layout.annotations)
    text = figure.to_json()
    assert "<b>bold" not in text and "<a href" not in text and "$\\\\alpha" not in text


def test_losses_without_a_logarithm_are_drawn_on_a_plain_axis() -> None:
    for members, others in (([-1.0, 0.5], [0.2, 2.0]), ([0.0, 0.0], [0.0, 0.0])):
        figure = found(members, others).figure()
        assert figure.layout.xaxis2.type == "linear"
        assert sum(figure.data[2].y[:-1]) == pytest.approx(1)
