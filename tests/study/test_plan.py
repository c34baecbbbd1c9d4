"""Planning a budget: each number from the others, and always on the safe side."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fedbench as fb
from fedbench.privacy import accounting
from fedbench.study.plan import MOST_ROUNDS

# a tenth of the clients, noise 1, 100 rounds: a published value
KNOWN: dict[str, Any] = {"rate": 0.1, "noise_multiplier": 1.0, "rounds": 100, "delta": 1e-5}
EPSILON = 7.0466


def test_epsilon_is_that_of_the_accountant() -> None:
    found = fb.plan(**KNOWN)
    assert found.epsilon == pytest.approx(EPSILON, rel=1e-3)
    assert found.found == "epsilon"
    assert str(found).startswith("ε = 7.047; with noise z = 1, 100 rounds, rate 0.1, δ = 1e-05")


def test_the_noise_for_a_target_is_the_published_one() -> None:
    found = fb.plan(rate=256 / 60000, rounds=14063, delta=1e-5, epsilon=3)
    assert found.noise_multiplier == pytest.approx(0.9684, rel=1e-3)
    assert found.epsilon <= 3


@pytest.mark.parametrize("name", ["noise_multiplier", "rounds", "rate", "delta"])
def test_each_number_is_found_again_from_the_others(name: str) -> None:
    whole = KNOWN | {"epsilon": fb.plan(**KNOWN).epsilon * (1 + 1e-9)}
    asked = {key: value for key, value in whole.items() if key != name}
    found = fb.plan(**asked)
    assert found.found == name
    assert getattr(found, name) == pytest.approx(KNOWN[name], rel=2e-3)
    assert found.epsilon <= whole["epsilon"]


@settings(max_examples=25, deadline=None)
@given(
    rate=st.floats(0.001, 1),
    noise=st.floats(0.5, 5),
    epsilon=st.floats(0.2, 10),
    delta=st.sampled_from([1e-7, 1e-5, 1e-3]),
)
def test_the_rounds_are_the_most_that_fit(
    rate: float, noise: float, epsilon: float, delta: float
) -> None:
    try:
        found = fb.plan(rate=rate, noise_multiplier=noise, epsilon=epsilon, delta=delta)
    except ValueError as error:
        assert "the first round would already exceed it" in str(error)
        assert accounting.epsilon(rate, noise, 1, delta) > epsilon
        return
    assert found.epsilon == accounting.epsilon(rate, noise, found.rounds, delta) <= epsilon
    if found.rounds < MOST_ROUNDS:  # a plan goes no further
        assert accounting.epsilon(rate, noise, found.rounds + 1, delta) > epsilon


def test_a_cohort_of_so_many_clients_is_a_rate() -> None:
    found = fb.plan(cohort=10, clients=100, noise_multiplier=1.0, rounds=100, delta=1e-5)
    assert found.rate == 0.1
    assert found.epsilon == fb.plan(**KNOWN).epsilon


def test_a_cohort_alone_tells_how_many_clients_hide_it() -> None:
    found = fb.plan(cohort=100, noise_multiplier=1.0, rounds=200, epsilon=4, delta=1e-6)
    assert found.found == "clients"
    assert found.clients is not None
    assert found.rate == 100 / found.clients
    assert found.epsilon <= 4
    fewer = accounting.epsilon(100 / (found.clients * 0.99), 1.0, 200, 1e-6)
    assert fewer > 4
    assert f"{found.clients:,} clients" in str(found)


def test_the_signal_beside_the_noise() -> None:
    found = fb.plan(**KNOWN, clients=1000)
    # a hundred clients, all in one direction, against √10,000 coordinates of noise 1
    assert found.signal_to_noise(10_000) == pytest.approx(1.0)
    assert fb.plan(**KNOWN | {"noise_multiplier": 0.0}, clients=10).signal_to_noise(5) == math.inf
    with pytest.raises(ValueError, match="give their number"):
        fb.plan(**KNOWN).signal_to_noise(10)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (KNOWN | {"epsilon": 3}, "left out here: none"),
        ({"epsilon": 3, "delta": 1e-5}, "left out here: noise_multiplier, rounds, rate"),
        (KNOWN | {"cohort": 5}, "give rate or cohort, not both"),
        (KNOWN | {"rounds": 2.5}, "rounds = 2.5 must be a whole number, at most 10,000,000"),
        (
            {**KNOWN, "rate": None, "cohort": 20, "clients": 10},
            "more than the 10 clients there are",
        ),
        ({**KNOWN, "rate": None, "cohort": 0, "clients": 10}, "is not a number of clients"),
        ({**KNOWN, "rounds": None, "epsilon": 0.001}, "the first round would already exceed it"),
        ({**KNOWN, "noise_multiplier": None, "epsilon": -1}, "epsilon = -1 is not a positive"),
        ({**KNOWN, "delta": 2.0}, "delta = 2.0 is not strictly between 0 and 1"),
        ({**KNOWN, "rate": 1.5}, "rate = 1.5 is not a probability"),
    ],
)
def test_what_cannot_be_planned_says_why(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fb.plan(**given)


def test_a_delta_that_promises_nothing_is_said() -> None:
    assert "caution: δ is not below 1/clients" in str(
        fb.plan(**KNOWN | {"delta": 0.01}, clients=100)
    )
    assert "caution" not in str(fb.plan(**KNOWN, clients=100))


def _printed(text: str) -> dict[str, float]:
    """The numbers of a plan as a person would copy them from its sentence."""
    patterns = {
        "epsilon": r"ε = ([^;, ]+)",
        "noise_multiplier": r"noise z = ([^;, ]+)",
        "rounds": r"([\d,]+) rounds",
        "rate": r"rate ([^;, ]+)",
        "delta": r"δ = ([^;, ]+)",
    }
    found = {}
    for name, pattern in patterns.items():
        match = re.search(pattern, text)
        assert match is not None, text
        found[name] = float(match[1].replace(",", ""))
    return found


def test_printed_noise_lasts_all_rounds() -> None:
    printed = _printed(str(fb.plan(rate=0.05, rounds=300, epsilon=4, delta=1e-3)))
    assert printed["noise_multiplier"] == 0.9949  # 0.99482…
    assert accounting.epsilon(0.05, printed["noise_multiplier"], 300, 1e-3) <= 4


def test_printed_numbers_hold_together_whatever_was_solved() -> None:
    rng = np.random.default_rng(40)
    names = ("noise_multiplier", "rounds", "rate", "delta", "epsilon")
    for number in range(40):
        known: dict[str, Any] = {
            "rate": float(rng.uniform(0.01, 0.3)),
            "noise_multiplier": float(rng.uniform(0.8, 3)),
            "rounds": int(rng.integers(10, 500)),
            "delta": float(10 ** rng.uniform(-8, -3)),
        }
        known["epsilon"] = accounting.epsilon(*known.values()) * 1.01
        del known[names[number % 5]]
        printed = _printed(str(fb.plan(**known)))
        spent = accounting.epsilon(
            printed["rate"], printed["noise_multiplier"], int(printed["rounds"]), printed["delta"]
        )
        assert spent <= printed["epsilon"], (known, printed)


@pytest.mark.parametrize(("delta", "epsilon"), [(1.5e-14, 5.0)])
def test_a_tiny_delta_is_found(delta: float, epsilon: float) -> None:
    found = fb.plan(rate=0.01, noise_multiplier=1.0, rounds=1000, epsilon=epsilon)
    assert found.delta == pytest.approx(delta, rel=0.05)
    assert accounting.epsilon(0.01, 1.0, 1000, found.delta) <= epsilon
