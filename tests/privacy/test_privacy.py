"""Client-level privacy: what is clipped, how much noise falls where, and from which source."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

import fedbench as fb
from fedbench import tree
from fedbench.engine import Broadcast, TrainingContext
from fedbench.privacy import accounting
from fedbench.strategies import RoundInfo
from tests.channels import Channel, encoded

ZERO = {"weight": torch.zeros(200, 200), "bias": torch.zeros(5000)}


def noised(privacy: fb.ClientLevelDP, divisor: float, round: int = 1) -> np.ndarray:
    """Return what is added to a sum of zeros, over its divisor."""
    channel = Channel.of(privacy, {name: leaf[None] for name, leaf in ZERO.items()})
    return flat(channel.decode(ZERO, divisor, round))


def flat(values: dict[str, torch.Tensor]) -> np.ndarray:
    return torch.cat([leaf.flatten() for leaf in values.values()]).numpy().astype(np.float64)


def test_updates_are_scaled_to_the_clipping_norm_over_all_leaves() -> None:
    sent = {"a": torch.tensor([[3.0], [0.3], [0.0]]), "b": torch.tensor([[4.0], [0.4], [0.0]])}
    found = encoded(fb.ClientLevelDP(noise_multiplier=1.0, clip=2.0), sent)
    torch.testing.assert_close(found.payloads["a"], torch.tensor([[1.2], [0.3], [0.0]]))
    torch.testing.assert_close(found.payloads["b"], torch.tensor([[1.6], [0.4], [0.0]]))
    assert found.norms is not None and found.clipped is not None
    assert found.norms.tolist() == pytest.approx([5.0, 0.5, 0.0])
    assert found.clipped.tolist() == [True, False, False]
    assert tree.norms(found.payloads).max() <= 2.0 * (1 + 1e-6)


@pytest.mark.parametrize(("noise", "clip", "divisor"), [(1.0, 1.0, 1.0), (2.5, 0.4, 50.0)])
def test_the_noise_on_the_sum_is_z_times_c_once(noise: float, clip: float, divisor: float) -> None:
    privacy = fb.ClientLevelDP(noise_multiplier=noise, clip=clip, noise_seed=11)
    drawn = noised(privacy, divisor) * divisor
    # the sample variance of n normal numbers: a test that fails once in a million by chance
    low, high = stats.chi2.interval(1 - 1e-6, len(drawn))
    assert low <= (drawn / (noise * clip)).dot(drawn / (noise * clip)) <= high
    assert stats.kstest(drawn / (noise * clip), "norm").pvalue > 1e-6


def test_no_two_rounds_and_no_two_runs_share_noise() -> None:
    hidden, fixed = fb.ClientLevelDP(noise_multiplier=1.0), fb.ClientLevelDP(noise_seed=1)
    fixed = fixed.replace(noise_multiplier=1.0)
    draws = [noised(hidden, 1.0) for _ in range(3)]
    draws += [noised(fixed, 1.0, number) for number in (1, 2, 3)]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 5 / np.sqrt(len(draws[0]))
    again = noised(fixed, 1.0, 2)
    assert np.array_equal(again, draws[4])


def test_a_fixed_seed_uses_all_of_its_bits() -> None:
    low = fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=7)
    high = low.replace(noise_seed=7 + (1 << 32))
    assert np.array_equal(noised(low, 1.0), noised(low, 1.0))
    assert not np.array_equal(noised(low, 1.0), noised(high, 1.0))


def test_an_empty_cohort_still_releases_noise(private: fb.Experiment, train) -> None:
    alone = private.replace(sampling=fb.Poisson(rate=1e-9))
    progress, rows = train(alone, 1)
    assert len(rows[0].cohort) == 0
    assert flat(progress.params).std() > 0
    assert rows[0].epsilon >= 0


def test_the_sum_is_divided_by_the_expected_cohort(private: fb.Experiment, train) -> None:
    privacy = fb.ClientLevelDP(noise_multiplier=0.01, clip=0.1, delta=1e-3, noise_seed=1)
    experiment = private.replace(partition=fb.IID(clients=20), privacy=privacy)
    data, model = experiment.federation(), experiment.model
    progress, (row,) = train(experiment, 1)
    start = model.initial(data.card, experiment.seed)
    context = TrainingContext(
        data, model, experiment.training, experiment.strategy, experiment.seed
    )
    info = RoundInfo(1, experiment.training.lr, 20, 10.0)
    updates = experiment.engine.train(context, Broadcast(info, start), row.cohort, {})
    clipped = encoded(privacy, updates.payloads).payloads
    assert 0 < len(row.cohort) != 10
    assert row.clipped > 0
    for name, leaf in progress.params.items():
        mean = clipped[name].sum(0) / 10
        noise = (leaf - start[name] - mean).abs().max()
        assert 0 < noise < 6 * 0.01 * 0.1 / 10


def test_a_budget_alone_gets_the_least_noise_that_keeps_it() -> None:
    bound = fb.ClientLevelDP(epsilon=3, delta=1e-3).bind([(0.5, 20)])
    assert bound.noise_multiplier is not None
    assert accounting.epsilon(0.5, bound.noise_multiplier, 20, 1e-3) <= 3
    assert accounting.epsilon(0.5, 0.999 * bound.noise_multiplier, 20, 1e-3) > 3


def test_neither_budget_nor_noise_is_refused_but_leaving_both_out_means_four() -> None:
    assert fb.ClientLevelDP().epsilon == 4
    with pytest.raises(ValidationError, match="both none; set a budget"):
        fb.ClientLevelDP(epsilon=None, noise_multiplier=None)


class Same(fb.FixedCohort):
    """Always the same clients."""

    def draw(self, clients, rng, turn=0):
        return np.arange(self.size)


class Favouring(fb.FedAvg):
    """Weights of its own, which privacy must not go by."""

    def weights(self, samples):
        return samples.float() ** 2


@pytest.mark.parametrize(
    ("sampling", "most"), [(Same(size=3), 4), (fb.Shuffled(size=3), 2), (fb.Everyone(), 4)]
)
def test_where_sampling_hides_nobody_each_client_pays_for_its_rounds(
    private: fb.Experiment, train, sampling: fb.FixedCohort, most: int
) -> None:
    privacy = fb.ClientLevelDP(noise_multiplier=2.0, delta=1e-3, noise_seed=1)
    experiment = private.replace(sampling=sampling, privacy=privacy)
    assert experiment.clients == 6
    _, rows = train(experiment, 4)
    # no amplification: the client that was there most often spends that many whole releases
    drawn = np.bincount(np.concatenate([row.cohort for row in rows]), minlength=6)
    assert drawn.max() == most
    assert rows[-1].epsilon == accounting.epsilon(1.0, 2.0, most, 1e-3)


def test_a_budget_is_solved_for_the_client_that_is_drawn_most(private: fb.Experiment) -> None:
    privacy = fb.ClientLevelDP(epsilon=3, delta=1e-3)
    shuffled = private.replace(sampling=fb.Shuffled(size=3), privacy=privacy, rounds=10)
    noise = shuffled.bound_privacy().noise_multiplier
    assert noise == accounting.noise_multiplier(1.0, 5, 3, 1e-3)  # two rounds make a pass
    fixed = shuffled.replace(sampling=fb.FixedCohort(size=3))
    most = max(np.bincount(np.concatenate([fixed.cohort(n) for n in range(1, 11)])))
    assert fixed.bound_privacy().noise_multiplier == accounting.noise_multiplier(1.0, most, 3, 1e-3)
    assert 5 < most < 10


def test_weights_of_a_strategy_do_not_reach_a_private_sum(private: fb.Experiment, train) -> None:
    plain, _ = train(private, 2)
    favoured, _ = train(private.replace(strategy=Favouring(weighting="uniform")), 2)
    for name, leaf in plain.params.items():
        assert torch.equal(leaf, favoured.params[name])
