"""Attacks by hand, who carries them out, and which aggregators they break."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from scipy import stats

import fedbench as fb
from fedbench import tree
from fedbench.attacks import Attack, attack as attack_module
from fedbench.engine import Broadcast, Engine, LoopEngine, StackedEngine, TrainingContext
from fedbench.strategies import RoundInfo, Strategy

torch.set_num_threads(1)  # as sessions do: two threads of a small product only wait

INFO = RoundInfo(1, 0.1, 10, 10.0)
TEN = fb.Experiment(data=fb.Digits(), partition=fb.IID(clients=10))
ENGINES = pytest.mark.parametrize(
    "engine", [LoopEngine(), StackedEngine(workers=0, chunk=4)], ids=["loop", "stacked"]
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sent(
    engine: Engine,
    attack: Attack,
    *,
    round: int = 1,
    strategy: Strategy | None = None,
    ids: Iterable[int] = range(10),
) -> dict[int, tree.Tree]:
    """Return what reaches the server from each client, payload by payload."""
    strategy = strategy or fb.FedAvg()
    context = TrainingContext(
        TEN.federation(),
        fb.Linear(),
        fb.LocalTraining(),
        strategy,
        seed=2,
        attack=attack,
        aggregator=fb.CoordinateMedian(),
    )
    params = context.model.initial(context.data.card, 2)
    info = dataclasses.replace(INFO, round=round)
    cohort = np.array(list(ids))
    found = {}
    broadcast = Broadcast(info, params, strategy.init(params))
    for arrival in engine.arrivals(context, broadcast, cohort, {}):
        for k, client in enumerate(arrival.message.ids.tolist()):
            found[client] = tree.row(arrival.message.payload, k)
    return found


def assert_equal(a: tree.Tree, b: tree.Tree) -> None:
    assert set(a) == set(b)
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("clients", "fraction", "count"),
    [
        (10, 0.0, 0),
        (10, 0.2, 2),
        (3, 0.2, 1),  # 0.6
        (4, 0.1, 0),  # 0.4
        (10, 0.25, 2),  # halves go to the even number
        (10, 0.35, 4),
        (100, 0.29, 29),  # 28.999999999999996 in binary
        (7, 1.0, 7),
    ],
)
def test_the_share_of_corrupt_clients_is_rounded(clients: int, fraction: float, count: int) -> None:
    for attack in (fb.SignFlip, fb.LabelFlip, fb.GaussianUpdate):
        assert attack(fraction=fraction).corrupt(clients, 0).sum() == count


def test_who_attacks_depends_on_clients_share_and_seed_alone() -> None:
    first = fb.SignFlip(fraction=0.3).corrupt(50, 1)
    assert first.shape == (50,) and first.dtype == bool
    for same in (fb.SignFlip(fraction=0.3, strength=9), fb.LabelFlip(fraction=0.3)):
        np.testing.assert_array_equal(same.corrupt(50, 1), first)
    attack_module._corrupt.cache_clear()  # drawn anew, as another process would
    np.testing.assert_array_equal(fb.SignFlip(fraction=0.3).corrupt(50, 1), first)
    assert not np.array_equal(fb.SignFlip(fraction=0.3).corrupt(50, 2), first)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = True  # the same array goes to everybody who asks


def test_every_client_is_corrupt_under_some_seed() -> None:
    chosen = np.stack([fb.LabelFlip(fraction=0.2).corrupt(10, seed) for seed in range(400)])
    counts = chosen.sum(0)
    assert (np.abs(counts - 80) < 5 * np.sqrt(400 * 0.2 * 0.8)).all()


def test_nobody_attacks_by_default() -> None:
    assert TEN.attack == fb.NoAttack()
    assert not fb.NoAttack().corrupt(10, 0).any()
    payload = {"w": torch.tensor([[1.0, 2.0]])}
    assert fb.NoAttack().forge(payload, rng()) is payload


@pytest.mark.parametrize(
    ("source", "targets", "flipped"),
    [
        (fb.BreastCancer(), [0, 1, 1, 0], [1, 0, 0, 1]),
        (fb.Digits(), [0, 1, 4, 5, 9], [9, 8, 5, 4, 0]),
        (fb.DiabetesProgression(), [0.0, 1.5, -2.0], [0.0, -1.5, 2.0]),
    ],
    ids=["binary", "ten classes", "regression"],
)
def test_labels_are_mirrored(source, targets: list, flipped: list) -> None:
    given = torch.tensor(targets)
    found = fb.LabelFlip().poison(given, source.load().card)
    assert found.tolist() == flipped and found.dtype == given.dtype
    assert given.tolist() == targets
    twice = fb.LabelFlip().poison(found, source.load().card)
    assert twice.tolist() == targets


@ENGINES
def test_a_client_with_flipped_labels_trains_on_them(engine: Engine) -> None:
    attack = fb.LabelFlip(fraction=0.3)
    data, corrupt = TEN.federation(), attack.corrupt(10, 2)
    wrong = np.where(np.repeat(corrupt, data.sizes), 9 - data.y, data.y)
    context = TrainingContext(
        data, fb.Linear(), fb.LocalTraining(), fb.FedAvg(), seed=2, attack=attack
    )
    params = context.model.initial(data.card, 2)
    found = engine.train(context, Broadcast(INFO, params), np.arange(10), {})
    by_hand = dataclasses.replace(
        context, data=dataclasses.replace(data, y=wrong), attack=fb.NoAttack()
    )
    assert_equal(
        found.payloads, engine.train(by_hand, Broadcast(INFO, params), np.arange(10), {}).payloads
    )
    honest = dataclasses.replace(context, attack=fb.NoAttack())
    plain = engine.train(honest, Broadcast(INFO, params), np.arange(10), {}).payloads
    other = (found.payloads["1.bias"] != plain["1.bias"]).any(1)
    assert other.tolist() == corrupt.tolist()


def test_a_flipped_sign_by_hand() -> None:
    payload = {"w": torch.tensor([[1.0, -2.0]]), "b": torch.tensor([[0.5]])}
    found = fb.SignFlip(strength=3.0).forge(payload, rng())
    assert found["w"].tolist() == [[-3.0, 6.0]] and found["b"].tolist() == [[-1.5]]
    assert payload["w"].tolist() == [[1.0, -2.0]]


@ENGINES
@pytest.mark.parametrize(
    "strategy",
    [fb.FedAvg(), fb.Scaffold(), fb.FedNova()],  # payloads of one part and of two
    ids=lambda strategy: type(strategy).__name__,
)
def test_all_parts_of_a_payload_are_turned_around(engine: Engine, strategy: Strategy) -> None:
    honest = sent(engine, fb.NoAttack(), strategy=strategy)
    attack = fb.SignFlip(fraction=0.3, strength=2.0)
    forged = sent(engine, attack, strategy=strategy)
    corrupt = attack.corrupt(10, 2)
    assert corrupt.sum() == 3
    for client, payload in honest.items():
        expected = tree.scale(payload, -2.0) if corrupt[client] else payload
        assert_equal(forged[client], expected)


@ENGINES
def test_the_same_clients_attack_in_every_round_whoever_takes_part(engine: Engine) -> None:
    attack = fb.SignFlip(fraction=0.4, strength=5.0)
    corrupt = set(np.flatnonzero(attack.corrupt(10, 2)).tolist())
    for number, ids in ((1, range(10)), (2, (0, 3, 4, 8)), (3, (1, 2, 9)), (4, range(10))):
        honest = sent(engine, fb.NoAttack(), round=number, ids=ids)
        forged = sent(engine, attack, round=number, ids=ids)
        turned = {k for k in ids if not torch.equal(honest[k]["1.bias"], forged[k]["1.bias"])}
        assert turned == corrupt & set(ids)


@pytest.mark.parametrize("std", [1.0, 0.03, 20.0])
def test_noise_has_the_deviation_that_is_asked_for(std: float) -> None:
    honest = {"w": torch.full((1, 200, 100), 7.0), "b": torch.full((1, 5), 7.0)}
    found = fb.GaussianUpdate(std=std).forge(honest, rng())
    assert {name: leaf.shape for name, leaf in found.items()} == {
        "w": (1, 200, 100),
        "b": (1, 5),
    }
    assert all(leaf.dtype == torch.float32 for leaf in found.values())
    drawn = found["w"].flatten().double().numpy() / std
    # the sample variance of n normal numbers: fails once in a million for a random seed
    low, high = stats.chi2.interval(1 - 1e-6, len(drawn))
    assert low <= drawn.dot(drawn) <= high
    assert stats.kstest(drawn, "norm").pvalue > 1e-6
    assert abs(drawn.mean()) < 5 / np.sqrt(len(drawn))


@ENGINES
def test_noise_of_its_own_for_each_client_and_round_and_again_by_the_same_seed(
    engine: Engine,
) -> None:
    attack = fb.GaussianUpdate(fraction=0.3, std=0.5)
    corrupt = np.flatnonzero(attack.corrupt(10, 2)).tolist()
    first, second = sent(engine, attack), sent(engine, attack, round=2)
    draws = [rows[k]["1.weight"].flatten().numpy() for rows in (first, second) for k in corrupt]
    apart = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(apart).max() < 5 / np.sqrt(len(draws[0]))
    for client, payload in sent(engine, attack).items():
        assert_equal(payload, first[client])
    honest = sent(engine, fb.NoAttack())
    for client in set(range(10)) - set(corrupt):
        assert_equal(first[client], honest[client])


ROUNDS = 40
LONG = TEN.replace(engine=StackedEngine(workers=0), attack=fb.SignFlip(fraction=0.2, strength=6))


def accuracy(train: Callable, experiment: fb.Experiment) -> float:
    _, rows = train(experiment, ROUNDS)
    return rows[-1].metrics["accuracy"]


def test_two_flipped_clients_of_ten_break_the_mean(train) -> None:
    assert accuracy(train, LONG.replace(attack=fb.NoAttack())) > 0.92
    assert accuracy(train, LONG) < 0.2  # a tenth by chance


@pytest.mark.parametrize(
    "rule",
    [
        fb.Krum(byzantine=2),
        fb.MultiKrum(byzantine=2),
        fb.CoordinateMedian(),
        fb.GeometricMedian(),
        fb.TrimmedMean(trim=0.2),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_robust_rules_hold_against_two_flipped_clients_of_ten(rule, train) -> None:
    quiet = accuracy(train, LONG.replace(attack=fb.NoAttack()))
    assert accuracy(train, LONG.replace(aggregator=rule)) > quiet - 0.04


def test_the_mean_is_blown_up_by_noise_and_the_median_is_not(train) -> None:
    noisy = LONG.replace(attack=fb.GaussianUpdate(fraction=0.2, std=10.0))
    assert accuracy(train, noisy) < 0.6
    assert accuracy(train, noisy.replace(aggregator=fb.CoordinateMedian())) > 0.9


def test_flipped_labels_teach_the_mirrored_classes_once_most_clients_flip(train) -> None:
    most = LONG.replace(attack=fb.LabelFlip(fraction=0.8))
    progress, rows = train(most, ROUNDS)
    assert rows[-1].metrics["accuracy"] < 0.1
    data = most.federation()
    weight, bias = progress.params["1.weight"].numpy(), progress.params["1.bias"].numpy()
    predicted = (data.x_test.reshape(len(data.x_test), -1) @ weight.T + bias).argmax(1)
    assert np.mean(predicted == 9 - data.y_test) > 0.85


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        (fb.Krum(byzantine=2), 2),
        (fb.MultiKrum(byzantine=1), 1),
        (fb.TrimmedMean(trim=0.1), 2),
        (fb.CoordinateMedian(), 9),
        (fb.GeometricMedian(), 9),
        (fb.Mean(), None),
    ],
    ids=lambda value: getattr(value, "kind", lambda: str(value))(),
)
def test_more_attackers_than_a_rule_withstands_are_warned_of(rule, most: int | None) -> None:
    for corrupt in range(20):
        said = " ".join(
            fb.Experiment(
                partition=fb.IID(clients=20),
                aggregator=rule,
                attack=fb.SignFlip(fraction=corrupt / 20),
            ).cautions()
        )
        warned = most is not None and corrupt > most
        assert (f"tolerates at most {most}" in said) is warned
        assert (f"about {corrupt} of 20 clients in a round attack" in said) is warned
