"""Client-level privacy: what is clipped, how much noise falls where, and from which source."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

import fedbench as fb
from fedbench import tree
from fedbench.channel.privacy import accounting
from fedbench.engine import Task
from fedbench.strategies import RoundInfo

ZERO = {"weight": torch.zeros(200, 200), "bias": torch.zeros(5000)}


def flat(values: dict[str, torch.Tensor]) -> np.ndarray:
    return torch.cat([leaf.flatten() for leaf in values.values()]).numpy().astype(np.float64)


def test_updates_are_scaled_to_the_clipping_norm_over_all_leaves() -> None:
    sent = {"a": torch.tensor([[3.0], [0.3], [0.0]]), "b": torch.tensor([[4.0], [0.4], [0.0]])}
    encoded = fb.ClientLevelDP(clip=2.0).encode(sent)
    torch.testing.assert_close(encoded.payloads["a"], torch.tensor([[1.2], [0.3], [0.0]]))
    torch.testing.assert_close(encoded.payloads["b"], torch.tensor([[1.6], [0.4], [0.0]]))
    assert encoded.norms is not None and encoded.changed is not None
    assert encoded.norms.tolist() == pytest.approx([5.0, 0.5, 0.0])
    assert encoded.changed.tolist() == [True, False, False]
    assert tree.norms(encoded.payloads).max() <= 2.0 * (1 + 1e-6)


@pytest.mark.parametrize(("noise", "clip", "divisor"), [(1.0, 1.0, 1.0), (2.5, 0.4, 50.0)])
def test_the_noise_on_the_sum_is_z_times_c_once(noise: float, clip: float, divisor: float) -> None:
    stage = fb.ClientLevelDP(noise_multiplier=noise, clip=clip, noise_seed=11)
    drawn = flat(stage.decode(ZERO, divisor, stage.noise(1))) * divisor
    # the sample variance of n normal numbers: a test that fails once in a million by chance
    low, high = stats.chi2.interval(1 - 1e-6, len(drawn))
    assert low <= (drawn / (noise * clip)).dot(drawn / (noise * clip)) <= high
    assert stats.kstest(drawn / (noise * clip), "norm").pvalue > 1e-6


def test_no_two_rounds_and_no_two_runs_share_noise() -> None:
    hidden, fixed = fb.ClientLevelDP(noise_multiplier=1.0), fb.ClientLevelDP(noise_seed=1)
    fixed = fixed.replace(noise_multiplier=1.0)
    draws = [flat(hidden.decode(ZERO, 1.0, hidden.noise(1))) for _ in range(3)]
    draws += [flat(fixed.decode(ZERO, 1.0, fixed.noise(number))) for number in (1, 2, 3)]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 5 / np.sqrt(len(draws[0]))
    again = flat(fixed.decode(ZERO, 1.0, fixed.noise(2)))
    assert np.array_equal(again, draws[4])


def test_a_fixed_seed_uses_all_of_its_bits() -> None:
    low = fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=7)
    high = low.replace(noise_seed=7 + (1 << 32))
    first, second = (stage.noise(1).standard_normal(4) for stage in (low, high))
    assert not np.array_equal(first, second)


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
    task = Task(data, model, experiment.training, experiment.strategy, experiment.seed)
    info = RoundInfo(1, experiment.training.lr, 20, 10.0)
    updates = experiment.engine.train(task, start, {}, {}, row.cohort, info)
    clipped = privacy.encode(updates.payloads).payloads
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
    with pytest.raises(ValidationError, match="both none; give a budget"):
        fb.ClientLevelDP(epsilon=None, noise_multiplier=None)


class Same(fb.FixedCohort):
    """Always the same clients."""

    def draw(self, clients, rng):
        return np.arange(self.size)


class Favouring(fb.FedAvg):
    """Weights of its own, which privacy must not go by."""

    def weights(self, samples):
        return samples.float() ** 2


def test_sampling_that_is_not_independent_is_refused(private: fb.Experiment) -> None:
    with pytest.raises(ValidationError, match=r"sampling\.kind[\s\S]*choose Poisson with rate 0.5"):
        private.replace(sampling=Same(size=3))


def test_weights_of_a_strategy_do_not_reach_a_private_sum(private: fb.Experiment, train) -> None:
    plain, _ = train(private, 2)
    favoured, _ = train(private.replace(strategy=Favouring(weighting="uniform")), 2)
    for name, leaf in plain.params.items():
        assert torch.equal(leaf, favoured.params[name])
