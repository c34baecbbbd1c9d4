"""An advantage on the same rows is claimed where there is one, and only by accident where not."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fedbench.runs.paired import advantage

GROUPS = 800


def grouped(rows: int) -> np.ndarray:
    return np.arange(GROUPS + 1) * rows


def said(*given: object) -> float:
    """Return the share of groups of which something is claimed."""
    return 1 - advantage(*given).verdicts.count("cannot tell") / GROUPS  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("rows", [7, 20, 100, 300])
def test_of_equally_good_predictions_little_is_claimed(rows: int) -> None:
    rng, count = np.random.default_rng(rows), GROUPS * rows
    offsets = grouped(rows)
    y = rng.integers(0, 2, count)
    ours, theirs = (np.where(rng.random(count) < 0.75, y, 1 - y) for _ in range(2))
    assert said("accuracy", y, ours, theirs, offsets) <= 0.06
    for noise in (rng.standard_normal, lambda size: rng.standard_t(3, size)):
        target = rng.standard_normal(count)
        one, other = (target + noise(count) for _ in range(2))
        assert said("rmse", target, one, other, offsets) <= 0.07
        assert said("mae", target, one, other, offsets) <= 0.07
    for share in (0.1, 0.5):
        rare = (rng.random(count) < share).astype(int)
        risk = rng.standard_normal(count) + rare
        one, other = (risk + rng.standard_normal(count) for _ in range(2))
        assert said("auc", rare, one, other, offsets) <= 0.07


def test_a_large_difference_is_found_on_either_side() -> None:
    rng, rows = np.random.default_rng(0), 80
    offsets, count = grouped(rows), GROUPS * rows
    y = rng.integers(0, 2, count)
    good = np.where(rng.random(count) < 0.95, y, 1 - y)
    bad = np.where(rng.random(count) < 0.60, y, 1 - y)
    near, far = (y + scale * rng.standard_normal(count) for scale in (0.3, 2.0))
    for metric, better, worse in (
        ("accuracy", good, bad),
        ("rmse", near, far),
        ("mae", near, far),
        ("auc", near, far),
    ):
        gains = advantage(metric, y, better, worse, offsets)
        loses = advantage(metric, y, worse, better, offsets)
        assert gains.verdicts.count("gains") > 0.95 * GROUPS, metric
        assert loses.verdicts.count("loses") == gains.verdicts.count("gains")
        np.testing.assert_allclose(gains.value, -loses.value, atol=1e-12)
        np.testing.assert_allclose(gains.low, -loses.high, atol=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "rmse", "mae", "auc"])
def test_the_interval_holds_the_true_difference(metric: str) -> None:
    rng, rows = np.random.default_rng(3), 60
    count = GROUPS * rows
    y = rng.integers(0, 2, count)
    if metric == "accuracy":
        ours, theirs = (np.where(rng.random(count) < p, y, 1 - y) for p in (0.8, 0.7))
        truth = 0.1
    else:
        ours, theirs = (y + scale * rng.standard_normal(count) for scale in (1.0, 1.3))
        truth = {
            "rmse": 0.3,
            "mae": 0.3 * math.sqrt(2 / math.pi),
            "auc": _auc(1.0) - _auc(1.3),
        }[metric]
    found = advantage(metric, y, ours, theirs, grouped(rows))
    assert ((found.low <= truth) & (truth <= found.high)).mean() >= 0.93
    assert found.value.mean() == pytest.approx(truth, abs=0.005)


def _auc(scale: float) -> float:
    return 0.5 * (1 + math.erf(1 / (scale * math.sqrt(2)) / math.sqrt(2)))


def test_accuracy_is_the_exact_test_of_mcnemar() -> None:
    from scipy.stats import binomtest

    for up, down, same in itertools.product(range(12), range(12), (0, 30)):
        rows = up + down + same
        if not rows:
            continue
        ours = np.repeat([1, 0, 1], [up, down, same])
        theirs = np.repeat([0, 1, 1], [up, down, same])
        found = advantage("accuracy", np.ones(rows), ours, theirs)
        exact = binomtest(up, up + down).pvalue < 0.05 if up + down else False
        assert (found.verdicts[0] != "cannot tell") == exact, (up, down)
        assert found.low[0] <= (up - down) / rows <= found.high[0]


def test_auc_agrees_with_the_count_of_pairs() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 60)
    ours, theirs = (np.round(rng.standard_normal(60) + 0.5 * y, 1) for _ in range(2))  # with ties

    def pairs(scores: np.ndarray) -> float:
        up, down = scores[y == 1][:, None], scores[y == 0][None]
        return float((up > down).mean() + (up == down).mean() / 2)

    found = advantage("auc", y, ours, theirs)
    assert found.value[0] == pytest.approx(pairs(ours) - pairs(theirs), abs=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "rmse", "mae", "auc"])
def test_of_few_rows_none_and_strange_ones_nothing_is_claimed(metric: str) -> None:
    good, bad = np.array([0, 1, 0, 1, 0]), np.array([1, 0, 1, 0, 1])
    assert advantage(metric, good, good, bad).verdicts == ["cannot tell"]
    none = advantage(metric, good, good, bad, np.array([0, 0, 5]))
    assert np.isnan(none.value[0]) and none.verdicts[0] == "cannot tell"
    assert advantage(metric, good, good, good).value[0] == 0
    huge = np.array([1e300, -1e300, np.inf, 0, np.nan])
    assert advantage(metric, good, huge, bad).verdicts == ["cannot tell"]


def test_one_class_alone_has_no_auc() -> None:
    found = advantage("auc", np.ones(20), np.arange(20), -np.arange(20))
    assert np.isnan(found.value[0]) and found.verdicts == ["cannot tell"]


def test_another_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="metric = 'loss': choose accuracy, auc, rmse or mae"):
        advantage("loss", np.ones(3), np.ones(3), np.ones(3))
