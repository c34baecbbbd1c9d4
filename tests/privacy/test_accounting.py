"""Accounting against published numbers, two independent accountants, and its own laws."""

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from dp_accounting import (
    ComposedDpEvent,
    GaussianDpEvent,
    LaplaceDpEvent,
    NonPrivateDpEvent,
    PoissonSampledDpEvent,
    SampledWithoutReplacementDpEvent,
)
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings, strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from fedbench.privacy import Ledger, accounting, loss_nodes
from fedbench.privacy.accounting import composed, epsilon, noise_multiplier
from fedbench.privacy.events import Mechanism, gaussian, laplace

DELTA = 1e-5
SAVED = {"mechanism": "gaussian", "rate": 0.1, "noise_multipliers": [1.0], "steps": 1}
MNIST_RATE = 256 / 60000


@pytest.mark.parametrize(
    ("rate", "noise", "steps", "expected"),
    [
        (0.01, 4.0, 10_000, 0.9469),  # Abadi et al. 2016, arXiv:1607.00133
        (MNIST_RATE, 1.12, 14_063, 2.3102),  # TensorFlow Privacy's MNIST tutorial
        (0.1, 1.0, 100, 7.0466),
        (1.0, 1.0, 1, 4.3772),
    ],
)
def test_reference_rows(rate: float, noise: float, steps: int, expected: float) -> None:
    assert epsilon(rate, noise, steps, DELTA) == pytest.approx(expected, rel=1e-3)


def test_noise_for_a_target() -> None:
    assert noise_multiplier(MNIST_RATE, 14_063, 3.0, DELTA) == pytest.approx(0.9684, rel=1e-3)


def test_resumed_run_equals_uninterrupted_run_and_not_the_sum() -> None:
    saved = json.loads(json.dumps(Ledger().spend(gaussian(0.1, 1.0), 60).to_dict()))
    resumed = Ledger.from_dict(saved).spend(gaussian(0.1, 1.0), 40)
    assert resumed == Ledger().spend(gaussian(0.1, 1.0), 100)
    assert resumed.epsilon(DELTA) == epsilon(0.1, 1.0, 100, DELTA)
    naive = epsilon(0.1, 1.0, 60, DELTA) + epsilon(0.1, 1.0, 40, DELTA)
    assert naive > 1.4 * resumed.epsilon(DELTA)


GRID = [
    (0.1, 1.0, 1, 1e-5),
    (0.1, 1.0, 5, 1e-5),
    (0.5, 2.0, 30, 1e-5),
    (0.01, 0.5, 200, 1e-5),
    (0.9, 5.0, 100, 1e-6),
    (0.1, 1.0, 100, 1e-9),
    (0.1, 1.0, 100, 0.1),
    (0.999, 1.0, 10, 1e-5),
    (0.2, 3.0, 40, 1e-3),
    (0.3, 0.3, 10, 1e-5),
    (0.1, 0.1, 10, 1e-5),
    (0.02, 30.0, 1000, 1e-5),
    (1e-3, 0.6, 5000, 1e-6),
]


@pytest.mark.parametrize(("rate", "noise", "steps", "delta"), GRID)
def test_upper_bound_close_to_a_finer_grid(
    rate: float, noise: float, steps: int, delta: float
) -> None:
    ours = epsilon(rate, noise, steps, delta)
    finer = accounting._epsilon(
        ((Mechanism(rate, noise), steps),), delta, cells=4 * accounting.FINE
    )
    assert finer * (1 - 1e-9) <= ours <= finer * (1 + 1e-4)


@pytest.mark.parametrize(("rate", "noise", "steps", "delta"), GRID[:9])
def test_agrees_with_dp_accounting(rate: float, noise: float, steps: int, delta: float) -> None:
    theirs = PLDAccountant(value_discretization_interval=1e-3)
    theirs.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
    assert epsilon(rate, noise, steps, delta) == pytest.approx(theirs.get_epsilon(delta), rel=3e-4)


