"""How updates are bounded: by one norm, by one for each layer, and by norms that adapt."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

import fedbench as fb
from fedbench import tree
from fedbench.privacy import accounting
from fedbench.privacy.clip import NORMS, WITHIN
from tests.channels import Channel, encoded

SENT = {
    "0.weight": torch.tensor([[3.0, 0.0], [0.3, 0.4]]),
    "0.bias": torch.tensor([[4.0], [0.0]]),
    "1.weight": torch.tensor([[0.1], [12.0]]),
}


SAID = f"0/{WITHIN}"  # the leaf's name after the stage, which is the first of its pipeline


def adaptive(**more: object) -> fb.ClientLevelDP:
    clipping = fb.AdaptiveClipping(**more)
    return fb.ClientLevelDP(noise_multiplier=1.0, clip=2.0, clipping=clipping, noise_seed=7)


ADAPTIVE_FLAT = fb.ClientLevelDP(noise_multiplier=1.0, clip=1.0, clipping=fb.AdaptiveClipping())


def test_each_layer_has_a_norm_and_the_whole_stays_within_c() -> None:
    privacy = fb.ClientLevelDP(noise_multiplier=1.0, clip=2.0, clipping=fb.PerLayerClipping())
    channel = Channel.of(privacy, SENT)
    assert channel.norms == pytest.approx([math.sqrt(2), math.sqrt(2)])
    sent = channel.encode(SENT)
    # the first client's first layer has norm 5, and its second 0.1
    scale = math.sqrt(2) / 5
    torch.testing.assert_close(sent.payloads["0.weight"][0], scale * SENT["0.weight"][0])
    torch.testing.assert_close(sent.payloads["0.bias"][0], scale * SENT["0.bias"][0])
    torch.testing.assert_close(sent.payloads["1.weight"][0], SENT["1.weight"][0])
    torch.testing.assert_close(sent.payloads["0.weight"][1], SENT["0.weight"][1])
    assert float(sent.payloads["1.weight"][1]) == pytest.approx(math.sqrt(2))
    assert sent.norms is not None and sent.clipped is not None
    torch.testing.assert_close(sent.norms, tree.norms(SENT))
    assert sent.clipped.tolist() == [True, True]
    assert tree.norms(sent.payloads).max() <= 2.0 * (1 + 1e-6)


def test_bits_say_who_was_within_and_leave_with_the_noise() -> None:
    channel = Channel.of(adaptive(per_layer=True), SENT)
    channel.norms = (1.0, 1.0)
    sent = channel.encode(SENT).payloads
    assert sent[SAID].tolist() == [[-0.5, 0.5], [0.5, -0.5]]
    decoded = channel.decode({name: leaf.sum(0) for name, leaf in sent.items()}, 2.0)
    assert list(decoded) == list(SENT)
    assert len(channel.norms) == 2 and channel.norms != (1.0, 1.0)


@pytest.mark.parametrize(
    ("quantile", "within", "factor"),
    [(0.5, 1.0, math.exp(-0.1)), (0.5, 0.0, math.exp(0.1)), (0.9, 0.9, 1.0), (0.2, 0.7, 0.904837)],
)
def test_the_norm_shrinks_where_it_contains_too_many(
    quantile: float, within: float, factor: float
) -> None:
    clipping = fb.AdaptiveClipping(quantile=quantile, rate=0.2)
    assert clipping.move((3.0,), [within]) == pytest.approx((3.0 * factor,), rel=1e-6)


@pytest.mark.parametrize("layers", [False, True])
def test_noise_is_split_so_that_the_whole_is_z(layers: bool) -> None:
    privacy = adaptive(share=0.2, per_layer=layers).replace(evaluation_share=0.3)
    noises = privacy.noises()
    assert noises["clipping"] == pytest.approx(1 / math.sqrt(0.2))
    assert noises["evaluation"] == pytest.approx(1 / math.sqrt(0.3))
    # as published: with noise σ on the sum of bits, (z^-2 - (2σ)^-2)^-1/2 on the updates
    sigma = noises["clipping"] / 2
    rest = (1.0 - (2 * sigma) ** -2 - noises["evaluation"] ** -2) ** -0.5
    assert noises["updates"] == pytest.approx(rest)
    spent = accounting.composed([(privacy.event(0.1), 50)], 1e-5)
    assert spent == pytest.approx(accounting.epsilon(0.1, 1.0, 50, 1e-5), rel=1e-9)


@pytest.mark.parametrize("layers", [False, True])
def test_noise_on_updates_and_on_bits_goes_by_what_one_client_may_change(layers: bool) -> None:
    privacy = adaptive(share=0.2, rate=1.0, per_layer=layers)
    channel = Channel.of(
        privacy, {"0.weight": torch.zeros(1, 300, 100), "1.weight": torch.zeros(1, 5000)}
    )
    bounds = (3.0, 4.0) if layers else (5.0,)
    zero = {"0.weight": torch.zeros(300, 100), "1.weight": torch.zeros(5000)}
    zero[SAID] = torch.zeros(len(bounds))  # as many clients within as not, or nobody
    draws, moves = [], []
    for number in range(1, 121):
        channel.norms = bounds
        decoded = channel.decode(zero, 10.0, number)
        if number <= 4:
            draws.append(torch.cat([leaf.flatten() for leaf in decoded.values()]).numpy())
        moves.append([-math.log(b / a) for a, b in zip(bounds, channel.norms, strict=True)])
    # the norms are 5 in all: zC on the sum, with the z that is left to updates
    noise = np.concatenate(draws) * 10.0 / (5.0 * privacy.noises()["updates"])
    low, high = stats.chi2.interval(1 - 1e-6, len(noise))
    assert low <= float(noise.astype(np.float64) @ noise.astype(np.float64)) <= high
    # nobody's bits add up to nothing, half of a cohort: the norm moves by the noise alone
    std = privacy.noises()["clipping"] * math.sqrt(len(bounds)) / 2 / 10.0
    seen = np.ravel(moves) / std
    assert (np.abs(np.ravel(moves)) < 0.5).all()  # none was cut off
    low, high = stats.chi2.interval(1 - 1e-6, len(seen))
    assert low <= float(seen @ seen) <= high


@pytest.mark.parametrize("clipping", [fb.FlatClipping(), fb.PerLayerClipping()])
@pytest.mark.parametrize("absent", range(4))
def test_no_client_changes_a_sum_by_more_than_c(clipping: object, absent: int) -> None:
    """By brute force over neighbours: each client there or not, whatever it sends."""
    privacy = fb.ClientLevelDP(noise_multiplier=1.0, clip=1.5, clipping=clipping)
    rng = np.random.default_rng(absent)
    sizes = 10.0 ** rng.uniform(-3, 3, size=4)
    sent = {
        name: torch.from_numpy(sizes[:, None] * rng.standard_normal((4, width)))
        for name, width in (("0.weight", 7), ("0.bias", 2), ("1.weight", 5))
    }
    for kept in itertools.chain.from_iterable(
        itertools.combinations([k for k in range(4) if k != absent], n) for n in range(4)
    ):
        sums = []
        for ids in (kept, tuple(sorted((*kept, absent)))):
            rows = {name: leaf[list(ids)] for name, leaf in sent.items()}
            clipped = encoded(privacy, rows, ids=np.array(ids, dtype=int)).payloads
            sums.append({name: leaf.sum(0, keepdim=True) for name, leaf in clipped.items()})
        assert float(tree.norms(tree.sub(*sums))) <= 1.5 * (1 + 1e-6)


@pytest.mark.parametrize("start", [0.1, 3.0])
def test_the_norm_converges_to_the_median_from_both_sides(start: float) -> None:
    privacy = fb.ClientLevelDP(
        noise_multiplier=1.0, clip=start, clipping=fb.AdaptiveClipping(), noise_seed=5
    )
    rng = np.random.default_rng(3)
    channel, seen = Channel.of(privacy, {"w": torch.zeros(1, 3)}), []
    for number in range(1, 201):
        # norms with median 1, spread as those of updates often are
        norms = torch.from_numpy(np.exp(0.5 * rng.standard_normal(100)))
        sent = {"w": norms[:, None] * torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)}
        clipped = channel.encode(sent, number).payloads
        channel.decode({name: leaf.sum(0) / 100 for name, leaf in clipped.items()}, 100.0, number)
        seen.append(channel.norms[0])
    assert np.mean(seen[-100:]) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_moves_its_norm_and_records_it(private: fb.Experiment, train, workers: int) -> None:
    privacy = private.privacy.replace(clip=0.05, clipping=fb.AdaptiveClipping(rate=0.5))
    experiment = private.replace(
        privacy=privacy, sampling=fb.Everyone(), engine=fb.StackedEngine(workers=workers)
    )
    progress, rows = train(experiment, 4)
    bounds = [row.clip for row in rows] + [float(progress.channel[0][NORMS])]
    assert bounds[0] == 0.05
    assert rows[0].clipped > 0.5
    for row, now, then in zip(rows, bounds, bounds[1:], strict=False):
        # it moves as it should, but for the noise: no further than one rate's step
        assert then != now
        assert abs(math.log(then / now)) <= 0.25 + 1e-9
        assert row.epsilon > 0
    # the bit of each norm is sent as well
    assert rows[0].bytes_up == 6 * 4 * (sum(p.numel() for p in progress.params.values()) + 1)


def test_accuracy_is_measured_under_the_same_budget(private: fb.Experiment, train) -> None:
    experiment = private.replace(
        privacy=private.privacy.replace(evaluation_share=0.2), sampling=fb.Everyone()
    )
    _, rows = train(experiment, 3)
    _, plain = train(private.replace(sampling=fb.Everyone()), 3)
    assert [row.epsilon for row in rows] == pytest.approx([row.epsilon for row in plain], rel=1e-9)
    assert all(math.isnan(row.released) for row in plain)
    for row in rows:
        known = row.clients[np.isfinite(row.clients)]
        # noise of about z √½ / 6 on the mean, with the z that is left to it
        std = experiment.privacy.noises()["evaluation"] * math.sqrt(0.5) / len(known)
        assert math.isnan(row.released) or 0 <= row.released <= 1
        assert math.isnan(row.released) or abs(row.released - known.mean()) < 8 * std
    assert any(row.released not in (0.0, 1.0) for row in rows)


def test_the_noise_on_measured_accuracy_is_as_promised() -> None:
    stage = fb.ClientLevelDP(noise_multiplier=1.0, evaluation_share=0.25, noise_seed=2)
    # z = 2 is left for it; one client changes sum and half number by at most √½ together
    count, above = 1_000_000, 0.3
    shares = np.full(count, 0.5 + above)
    draws = np.array([stage.measured(shares, number) for number in range(1, 401)])
    std = 2.0 * math.sqrt(0.5) * math.sqrt(1 + 4 * above**2) / count
    noise = (draws - 0.5 - above) / std
    low, high = stats.chi2.interval(1 - 1e-6, len(noise))
    assert low <= float(noise @ noise) <= high
    assert abs(noise.mean()) < 5 / math.sqrt(len(noise))


def test_clients_without_test_rows_do_not_pull_accuracy_to_a_half() -> None:
    stage = fb.ClientLevelDP(noise_multiplier=0.5, evaluation_share=0.5, noise_seed=2)
    few = [stage.measured(np.full(200, 0.95), number) for number in range(1, 201)]
    assert np.mean(few) == pytest.approx(0.95, abs=0.005)
    alone = np.array([stage.measured(np.full(1, 0.95), number) for number in range(1, 201)])
    assert np.isnan(alone).any()  # too few to tell
    known = alone[~np.isnan(alone)]
    assert ((known >= 0) & (known <= 1)).all()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    "privacy",
    [
        fb.ClientLevelDP(noise_multiplier=1.0, clip=1.0),
        ADAPTIVE_FLAT,
        fb.LocalGaussian(noise_multiplier=1.0, clip=1.0, noise_seed=1),
        fb.LocalLaplace(noise_multiplier=1.0, clip=1.0, noise_seed=1),
    ],
)
def test_an_update_that_is_not_finite_is_nothing(privacy: fb.ClientLevelDP, value: float) -> None:
    bad = {"w": torch.tensor([[0.1, 0.2], [value, 0.5]])}
    nothing = {"w": torch.tensor([[0.1, 0.2], [0.0, 0.0]])}
    sent, clean = encoded(privacy, bad), encoded(privacy, nothing)
    assert torch.equal(sent.payloads["w"], clean.payloads["w"])
    assert sent.clipped is not None and sent.clipped.tolist() == [False, True]
    said = sent.payloads.get(SAID)
    assert (said is not None) == (privacy == ADAPTIVE_FLAT)
    assert said is None or said.tolist() == [[0.5], [-0.5]]


class Beyond(fb.Attack):
    """Every client sends numbers that are not finite."""

    def share(self) -> float:
        return 1.0

    def forge(self, payloads, rng):
        return tree.scale(payloads, math.inf)


@pytest.mark.parametrize("kind", [fb.ClientLevelDP, fb.LocalGaussian])
def test_a_run_does_not_end_by_what_a_client_sends(private: fb.Experiment, kind: type) -> None:
    broken = private.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        attack=Beyond(),
        sampling=fb.Everyone(),
        privacy=kind(noise_multiplier=1.0, delta=1e-2, noise_seed=1),
    )
    with pytest.warns(UserWarning):
        history = fb.run(broken, progress=False)
    assert len(history) == 4
    assert history.frame()["clipped"].tolist() == [1.0] * 4


def test_a_target_is_reached_by_what_was_released(private: fb.Experiment) -> None:
    experiment = private.replace(
        privacy=private.privacy.replace(evaluation_share=0.2),
        sampling=fb.Everyone(),
        target=fb.Target(metric="accuracy", value=0.05),
    )
    history = fb.run(experiment, progress=False)
    assert history.rows[-1].released >= 0.05
    assert history.ended == f"target reached: accuracy {history.rows[-1].released:.4g}"
    assert not any("exact scores" in text for text in experiment.cautions())
    exact = experiment.replace(privacy=private.privacy)
    assert any("exact scores of held-out rows" in text for text in exact.cautions())


def test_a_target_that_is_not_measured_is_refused(private: fb.Experiment) -> None:
    measured = private.replace(privacy=private.privacy.replace(evaluation_share=0.1))
    with pytest.raises(ValidationError, match="accuracy is measured under privacy"):
        measured.replace(target=fb.Target(metric="loss", value=1.0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"evaluation_share": 1.0}, "less than 1"),
        ({"clipping": {"kind": "AdaptiveClipping", "share": 1.0}}, "less than 1"),
        ({"clipping": {"kind": "AdaptiveClipping", "quantile": 0.0}}, "must be more than 0"),
        (
            {"evaluation_share": 0.5, "clipping": fb.AdaptiveClipping(share=0.5)},
            "leaves nothing for the updates",
        ),
    ],
)
def test_what_leaves_no_privacy_for_updates_is_refused(
    private: fb.Experiment, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        private.replace(privacy=private.privacy.to_dict() | changes)


def test_errors_without_a_bound_cannot_be_measured(private: fb.Experiment) -> None:
    with pytest.raises(ValidationError, match=r"evaluation_share\n  Diabetes.* is a regres"):
        private.replace(
            data=fb.DiabetesProgression(), privacy=private.privacy.replace(evaluation_share=0.1)
        )
