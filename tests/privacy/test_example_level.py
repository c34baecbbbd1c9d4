"""Privacy of single examples: where noise comes from, what a step does, and what it costs."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy import stats

import fedbench as fb
from fedbench.data import FederatedDataset, Plan
from fedbench.engine import Broadcast, Engine, TrainingContext
from fedbench.privacy import ExampleLevelDP, Ledger, Ledgers, accounting
from fedbench.privacy.accounting import epsilon, noise_multiplier
from fedbench.privacy.events import gaussian
from fedbench.privacy.noise import normal
from fedbench.runs.rounds import Rounds
from fedbench.strategies import RoundInfo

torch.set_num_threads(1)  # as sessions do: two threads of a small product only wait

DELTA = 1e-3
RAGGED = fb.Experiment(
    data=fb.Wine(),
    partition=fb.Dirichlet(clients=6, alpha=0.3),
    training=fb.LocalTraining(epochs=2, batch_size=8, lr=0.1),
    privacy=fb.ExampleLevelDP(noise_multiplier=1.5, delta=DELTA, noise_seed=3),
    sampling=fb.Poisson(rate=0.5),
)
ENGINES = pytest.mark.parametrize(
    "engine",
    [fb.LoopEngine(), fb.StackedEngine(workers=0, chunk=2)],
    ids=["loop", "stacked"],
)


def drawn(bits: np.random.BitGenerator, count: int, std: float = 1.0) -> NDArray[np.float32]:
    found = np.empty(count, dtype=np.float32)
    normal(bits, found, std)
    return found


def draws(privacy: ExampleLevelDP, keys: list[tuple[int, int]]) -> list[NDArray[np.float64]]:
    return [drawn(privacy.perturbation(*key), 20_000).astype(np.float64) for key in keys]


def assert_strangers(rows: list[NDArray[np.float64]]) -> None:
    apart = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(apart).max() < 5.5 / np.sqrt(len(rows[0]))


KEYS = [(1, 0), (1, 1), (2, 0), (2, 1), (0, 1), (1, 2**31)]


def test_every_client_and_round_has_noise_of_its_own_and_the_same_again() -> None:
    fixed = fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=4)
    first = draws(fixed, KEYS)
    assert_strangers(first)
    assert all(np.array_equal(a, b) for a, b in zip(draws(fixed, KEYS), first, strict=True))
    # all bits of the seed count, beyond the 32 that torch would take of it
    others = [fixed.replace(noise_seed=seed) for seed in (5, 4 + 2**32, 4 + 2**64)]
    assert_strangers([first[0], *(draws(other, KEYS[:1])[0] for other in others)])
    for row in first:
        assert stats.kstest(row, "norm").pvalue > 1e-6


def test_without_a_seed_noise_and_batches_are_new_each_time() -> None:
    hidden = fb.ExampleLevelDP(noise_multiplier=1.0)
    assert_strangers([row for _ in range(4) for row in draws(hidden, KEYS[:1])])
    assert_strangers([hidden.batches(1, 0).random(20_000) for _ in range(4)])


def test_batches_and_noise_have_sources_of_their_own() -> None:
    fixed = fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=4)
    who = fixed.batches(1, 0).integers(2**32, size=624, dtype=np.uint64)
    noise = fixed.perturbation(1, 0).random_raw(624) >> np.uint64(32)
    assert len({*who.tolist(), *noise.tolist()}) > 1240
    again = fixed.batches(1, 0).integers(2**32, size=624, dtype=np.uint64)
    assert np.array_equal(who, again)


def payload(
    engine: Engine, training: fb.LocalTraining, privacy: ExampleLevelDP, model: fb.MLP | fb.Linear
) -> tuple[TrainingContext, dict[str, torch.Tensor]]:
    context = TrainingContext(
        RAGGED.federation(), model, training, fb.FedAvg(), seed=0, privacy=privacy
    )
    params = model.initial(context.data.card, 0)
    info = RoundInfo(2, training.lr, 6, 6.0)
    return context, dict(engine.train(context, Broadcast(info, params), np.arange(6), {}).payloads)


@ENGINES
def test_a_step_is_the_sum_of_clipped_gradients_and_noise_over_the_expected_batch(
    engine: Engine,
) -> None:
    training = fb.LocalTraining(steps=1, batch_size=5, lr=0.5)
    privacy = fb.ExampleLevelDP(noise_multiplier=0.7, clip=0.6, noise_seed=8)
    model = fb.MLP(hidden=(4,))
    context, found = payload(engine, training, privacy, model)
    params, data = model.initial(context.data.card, 0), context.data
    for client in range(6):
        size = int(data.sizes[client])
        width = min(5, size)
        coins = privacy.batches(2, client).random((1, size))[0] < width / size
        size = sum(leaf.numel() for leaf in params.values())
        noise = torch.from_numpy(drawn(privacy.perturbation(2, client), size, 0.7 * 0.6))
        total = {name: torch.zeros_like(leaf) for name, leaf in params.items()}
        for row in np.flatnonzero(coins) + data.offsets[client]:
            module = model.build(data.card)
            module.load_state_dict(params)
            x, y = torch.from_numpy(data.x[row : row + 1]), torch.from_numpy(data.y[row : row + 1])
            torch.nn.functional.cross_entropy(module(x), y).backward()
            grads = {name: leaf.grad for name, leaf in module.named_parameters()}
            norm = math.sqrt(sum(float(grad.double().square().sum()) for grad in grads.values()))
            for name, grad in grads.items():
                total[name] += grad * min(1.0, 0.6 / norm)
        parts = noise.split([leaf.numel() for leaf in total.values()])
        for (name, leaf), part in zip(total.items(), parts, strict=True):
            noisy = leaf + part.view(leaf.shape)
            expected = -0.5 * noisy / width
            torch.testing.assert_close(found[name][client], expected, rtol=1e-5, atol=1e-6)


@ENGINES
def test_each_step_adds_noise_of_deviation_zc_even_to_an_empty_batch(engine: Engine) -> None:
    # gradients clipped to next to nothing: what is left is three steps of noise
    training = fb.LocalTraining(steps=3, batch_size=2, lr=0.25)
    privacy = fb.ExampleLevelDP(noise_multiplier=1e4, clip=1e-4, noise_seed=8)
    context, found = payload(engine, training, privacy, fb.MLP(hidden=(300,)))
    plan = context.plan(np.arange(6), RoundInfo(2, 0.25, 6, 6.0))
    assert ((plan.rows >= 0).sum(2) == 0).any()
    drawn = []
    for client, width in enumerate(plan.expected.tolist()):
        flat = torch.cat([leaf[client].flatten() for leaf in found.values()]).double().numpy()
        drawn.append(flat * width / (0.25 * 1.0 * math.sqrt(3)))
        low, high = stats.chi2.interval(1 - 1e-6, len(flat))
        assert low <= drawn[-1].dot(drawn[-1]) <= high
    assert_strangers(drawn)


WINES = FederatedDataset.build(fb.Wine(), fb.Dirichlet(clients=6, alpha=0.3), 0)


def by_chance(ids: list[int], batch: int | None, steps: int, seed: int = 0) -> Plan:
    return WINES.plan(
        np.array(ids),
        batch_size=batch,
        epochs=None,
        steps=steps,
        seed=0,
        round=1,
        poisson=lambda client: np.random.default_rng([seed, client]),
    )


def chosen(plan: Plan, k: int, client: int) -> NDArray[np.bool_]:
    """Return who is in which batch of the k-th client, [steps, samples]."""
    first, last = WINES.offsets[client], WINES.offsets[client + 1]
    found = np.zeros((plan.rows.shape[1], last - first), dtype=bool)
    for step, rows in enumerate(plan.rows[k]):
        taken = rows[rows >= 0]
        assert (taken >= first).all() and (taken < last).all()
        assert len(set(taken.tolist())) == len(taken)
        assert (rows[: len(taken)] >= 0).all()  # samples stand first
        found[step, taken - first] = True
    return found


@pytest.mark.parametrize("batch", [1, 5, 12])
def test_every_example_is_in_a_batch_by_its_own_coin(batch: int) -> None:
    steps, client = 20_000, int(WINES.sizes.argmax())
    size = int(WINES.sizes[client])
    rate = batch / size
    plan = by_chance([client], batch, steps)
    assert plan.expected.tolist() == [batch] and plan.steps.tolist() == [steps]
    coins = chosen(plan, 0, client).astype(np.float64)
    sigma = math.sqrt(rate * (1 - rate) / steps)
    assert np.abs(coins.mean(0) - rate).max() < 5 * sigma
    centred = (coins - rate) / math.sqrt(rate * (1 - rate))
    together = centred.T @ centred / steps - np.eye(size)
    np.fill_diagonal(together, 0)
    assert np.abs(together).max() < 6 / math.sqrt(steps)  # one example tells nothing of another
    following = (centred[1:] * centred[:-1]).mean(0)
    assert np.abs(following).max() < 6 / math.sqrt(steps)  # nor one batch of the next
    counts = np.bincount(coins.sum(1).astype(int), minlength=size + 1)
    expected = steps * stats.binom.pmf(np.arange(size + 1), size, rate)
    common = expected > 10
    distance = ((counts - expected)[common] ** 2 / expected[common]).sum()
    assert distance < stats.chi2.ppf(1 - 1e-6, common.sum())


def test_batches_by_chance_do_not_depend_on_who_else_takes_part() -> None:
    alone, together = by_chance([3], 4, 50), by_chance([0, 3, 5], 4, 50)
    assert np.array_equal(chosen(alone, 0, 3), chosen(together, 1, 3))
    assert not np.array_equal(chosen(alone, 0, 3), chosen(by_chance([3], 4, 50, seed=1), 0, 3))


@pytest.mark.parametrize("batch", [None, 10_000])
def test_batches_larger_than_a_client_take_everything(batch: int | None) -> None:
    plan = by_chance([0, 1, 2, 3, 4, 5], batch, 3)
    assert plan.expected.tolist() == WINES.sizes.tolist()
    for client in range(6):
        assert chosen(plan, client, client).all()


def test_private_batches_hold_what_the_accounting_says() -> None:
    rounds = Rounds(RAGGED)
    data = rounds.data
    rates, steps = RAGGED.own_releases(data, np.arange(6))
    assert rates.tolist() == [min(8, size) / size for size in data.sizes.tolist()]
    assert steps.tolist() == [2 * math.ceil(size / 8) for size in data.sizes.tolist()]
    seen = np.zeros(6)
    for number in range(1, 301):
        plan = rounds.context.plan(np.arange(6), rounds._info(number))
        assert plan.steps.tolist() == steps.tolist()
        seen += (plan.rows >= 0).sum((1, 2))
    mean = 300 * steps * data.sizes * rates
    assert (np.abs(seen - mean) <= 5 * np.sqrt(mean * (1 - rates))).all()


def brute(pairs: list[tuple[float, int]], noise: float, delta: float) -> float:
    return max((epsilon(rate, noise, steps, delta) for rate, steps in pairs), default=0.0)


@st.composite
def federations(draw: st.DrawFn) -> list[tuple[float, int]]:
    """Give rate and steps of the examples of some ragged clients, each there a number of times."""
    batch, epochs = draw(st.sampled_from([1, 5, 10, 32])), draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(1, 300), min_size=1, max_size=5))
    return [
        (min(batch, n) / n, epochs * math.ceil(n / batch) * draw(st.integers(1, 30))) for n in sizes
    ]


@settings(max_examples=25)
@given(
    pairs=federations(),
    noise=st.sampled_from([1.0, 1.7, 4.0]),
    delta=st.sampled_from([1e-2, 1e-3, 1e-5]),
)
def test_the_leading_clients_have_the_largest_epsilon(
    pairs: list[tuple[float, int]], noise: float, delta: float
) -> None:
    assert accounting.shared_epsilon(pairs, noise, delta) == brute(pairs, noise, delta)


SMALL_NOISE = [
    ([(1.0, 1), (0.2, 6)], 0.8, 1e-5),
    ([(1.0, 1), (0.2, 6)], 1.0, 1e-9),
    ([(1.0, 1), (0.2, 5)], 0.5, 1e-9),  # one epoch of a client with one batch, and with five
    ([(1.0, 3), (0.1, 72)], 0.5, 1e-3),
]


@pytest.mark.parametrize(("pairs", "noise", "delta"), SMALL_NOISE)
def test_the_leading_clients_have_the_largest_epsilon_under_little_noise(
    pairs: list[tuple[float, int]], noise: float, delta: float
) -> None:
    assert accounting.shared_epsilon(pairs, noise, delta) == brute(pairs, noise, delta)


def test_nobody_and_nothing_costs_nothing() -> None:
    assert accounting.shared_epsilon([], 1.0, DELTA) == 0.0
    assert accounting.shared_epsilon([(0.5, 0), (0.0, 9)], 1.0, DELTA) == 0.0
    assert accounting.shared_noise_multiplier([], 1.0, DELTA) == 0.0


@pytest.mark.parametrize(
    ("pairs", "target"),
    [
        ([(1.0, 3), (0.25, 12), (0.1, 30)], 2.0),
        ([(0.5, 4), (0.05, 900), (0.05, 100)], 4.0),  # the low rate asks for more
        ([(0.2, 40)], 0.5),
    ],
)
def test_shared_noise_keeps_everybody_within_the_budget_and_no_more(
    pairs: list[tuple[float, int]], target: float
) -> None:
    found = accounting.shared_noise_multiplier(pairs, target, DELTA)
    assert brute(pairs, found, DELTA) <= target
    assert brute(pairs, found * (1 - 2e-4), DELTA) > target
    assert found == max(noise_multiplier(*pair, target, DELTA) for pair in pairs)


def test_shared_noise_keeps_everybody_within_a_large_budget() -> None:
    pairs = [(1.0, 1), (0.2, 6)]
    found = accounting.shared_noise_multiplier(pairs, 6.0, 1e-9)
    assert brute(pairs, found, 1e-9) <= 6.0


Z = gaussian(0.25, 1.5)


def test_ledgers_keep_clients_apart() -> None:
    first = Ledgers().spend({3: (Z, 4), 5: (gaussian(1.0, 1.5), 1)})
    second = first.spend({3: (Z, 4)})
    assert first.own[3].steps == 4 and second.own[3].steps == 8
    assert second.own[5] == first.own[5] == Ledger().spend(gaussian(1.0, 1.5))
    assert second.steps == 8 and Ledgers().steps == 0
    assert second.spend({}) == second and second.spend({5: (Z, 0)}) == second
    assert Ledgers().epsilon(DELTA) == 0.0


@settings(max_examples=15)
@given(
    spent=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from([0.05, 0.2, 0.5, 1.0]),
            st.sampled_from([1.0, 2.0]),
            st.integers(1, 20),
        ),
        max_size=8,
    )
)
def test_epsilon_is_the_largest_over_the_clients(
    spent: list[tuple[int, float, float, int]],
) -> None:
    ledgers, own = Ledgers(), {}
    for client, rate, noise, count in spent:
        ledgers = ledgers.spend({client: (gaussian(rate, noise), count)})
        own[client] = own.get(client, Ledger()).spend(gaussian(rate, noise), count)
    each = [ledger.epsilon(DELTA) for ledger in own.values()]
    assert ledgers.epsilon(DELTA) == max(each, default=0.0)


def test_sixty_and_forty_rounds_are_a_hundred() -> None:
    def after(ledgers: Ledgers, rounds: int) -> Ledgers:
        for _ in range(rounds):
            ledgers = ledgers.spend({0: (Z, 4), 7: (gaussian(0.1, 1.5), 10)})
        return ledgers

    saved = json.loads(json.dumps(after(Ledgers(), 60).to_dict()))
    resumed = after(Ledgers.from_dict(saved), 40)
    assert resumed == after(Ledgers(), 100)
    assert resumed.epsilon(DELTA) == brute([(0.25, 400), (0.1, 1000)], 1.5, DELTA)


def test_ledgers_survive_json() -> None:
    ledgers = (
        Ledgers().spend({0: (Z, 4), 12: (gaussian(1.0, 3.0), 2)}).spend({0: (gaussian(1, 2), 1)})
    )
    data = json.loads(json.dumps(ledgers.to_dict()))
    assert data["clients"]["12"] == {
        "entries": [{"mechanism": "gaussian", "rate": 1.0, "noise_multipliers": [3.0], "steps": 2}]
    }
    assert Ledgers.from_dict(data) == ledgers
    assert Ledgers.from_dict(Ledgers().to_dict()) == Ledgers()


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        {"entries": []},
        {"clients": []},
        {"clients": {}, "more": 1},
        {"clients": {"-1": {"entries": []}}},
        {"clients": {"one": {"entries": []}}},
        {"clients": {"1": {}}},
        {"clients": {"1": {"entries": [{"rate": 0.1}]}}},
        {"clients": {"1": {"entries": [{"rate": 2.0, "noise_multiplier": 1.0, "steps": 1}]}}},
    ],
)
def test_damaged_ledgers_are_refused(data) -> None:
    with pytest.raises(ValueError, match=r"ledger|rate"):
        Ledgers.from_dict(data)


def pairs_by_hand(experiment: fb.Experiment) -> list[tuple[float, int]]:
    """Return rate and steps of a round for each client, from its size alone."""
    training = experiment.training
    found = []
    for size in experiment.federation().sizes.tolist():
        width = min(training.batch_size or size, size)
        steps = training.steps or (training.epochs or 1) * math.ceil(size / width)
        found.append((width / size, steps))
    return found


@pytest.mark.parametrize(
    "training",
    [
        fb.LocalTraining(epochs=2, batch_size=8),
        fb.LocalTraining(steps=5, batch_size=20),
        fb.LocalTraining(epochs=3, batch_size=None),
    ],
    ids=["epochs", "steps", "full batches"],
)
def test_the_noise_is_solved_for_every_client_over_all_rounds(training: fb.LocalTraining) -> None:
    experiment = RAGGED.replace(
        training=training, rounds=7, privacy=fb.ExampleLevelDP(epsilon=3.0, delta=DELTA)
    )
    pairs = pairs_by_hand(experiment)
    assert len(set(experiment.federation().sizes.tolist())) > 3
    assert experiment.releases(1) == [sorted(set(pairs))]
    noise = experiment.bound_privacy().solved()
    whole = [(rate, 7 * steps) for rate, steps in pairs]
    assert noise == max(noise_multiplier(*pair, 3.0, DELTA) for pair in set(whole))
    assert brute(whole, noise, DELTA) <= 3.0 < brute(whole, 0.999 * noise, DELTA)


def test_given_noise_is_left_alone_and_unsolved_noise_is_refused() -> None:
    given_noise = fb.ExampleLevelDP(noise_multiplier=1.25, epsilon=3.0)
    assert given_noise.bind([(0.5, 10)]) == given_noise
    assert fb.ExampleLevelDP().epsilon == 4.0
    with pytest.raises(ValueError, match="not solved yet"):
        fb.ExampleLevelDP(epsilon=3.0).solved()


def spent_by_hand(experiment: fb.Experiment, cohorts: list[NDArray[np.int64]]) -> float:
    """Return the largest ε over the clients, each by how often it took part."""
    pairs, present = pairs_by_hand(experiment), np.zeros(experiment.clients, dtype=int)
    for ids in cohorts:
        present[ids] += 1
    noise = experiment.privacy.noise_multiplier
    ran = zip(pairs, present.tolist(), strict=True)
    return brute([(rate, steps * times) for (rate, steps), times in ran if times], noise, DELTA)


def test_a_row_tells_what_the_client_that_released_most_has_spent(train: Callable) -> None:
    progress, rows = train(RAGGED, 6)
    cohorts = [row.cohort for row in rows]
    assert len({len(ids) for ids in cohorts}) > 1
    for number, row in enumerate(rows, start=1):
        assert row.epsilon == spent_by_hand(RAGGED, cohorts[:number])
    steps = {client: ledger.steps for client, ledger in progress.ledger.own.items()}
    pairs = pairs_by_hand(RAGGED)
    for client in range(6):
        times = sum(client in ids for ids in cohorts)
        assert steps.get(client, 0) == times * pairs[client][1]


def test_an_empty_round_spends_nothing(train: Callable) -> None:
    _, rows = train(RAGGED.replace(sampling=fb.Poisson(rate=1e-9)), 2)
    assert [len(row.cohort) for row in rows] == [0, 0]
    assert [row.epsilon for row in rows] == [0.0, 0.0]


def test_a_run_stops_before_its_budget() -> None:
    experiment = RAGGED.replace(
        privacy=fb.ExampleLevelDP(noise_multiplier=1.5, epsilon=5.0, delta=DELTA, noise_seed=3),
        rounds=100,
    )
    rounds = Rounds(experiment)
    progress, rows = rounds.begin(), []
    while (reason := rounds.ended(progress, None)) is None:
        progress, row = rounds.next(progress)
        rows.append(row)
    words = "would bring example-level ε to"
    assert reason.startswith(f"privacy budget: round {len(rows) + 1} {words}")
    cohorts = [row.cohort for row in rows]
    assert 0 < rows[-1].epsilon == spent_by_hand(experiment, cohorts) <= 5.0
    _, late = rounds.next(progress)  # the round that was refused
    assert late.epsilon == spent_by_hand(experiment, [*cohorts, late.cohort]) > 5.0
    assert all(a.epsilon <= b.epsilon for a, b in itertools.pairwise(rows))


def test_a_budget_over_planned_rounds_is_not_passed_when_everybody_takes_part() -> None:
    experiment = RAGGED.replace(
        sampling=fb.Everyone(),
        rounds=5,
        privacy=fb.ExampleLevelDP(epsilon=3.0, delta=DELTA, noise_seed=3),
    )
    rounds = Rounds(experiment)
    progress, row = rounds.begin(), None
    while (reason := rounds.ended(progress, row)) is None:
        progress, row = rounds.next(progress)
    assert reason == "all 5 rounds done"
    assert row is not None and 3.0 * 0.999 < row.epsilon <= 3.0


def test_a_seed_replays_a_private_run_and_none_does_not(train: Callable) -> None:
    (first, _), (second, _) = train(RAGGED, 2), train(RAGGED, 2)
    hidden = RAGGED.replace(privacy=fb.ExampleLevelDP(noise_multiplier=1.5, delta=DELTA))
    (third, _), (fourth, _) = train(hidden, 2), train(hidden, 2)
    assert RAGGED.replays and not hidden.replays
    for name, leaf in first.params.items():
        assert torch.equal(leaf, second.params[name])
        assert not torch.equal(third.params[name], fourth.params[name])


def test_delta_is_held_against_the_examples_of_all_clients() -> None:
    sizes = (400, 320, 320)
    experiment = RAGGED.replace(
        data=fb.Digits(),
        partition=fb.GivenSizes(sizes=sizes),
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, delta=2e-3),
    )
    sizes = experiment.federation().sizes
    assert 1 / sizes.max() > experiment.privacy.delta > 1 / sizes.sum()
    assert any("1/samples of all clients" in text for text in experiment.cautions())
    fine = experiment.replace(**{"privacy.delta": 0.5 / sizes.sum()})
    assert not any("1/samples" in text for text in fine.cautions())