@pytest.mark.parametrize(
    "entries",
    [
        [(0.1, 1.0, 100)],
        [(0.5, 2.0, 30)],
        [(0.01, 0.7, 500)],
        [(0.1, 1.0, 50), (0.02, 0.8, 200)],
    ],
)
def test_lies_in_the_interval_of_the_prv_accountant(entries: list[tuple]) -> None:
    prv = pytest.importorskip("prv_accountant")
    mechanisms = [
        prv.PoissonSubsampledGaussianMechanism(sampling_probability=q, noise_multiplier=z)
        for q, z, _ in entries
    ]
    counts = [steps for *_, steps in entries]
    accountant = prv.PRVAccountant(
        prvs=mechanisms, max_self_compositions=counts, eps_error=0.01, delta_error=1e-10
    )
    low, estimate, high = accountant.compute_epsilon(DELTA, counts)
    ours = Ledger(tuple((gaussian(q, z), n) for q, z, n in entries)).epsilon(DELTA)
    assert low <= ours <= high
    assert ours == pytest.approx(estimate, rel=2e-4)


def log_delta(epsilon: float, rate: float, noise: float) -> float:
    """log δ(ε) of one sampled Gaussian release, in closed form."""
    loss = epsilon + math.log1p(-(1 - rate) * math.exp(-epsilon)) - math.log(rate)
    place = noise * loss + 0.5 / noise
    with_unit = np.logaddexp(
        math.log(rate) + norm.logsf(place - 1 / noise), math.log1p(-rate) + norm.logsf(place)
    )
    return float(with_unit + math.log1p(-math.exp(epsilon + norm.logsf(place) - with_unit)))


LITTLE_NOISE = [0.01, 0.013, 0.03, 0.0499]


@pytest.mark.parametrize("noise", LITTLE_NOISE)
@pytest.mark.parametrize("rate", [1e-4, 0.01, 0.3, 0.99])
@pytest.mark.parametrize("delta", [1e-12, 1e-5])
def test_one_release_with_little_noise(rate: float, noise: float, delta: float) -> None:
    exact = brentq(
        lambda x: log_delta(x, rate, noise) - math.log(delta), 1.0, 2 * noise**-2, xtol=1e-9
    )
    assert exact * (1 - 1e-9) <= epsilon(rate, noise, 1, delta) <= exact * (1 + 1e-3)


@pytest.mark.parametrize("noise", LITTLE_NOISE)
@pytest.mark.parametrize("steps", [1, 10, 300])
def test_several_rates_with_little_noise(noise: float, steps: int) -> None:
    parts = tuple((Mechanism(rate, noise), steps) for rate in (0.01, 0.013, 0.05, 0.3))
    ours = accounting._epsilon(parts, DELTA)
    finer = accounting._epsilon(parts, DELTA, cells=8 * accounting.FINE)
    assert finer * (1 - 1e-9) <= ours <= finer * (1 + 1e-3)


@pytest.mark.parametrize(("rate", "steps"), [(0.01, 1), (0.01, 1000), (0.3, 30)])
def test_little_noise_goes_on_where_more_noise_ends(rate: float, steps: int) -> None:
    """Other nodes and no integral below a noise: ε neither jumps nor falls."""
    edge = loss_nodes.LITTLE
    below, above = (epsilon(rate, noise, steps, DELTA) for noise in ((1 - 1e-6) * edge, edge))
    assert above * (1 - 1e-9) <= below <= above * (1 + 1e-3)


@pytest.mark.parametrize("rate", [1e-9, 1e-7, 1e-5, 1e-4])
def test_a_rate_close_to_nothing_is_answered_and_still_bounded(rate: float) -> None:
    few = epsilon(rate, 1.0, 200, 1e-6)
    # each round alone loses at most log(1 + rate (e^l - 1)) of the loss l without sampling
    alone = epsilon(1.0, 1.0, 1, 1e-6 / (200 * rate)) if 200 * rate > 1e-6 else 0.0
    assert 0 <= few <= 200 * math.log1p(rate * math.expm1(alone)) + 1e-9


