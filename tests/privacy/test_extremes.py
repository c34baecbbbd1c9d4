"""The ends of every field of privacy: what is refused says which value, and the rest computes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.config.problems import problems
from fedbench.privacy.clipping import NORMS
from fedbench.runs.divergence import Diverged
from fedbench.runs.rounds import Rounds

KINDS = (fb.ClientLevelDP, fb.ExampleLevelDP, fb.LocalGaussian, fb.LocalLaplace)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("clip", 1e300, "clip: must be at most 1,000,000 (given: 1e+300)"),
        ("clip", 1.1e6, "clip: must be at most 1,000,000 (given: 1100000.0)"),
        ("clip", 0.0, "clip: must be at least 1e-06 (given: 0.0)"),
        ("clip", 1e-300, "clip: must be at least 1e-06 (given: 1e-300)"),
        ("clip", math.inf, "clip: must be a finite number (given: inf)"),
        ("noise_multiplier", 1e300, "noise_multiplier: must be at most 10,000 (given: 1e+300)"),
        ("noise_multiplier", 1e-9, "noise_multiplier: must be at least 0.01 (given: 1e-09)"),
        ("noise_multiplier", math.nan, "noise_multiplier: must be a finite number (given: nan)"),
        ("epsilon", math.inf, "epsilon: must be a finite number (given: inf)"),
        ("epsilon", 0.0, "epsilon: must be more than 0 (given: 0.0)"),
        ("delta", 1e-300, "delta: must be at least 1e-20 (given: 1e-300)"),
        ("delta", 1.0, "delta: must be less than 1 (given: 1.0)"),
        ("noise_seed", -1, "noise_seed: must be at least 0 (given: -1)"),
    ],
)
def test_what_lies_beyond_is_refused_by_field_and_value(
    kind: type, field: str, value: float, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        kind(**{"noise_multiplier": 1.0, field: value})
    (found,) = problems(caught.value)
    assert str(found).startswith(words)


def small(privacy: fb.Privacy) -> fb.Experiment:
    return fb.Experiment(
        data=fb.Wine(),
        partition=fb.IID(clients=4),
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Everyone(),
        privacy=privacy,
        rounds=3,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "ends",
    [
        {"clip": NORMS[1], "noise_multiplier": 1e4},
        {"clip": NORMS[0], "noise_multiplier": 0.05},
        {"clip": NORMS[0], "noise_multiplier": 1e4},
        {"delta": 1e-20, "epsilon": 1.0},
        {"delta": 0.99, "noise_multiplier": 1.0},
    ],
)
def test_the_ends_themselves_compute(kind: type, ends: dict[str, float]) -> None:
    rounds = Rounds(small(kind(noise_seed=1, **{"delta": 1e-5} | ends)))
    progress, row = rounds.next(rounds.begin())
    assert all(bool(leaf.isfinite().all()) for leaf in progress.params.values())
    assert all(bool((leaf != 0).all()) for leaf in progress.params.values())
    assert math.isfinite(row.metrics["loss"]) and math.isfinite(row.update_norm)
    assert 0 <= row.epsilon < math.inf


@pytest.mark.parametrize("epsilon", [1e-6, 1e-100, 5e-324])
@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_that_no_noise_reaches_is_named(kind: type, epsilon: float) -> None:
    with pytest.raises(ValueError, match=f"epsilon = {epsilon!r} is out of reach of any noise"):
        Rounds(small(kind(epsilon=epsilon, delta=1e-5)))


@pytest.mark.parametrize(("quantile", "end"), [(1e-3, NORMS[0]), (1 - 1e-3, NORMS[1])])
def test_an_adaptive_norm_stays_where_it_can_be_computed(quantile: float, end: float) -> None:
    clipping = fb.AdaptiveClipping(quantile=quantile, rate=5.0)
    bounds, rng = (1.0,), np.random.default_rng(0)
    for _ in range(1000):  # by noise alone
        bounds = clipping.move(bounds, (float(rng.random() < 0.5),))
        assert NORMS[0] <= bounds[0] <= NORMS[1]
    assert bounds[0] == pytest.approx(end, rel=1e5)
    # where many layers share the smallest norm, each has less, and comes back from there
    least = (NORMS[0] / 10,)
    assert clipping.move(least, (1.0,)) == least
    assert clipping.move(least, (0.0,))[0] > least[0]


def test_noise_that_a_model_cannot_compute_with_is_said() -> None:
    """Three layers multiply it, and square the result: the run goes on, as privacy demands."""
    privacy = fb.LocalLaplace(noise_multiplier=1e4, clip=1e6, delta=1e-5, noise_seed=1)
    experiment = small(privacy).replace(
        data=fb.DiabetesProgression(), model=fb.MLP(hidden=(32, 32, 32)), rounds=2
    )
    session = fb.Session(experiment)
    session.start()
    assert session.wait() == "done"
    assert not math.isfinite(session.history.rows[0].metrics["loss"])
    (text,) = [each for each in session.history.cautions if "loss" in each]
    assert text == (
        "The test loss is no longer finite after round 1: the model's numbers are too large to "
        "compute with. Lower privacy.clip, the noise multiplier or training.lr."
    )


def test_a_private_run_that_diverges_names_its_noise() -> None:
    privacy = fb.ExampleLevelDP(noise_multiplier=1e4, clip=1e6, delta=1e-5, noise_seed=1)
    rounds = Rounds(small(privacy).replace(**{"training.lr": 1e30}))
    with pytest.raises(Diverged, match=r"or the noise: .* a smaller privacy\.clip"):
        rounds.next(rounds.begin())
