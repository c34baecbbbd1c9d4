"""What tells experiments apart, in the words of the form."""

from __future__ import annotations

import fedbench as fb
from fedbench.study.differences import cells, differences, names, titles

WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4))
PRIVATE = WINES.replace(
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.5),
    privacy=fb.ClientLevelDP(epsilon=4, delta=1e-2),
)


def test_nothing_differs_among_equals_and_among_none() -> None:
    assert differences([]) == differences([WINES]) == differences([WINES, WINES]) == []


def test_a_setting_is_named_by_its_path_and_a_part_by_its_group() -> None:
    other = WINES.replace(rounds=7, **{"training.lr": 0.5})
    assert differences([WINES, WINES, other]) == ["training.lr", "rounds"]
    assert differences([WINES, WINES.replace(strategy=fb.FedProx(mu=0.5))]) == ["strategy"]
    prox = [WINES.replace(strategy=fb.FedProx(mu=mu)) for mu in (0.1, 1)]
    assert differences(prox) == ["strategy.mu"]
    skewed = WINES.replace(skews=(fb.FeatureNoise(),))
    assert differences([WINES, skewed]) == ["skews"]


def test_titles_are_those_of_the_form_and_tell_groups_apart_where_they_must() -> None:
    assert titles(PRIVATE, ["strategy", "privacy.epsilon"]) == ["Strategy", "Budget ε"]
    rate = "sampling.rate"
    (bare,) = titles(PRIVATE, [rate])
    assert titles(PRIVATE, [rate, rate]) == [f"Sampling · {bare}"] * 2


def test_a_part_is_its_kind_and_what_is_its_own() -> None:
    uniform = fb.FedAvg(weighting="uniform"), fb.FedAdam(weighting="uniform")
    shared = [WINES.replace(strategy=each) for each in uniform]
    assert cells(shared, "strategy") == ["FedAvg", "FedAdam"]
    apart = [WINES, WINES.replace(strategy=fb.FedProx(mu=0.5))]
    assert cells(apart, "strategy") == ["FedAvg", "FedProx, μ 0.5"]
    assert cells([WINES, PRIVATE], "privacy") == ["none", "client-level ε ≤ 4"]
    assert cells([WINES], "target") == ["none"]


def test_names_say_what_is_promised_first() -> None:
    adam = PRIVATE.replace(strategy=fb.FedAdam(weighting="uniform"), **{"privacy.epsilon": 2})
    assert names([PRIVATE, adam], [1, 2]) == ["ε ≤ 4, FedAvg", "ε ≤ 2, FedAdam"]
    lr = WINES.replace(**{"training.lr": 0.5})
    assert names([WINES, lr], [1, 2]) == ["Learning rate 0.1", "Learning rate 0.5"]


def test_runs_that_nothing_tells_apart_go_by_their_numbers() -> None:
    assert names([WINES], [4]) == ["run 4"]
    assert names([WINES, WINES], [1, 3]) == ["run 1", "run 3"]
    half = PRIVATE.replace(**{"privacy.epsilon": 2})
    assert names([PRIVATE, half, half], [1, 2, 5]) == [
        "ε ≤ 4",
        "ε ≤ 2 · run 2",
        "ε ≤ 2 · run 5",
    ]