@pytest.mark.slow
def test_lies_in_the_interval_of_the_prv_accountant_wherever_one_looks() -> None:
    """Fifty configurations drawn at random: rates, noise, steps and δ of all sizes."""
    prv = pytest.importorskip("prv_accountant")
    rng, answered = np.random.default_rng(2106), 0
    for _ in range(80):
        rate = float(10 ** rng.uniform(-2.5, -0.1))
        steps = int(10 ** rng.uniform(0, 2.7))
        delta = float(10 ** rng.uniform(-8, -2))
        noise = noise_multiplier(rate, steps, float(10 ** rng.uniform(-0.7, 1)), delta)
        try:
            accountant = prv.PRVAccountant(
                prvs=[prv.PoissonSubsampledGaussianMechanism(rate, noise)],
                max_self_compositions=[steps],
                eps_error=0.05,
                delta_error=delta / 1000,
            )
        except RuntimeError:  # its own grid is too coarse for this one, as it says
            continue
        low, _, high = accountant.compute_epsilon(delta, [steps])
        assert low <= epsilon(rate, noise, steps, delta) <= high, (rate, noise, steps, delta)
        answered += 1
        if answered == 50:
            break
    assert answered == 50


@pytest.mark.parametrize(
    ("rate", "noise", "steps", "delta", "expected"),
    [  # by prv-accountant 0.2.0, whose δ and ε errors were set far below these
        (0.01, 1.0, 1000, 1e-13, 4.23),
        (0.01, 1.0, 10**4, 1e-12, 10.35),
        (0.01, 1.0, 10**5, 1e-10, 34.62),
    ],
)
def test_a_tiny_delta_after_many_steps(
    rate: float, noise: float, steps: int, delta: float, expected: float
) -> None:
    assert epsilon(rate, noise, steps, delta) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("steps", [1, 1000, 10**6])
@pytest.mark.parametrize("delta", [1e-15, 1e-11, 1e-5])
def test_nearly_no_sampling_is_the_exact_gaussian_at_any_delta(steps: int, delta: float) -> None:
    exact = epsilon(1.0, 3.0 * math.sqrt(steps), steps, delta)
    assert epsilon(1 - 1e-12, 3.0 * math.sqrt(steps), steps, delta) == pytest.approx(
        exact, rel=1e-4
    )


def _log_delta_of_one_step(rate: float, noise: float, epsilon: float) -> float:
    """δ of one release in closed form, the larger of adding and of removing a unit."""
    found = [-math.inf]
    for sign in (1, -1):
        odds = (math.expm1(sign * epsilon) + rate) / rate
        if odds <= 0:
            continue
        place = noise * math.log(odds) + 0.5 / noise
        tail = norm.logsf if sign > 0 else norm.logcdf
        plain = tail(place)
        mixed = np.logaddexp(math.log1p(-rate) + plain, math.log(rate) + tail(place - 1 / noise))
        p, q = (mixed, plain) if sign > 0 else (plain, mixed)
        if q + epsilon < p:
            found.append(float(p + math.log1p(-math.exp(q + epsilon - p))))
    return max(found)


