"""Accounting against published numbers, two independent accountants, and its own laws."""

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant

from fedbench.channel.privacy import accounting
from fedbench.channel.privacy.accounting import Ledger, epsilon, epsilon_curve, noise_multiplier

DELTA = 1e-5
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
    saved = json.loads(json.dumps(Ledger().spend(0.1, 1.0, 60).to_dict()))
    resumed = Ledger.from_dict(saved).spend(0.1, 1.0, 40)
    assert resumed == Ledger().spend(0.1, 1.0, 100)
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
    finer = accounting._epsilon(((rate, noise, steps),), delta, cells=4 * accounting.FINE)
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
    ours = Ledger(entries=tuple(accounting.Entry(*entry) for entry in entries)).epsilon(DELTA)
    assert low <= ours <= high
    assert ours == pytest.approx(estimate, rel=2e-4)


@pytest.mark.parametrize(("rate", "noise", "steps"), [(0.1, 1.0, 100), (0.02, 0.8, 70)])
def test_curve_is_monotone_and_is_epsilon(rate: float, noise: float, steps: int) -> None:
    curve = epsilon_curve(rate, noise, steps, DELTA)
    assert len(curve) == steps
    assert all(after > before for before, after in pairwise(curve))
    for count in (1, 2, 33, 64, 65, steps):
        assert curve[count - 1] == epsilon(rate, noise, count, DELTA)


def test_long_curve_is_a_close_upper_bound() -> None:
    steps = accounting.EXACT_ROUNDS + 700
    curve = epsilon_curve(0.01, 3.0, steps, DELTA)
    assert len(curve) == steps
    assert curve[-1] == epsilon(0.01, 3.0, steps, DELTA)
    assert list(curve) == sorted(curve)
    for count in (1000, 1025, 1100, 1555, steps - 1):
        exact = epsilon(0.01, 3.0, count, DELTA)
        assert exact <= curve[count - 1] <= exact * 1.003


def test_curve_at_full_rate_is_the_exact_gaussian() -> None:
    curve = epsilon_curve(1.0, 5.0, 25, DELTA)
    assert curve[-1] == pytest.approx(4.3772, rel=1e-4)  # 25 steps at z = 5 are one at z = 1
    assert epsilon_curve(0.1, 1.0, 0, DELTA) == ()


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
    assert noise_multiplier(1e-7, 10, 1.0, DELTA) == accounting.NOISE_RANGE[0]
    with pytest.raises(ValueError, match=r"epsilon = 1e-09 is out of reach .* raise epsilon"):
        noise_multiplier(0.9, 1000, 1e-9, 1e-9)


def test_degenerate_mechanisms() -> None:
    assert epsilon(0.1, 0.0, 1, DELTA) == math.inf
    assert epsilon(1.0, 0.0, 1, DELTA) == math.inf
    assert epsilon(0.1, 0.0, 0, DELTA) == 0.0
    assert epsilon(0.0, 0.0, 5, DELTA) == 0.0
    assert epsilon(0.1, 1e4, 1, 1e-2) == 0.0
    assert Ledger().epsilon(DELTA) == 0.0
    assert Ledger().spend(0.1, 1.0, 5).spend(0.1, 0.0).epsilon(DELTA) == math.inf


def test_more_noise_or_fewer_steps_or_a_lower_rate_costs_less() -> None:
    base = epsilon(0.1, 1.0, 50, DELTA)
    assert epsilon(0.1, 1.01, 50, DELTA) < base
    assert epsilon(0.1, 1.0, 49, DELTA) < base
    assert epsilon(0.099, 1.0, 50, DELTA) < base
    assert epsilon(0.1, 1.0, 50, 2 * DELTA) < base


def test_mixed_ledger_ignores_order_and_splits() -> None:
    whole = Ledger().spend(0.1, 1.0, 50).spend(0.02, 0.8, 200)
    split = Ledger().spend(0.02, 0.8, 120).spend(0.1, 1.0, 50).spend(0.02, 0.8, 80)
    assert len(split.entries) == 3
    assert whole.epsilon(DELTA) == split.epsilon(DELTA)
    assert whole.steps == split.steps == 250


def test_mixed_ledger_lies_between_its_parts_and_their_sum() -> None:
    mixed = Ledger().spend(0.1, 1.0, 50).spend(1.0, 8.0, 10)
    parts = epsilon(0.1, 1.0, 50, DELTA), epsilon(1.0, 8.0, 10, DELTA)
    assert max(parts) < mixed.epsilon(DELTA) < sum(parts)


def test_nearly_equal_entries_cost_what_equal_ones_do() -> None:
    mixed = Ledger().spend(0.1, 1.0, 30).spend(0.1, 1.0 + 1e-9, 30)
    assert mixed.epsilon(DELTA) == pytest.approx(epsilon(0.1, 1.0, 60, DELTA), rel=1e-4)


def test_full_rate_ledger_is_one_gaussian() -> None:
    mixed = Ledger().spend(1.0, 3.0, 4).spend(1.0, 6.0, 20)
    assert mixed.epsilon(DELTA) == pytest.approx(epsilon(1.0, 1.0, 1, DELTA), rel=1e-9)


def test_after_asks_without_spending() -> None:
    ledger = Ledger().spend(0.1, 1.0, 10)
    assert ledger.after(0.1, 1.0, delta=DELTA) == epsilon(0.1, 1.0, 11, DELTA)
    assert ledger.after(0.1, 1.0, 5, delta=DELTA) == epsilon(0.1, 1.0, 15, DELTA)
    assert ledger == Ledger().spend(0.1, 1.0, 10)
    assert ledger.spend(0.1, 1.0, 0) == ledger
    assert ledger.after(0.3, 2.0, delta=DELTA) > ledger.epsilon(DELTA)


def test_asking_again_after_a_curve_computes_nothing() -> None:
    epsilon_curve(0.07, 1.3, 40, DELTA)
    before = accounting._epsilon.cache_info().misses
    ledger = Ledger()
    for _ in range(40):
        ledger = ledger.spend(0.07, 1.3)
        ledger.epsilon(DELTA)
    assert accounting._epsilon.cache_info().misses == before


def test_threads_agree() -> None:
    def ask(count: int) -> float:
        return Ledger().spend(0.13, 1.1, 1 + count % 8).spend(0.4, 3.0, 2).epsilon(DELTA)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, range(32)))
    accounting._epsilon.cache_clear()
    accounting._composition.cache_clear()
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
        epsilon_curve(rate, noise, steps, delta)
    with pytest.raises(ValueError, match=message):
        Ledger().spend(rate, noise, steps).epsilon(delta)


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
        {"entries": [{"rate": "0.1", "noise_multiplier": 1.0, "steps": 1}]},
        {"entries": [{"rate": 2.0, "noise_multiplier": 1.0, "steps": 1}]},
    ],
)
def test_damaged_ledgers_are_refused(data) -> None:
    with pytest.raises(ValueError, match=r"ledger|rate"):
        Ledger.from_dict(data)


def test_import_is_light() -> None:
    check = (
        "import sys, fedbench.channel.privacy.accounting\n"
        "print([name for name in ('dp_accounting', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