@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.5])
@pytest.mark.parametrize("noise", [0.05, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("delta", [1e-15, 1e-9, 1e-5])
def test_one_step_meets_its_closed_form(rate: float, noise: float, delta: float) -> None:
    found = epsilon(rate, noise, 1, delta)
    if found == 0:  # δ is already above the chance of taking part
        assert delta > rate
        return
    assert _log_delta_of_one_step(rate, noise, found) <= math.log(delta)
    assert _log_delta_of_one_step(rate, noise, found * (1 - 1e-3)) > math.log(delta)


def test_no_extreme_is_infinite_or_above_the_renyi_bound() -> None:
    rng = np.random.default_rng(7)
    for _ in range(60):
        rate, noise = float(10 ** rng.uniform(-6, 0)), float(10 ** rng.uniform(-0.7, 4))
        steps, delta = int(10 ** rng.uniform(0, 6)), float(10 ** rng.uniform(-15, -2))
        renyi = RdpAccountant()
        renyi.compose(gaussian(rate, noise), steps)
        assert 0 <= epsilon(rate, noise, steps, delta) <= renyi.get_epsilon(delta)


@pytest.mark.parametrize("noise", [0.01, 0.3, 5.0, 1e3])
@pytest.mark.parametrize("steps", [1, 1000, 10**6])
def test_laplace_noise_at_the_extremes(noise: float, steps: int) -> None:
    spent = composed([(laplace(1.0, noise), steps)], 1e-15)
    assert 0 < spent <= steps / noise * (1 + 1e-9)
    assert spent >= composed([(laplace(1.0, noise), steps)], 1e-14)
    sampled = composed([(laplace(0.01, noise), steps)], 1e-15)
    assert 0 <= sampled <= spent


def test_changed_noise_composes_at_a_tiny_delta() -> None:
    mixed = [(gaussian(0.01, 1.0), 5000), (gaussian(0.02, 2.0), 5000), (laplace(0.5, 100.0), 100)]
    spent = composed(mixed, 1e-14)
    assert max(composed([each], 1e-14) for each in mixed) < spent
    assert spent < sum(composed([each], 1e-14) for each in mixed)
    assert composed(reversed(mixed), 1e-14) == spent


@pytest.mark.parametrize(
    ("rate", "steps", "target", "delta"),
    [(0.01, 10**6, 2.0, 1e-15), (1e-4, 10**6, 1.0, 1e-6), (0.01, 1000, 2.0, 1e-13)],
)
def test_noise_for_a_target_at_the_extremes(
    rate: float, steps: int, target: float, delta: float
) -> None:
    found = noise_multiplier(rate, steps, target, delta)
    assert target * (1 - 1e-3) < epsilon(rate, found, steps, delta) <= target


def test_subsampling_tends_to_the_exact_gaussian() -> None:
    nearly = epsilon(1 - 1e-9, 2.0, 10, DELTA)
    assert nearly == pytest.approx(epsilon(1.0, 2.0, 10, DELTA), rel=1e-4)


@pytest.mark.parametrize(
    ("rate", "noise", "steps"),
    [(0.1, 1.0, 100), (0.5, 20.0, 30), (0.01, 0.6, 1000), (0.2, 0.2, 5), (1.0, 3.0, 7)],
)
def test_round_trip_of_the_noise(rate: float, noise: float, steps: int) -> None:
    target = epsilon(rate, noise, steps, DELTA)
    found = noise_multiplier(rate, steps, target, DELTA)
    assert found == pytest.approx(noise, rel=1e-4)
    assert epsilon(rate, found, steps, DELTA) <= target
    assert epsilon(rate, found * (1 - 2e-4), steps, DELTA) > target


def test_noise_at_the_ends() -> None:
    assert noise_multiplier(0.0, 10, 1.0, DELTA) == 0.0
    assert noise_multiplier(0.5, 0, 1.0, DELTA) == 0.0
    assert noise_multiplier(1e-7, 10, 1.0, DELTA) == pytest.approx(accounting.NOISE_RANGE[0])
    with pytest.raises(ValueError, match=r"epsilon = 1e-09 is out of reach .* raise epsilon"):
        noise_multiplier(0.9, 1000, 1e-9, 1e-9)


def test_degenerate_mechanisms() -> None:
    assert epsilon(0.1, 0.0, 1, DELTA) == math.inf
    assert epsilon(1.0, 0.0, 1, DELTA) == math.inf
    assert epsilon(0.1, 0.0, 0, DELTA) == 0.0
    assert epsilon(0.0, 0.0, 5, DELTA) == 0.0
    assert epsilon(0.1, 1e4, 1, 1e-2) == 0.0
    assert Ledger().epsilon(DELTA) == 0.0
    assert (
        Ledger().spend(gaussian(0.1, 1.0), 5).spend(gaussian(0.1, 0.0)).epsilon(DELTA) == math.inf
    )


def test_more_noise_or_fewer_steps_or_a_lower_rate_costs_less() -> None:
    base = epsilon(0.1, 1.0, 50, DELTA)
    assert epsilon(0.1, 1.01, 50, DELTA) < base
    assert epsilon(0.1, 1.0, 49, DELTA) < base
    assert epsilon(0.099, 1.0, 50, DELTA) < base
    assert epsilon(0.1, 1.0, 50, 2 * DELTA) < base


def test_mixed_ledger_ignores_order_and_splits() -> None:
    whole = Ledger().spend(gaussian(0.1, 1.0), 50).spend(gaussian(0.02, 0.8), 200)
    split = (
        Ledger()
        .spend(gaussian(0.02, 0.8), 120)
        .spend(gaussian(0.1, 1.0), 50)
        .spend(gaussian(0.02, 0.8), 80)
    )
    assert len(split.entries) == 3
    assert whole.epsilon(DELTA) == split.epsilon(DELTA)
    assert whole.steps == split.steps == 250


def test_mixed_ledger_lies_between_its_parts_and_their_sum() -> None:
    mixed = Ledger().spend(gaussian(0.1, 1.0), 50).spend(gaussian(1.0, 8.0), 10)
    parts = epsilon(0.1, 1.0, 50, DELTA), epsilon(1.0, 8.0, 10, DELTA)
    assert max(parts) < mixed.epsilon(DELTA) < sum(parts)


def test_nearly_equal_entries_cost_what_equal_ones_do() -> None:
    mixed = Ledger().spend(gaussian(0.1, 1.0), 30).spend(gaussian(0.1, 1.0 + 1e-9), 30)
    assert mixed.epsilon(DELTA) == pytest.approx(epsilon(0.1, 1.0, 60, DELTA), rel=1e-4)


def test_full_rate_ledger_is_one_gaussian() -> None:
    mixed = Ledger().spend(gaussian(1.0, 3.0), 4).spend(gaussian(1.0, 6.0), 20)
    assert mixed.epsilon(DELTA) == pytest.approx(epsilon(1.0, 1.0, 1, DELTA), rel=1e-9)


def test_after_asks_without_spending() -> None:
    ledger = Ledger().spend(gaussian(0.1, 1.0), 10)
    assert ledger.after(gaussian(0.1, 1.0), delta=DELTA) == epsilon(0.1, 1.0, 11, DELTA)
    assert ledger.after(gaussian(0.1, 1.0), 5, delta=DELTA) == epsilon(0.1, 1.0, 15, DELTA)
    assert ledger == Ledger().spend(gaussian(0.1, 1.0), 10)
    assert ledger.spend(gaussian(0.1, 1.0), 0) == ledger
    assert ledger.after(gaussian(0.3, 2.0), delta=DELTA) > ledger.epsilon(DELTA)


def test_threads_agree() -> None:
    def both(count: int) -> Ledger:
        return Ledger().spend(gaussian(0.13, 1.1), count).spend(gaussian(0.4, 3.0), 2)

    def ask(count: int) -> float:
        return both(1 + count % 8).epsilon(DELTA)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, range(32)))
    accounting._epsilon.cache_clear()
    loss_nodes.nodes_of.cache_clear()
    loss_nodes.grid.cache_clear()
    assert together == [ask(count) for count in range(32)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1, 1.0, 1, DELTA), "rate = -0.1 .* give"),
        ((1.5, 1.0, 1, DELTA), "rate = 1.5 .* give"),
        ((math.nan, 1.0, 1, DELTA), "rate = nan .* give"),
        ((0.1, -1.0, 1, DELTA), "noise_multiplier = -1.0 .* give"),
        ((0.1, math.inf, 1, DELTA), "noise_multiplier = inf .* give"),
        ((0.1, 1.0, -1, DELTA), "steps = -1 .* give"),
        ((0.1, 1.0, 1.5, DELTA), "steps = 1.5 .* give"),
        ((0.1, 1.0, math.inf, DELTA), "steps = inf .* give"),
        ((0.1, 1.0, 1, 0.0), "delta = 0.0 .* give"),
        ((0.1, 1.0, 1, 1.0), "delta = 1.0 .* give"),
        ((0.1, 1.0, 1, math.nan), "delta = nan .* give"),
    ],
)
def test_errors_name_field_value_and_remedy(arguments: tuple, message: str) -> None:
    rate, noise, steps, delta = arguments
    with pytest.raises(ValueError, match=message):
        epsilon(rate, noise, steps, delta)
    with pytest.raises(ValueError, match=message):
        Ledger().spend(gaussian(rate, noise), steps).epsilon(delta)


def test_what_has_no_accounting_is_refused() -> None:
    sampled = SampledWithoutReplacementDpEvent(100, 10, GaussianDpEvent(1.0))
    mixed = PoissonSampledDpEvent(0.1, ComposedDpEvent((GaussianDpEvent(1.0), LaplaceDpEvent(1.0))))
    for event in (NonPrivateDpEvent(), mixed, sampled):
        with pytest.raises(ValueError, match="has no accounting here; release a Gaussian"):
            Ledger().spend(event)


def test_laplace_noise_of_a_published_row() -> None:
    assert composed([(laplace(1.0, 10.0), 20)], 1e-6) == pytest.approx(1.7740, rel=1e-3)


@pytest.mark.parametrize(
    ("rate", "noise", "steps"), [(1.0, 10.0, 20), (0.1, 1.0, 50), (0.5, 3.0, 7), (1.0, 0.5, 2)]
)
def test_laplace_noise_agrees_with_dp_accounting(rate: float, noise: float, steps: int) -> None:
    theirs = PLDAccountant(value_discretization_interval=1e-4)
    theirs.compose(PoissonSampledDpEvent(rate, LaplaceDpEvent(noise)), steps)
    ours = composed([(laplace(rate, noise), steps)], DELTA)
    assert ours == pytest.approx(theirs.get_epsilon(DELTA), rel=5e-4)


def test_laplace_noise_holds_without_any_delta() -> None:
    # the pure guarantee: rounds times 1/b, whatever δ
    assert composed([(laplace(1.0, 0.01), 3)], 1e-12) == pytest.approx(300, rel=1e-6)
    assert composed([(laplace(1.0, 200.0), 3)], 1e-12) <= 3 / 200


@settings(max_examples=30, deadline=None)
@given(
    scale=st.floats(0.1, 5),
    shares=st.lists(st.floats(0.05, 1), min_size=2, max_size=4),
    delta=st.floats(1e-6, 0.3),
)
def test_no_split_over_coordinates_loses_more_than_one_coordinate(
    scale: float, shares: list[float], delta: float
) -> None:
    # what one unit changes may lie in any number of coordinates; their losses compose
    parts = [(laplace(1.0, scale * sum(shares) / share), 1) for share in shares]
    assert composed(parts, delta) <= composed([(laplace(1.0, scale), 1)], delta) * (1 + 1e-3) + 1e-3


def test_several_gaussian_sums_about_one_sample_are_one() -> None:
    # precisions add up: 1/2 + 1/2 of them make the whole
    split = gaussian(0.1, math.sqrt(2), math.sqrt(2))
    assert composed([(split, 100)], DELTA) == pytest.approx(epsilon(0.1, 1.0, 100, DELTA), rel=1e-9)
    assert composed([(gaussian(1.0, 2.0, 0.0), 1)], DELTA) == math.inf
    # two samples would not hide a unit as one does
    apart = [(gaussian(0.1, math.sqrt(2)), 200)]
    assert composed(apart, DELTA) < epsilon(0.1, 1.0, 100, DELTA)


def test_mixed_mechanisms_and_noise_changed_on_the_way_compose() -> None:
    whole = Ledger().spend(gaussian(1.0, 2.0), 3).spend(laplace(1.0, 5.0), 4)
    whole = whole.spend(gaussian(1.0, 4.0), 2)
    theirs = PLDAccountant(value_discretization_interval=1e-4)
    for event, count in whole.entries:
        theirs.compose(event, count)
    assert whole.epsilon(DELTA) == pytest.approx(theirs.get_epsilon(DELTA), rel=5e-4)
    assert whole.epsilon(DELTA) < sum(Ledger((each,)).epsilon(DELTA) for each in whole.entries)


@pytest.mark.parametrize("steps", [1, 30])
def test_laplace_noise_for_a_target(steps: int) -> None:
    found = noise_multiplier(1.0, steps, 4.0, DELTA, "laplace")
    assert composed([(laplace(1.0, found), steps)], DELTA) == pytest.approx(4.0, rel=1e-4)
    assert composed([(laplace(1.0, found), steps)], DELTA) <= 4.0


def test_a_ledger_survives_its_file_whatever_it_holds() -> None:
    whole = (
        Ledger().spend(gaussian(0.1, 1.5, 3.0), 7).spend(laplace(0.5, 2.0)).spend(gaussian(1, 2))
    )
    again = Ledger.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert again == whole
    assert again.epsilon(DELTA) == whole.epsilon(DELTA)


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan, math.inf])
def test_target_must_be_positive(target: float) -> None:
    with pytest.raises(ValueError, match=r"epsilon = .* give"):
        noise_multiplier(0.1, 10, target, DELTA)


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        {"entries": 3},
        {"entries": [], "more": 1},
        {"entries": [{"rate": 0.1}]},
        {"entries": [SAVED | {"rate": "0.1"}]},
        {"entries": [SAVED | {"rate": 2.0}]},
        {"entries": [SAVED | {"mechanism": "laplas"}]},
        {"entries": [SAVED | {"mechanism": "laplace", "noise_multipliers": [1.0, 2.0]}]},
        {"entries": [SAVED | {"noise_multipliers": []}]},
        {"entries": [SAVED | {"more": 1}]},
    ],
)
def test_damaged_ledgers_are_refused(data) -> None:
    with pytest.raises(ValueError, match=r"ledger|rate"):
        Ledger.from_dict(data)


def test_import_is_light() -> None:
    check = (
        "import sys, fedbench.privacy.accounting\n"
        "print([name for name in ('dp_accounting', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("rate", "noise", "steps", "delta"), [*GRID[1:4], *GRID[8:10]])
def test_rough_answers_are_close_and_quickly_had(
    rate: float, noise: float, steps: int, delta: float
) -> None:
    exact = epsilon(rate, noise, steps, delta)
    rough = accounting.rough_epsilon([(rate, steps)], noise, delta)
    assert exact * (1 - 1e-9) <= rough <= 1.1 * exact
    found = accounting.rough_noise_multiplier([(rate, steps)], exact, delta)
    assert found == pytest.approx(noise, rel=0.06)


def test_rough_answers_at_the_ends() -> None:
    assert accounting.rough_noise_multiplier([], 1.0, DELTA) == 0.0
    assert accounting.rough_epsilon([(0.0, 5), (0.5, 0)], 1.0, DELTA) == 0.0
    assert accounting.rough_noise_multiplier([(0.9, 1000)], 1e-9, 1e-9) == math.inf
    # the unit that loses most counts
    pairs = [(0.1, 10), (0.5, 40), (0.2, 20)]
    assert accounting.rough_epsilon(pairs, 2.0, DELTA) == accounting.rough_epsilon(
        [(0.5, 40)], 2.0, DELTA
    )


def test_losses_that_are_nearly_a_lattice_are_not_underestimated() -> None:
    """Wide Laplace noise: 0.157611 by a grid of dp-accounting that is fine enough to converge."""
    event = accounting.EVENTS["laplace"](0.07310949097342893, 17.139554362541656)
    found = accounting.composed([(event, 88)], 2.792612360565142e-07)
    assert 0.157611 <= found <= 0.157611 * (1 + 1e-3)
