"""How far clients are from each other, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

import fedbench as fb
from fedbench.data.heterogeneity import Heterogeneity, _moved_tenths, hellinger, label_distance
from fedbench.figures import partition_figure


def test_equals_scipys_jensen_shannon_distance() -> None:
    counts = np.random.default_rng(0).integers(0, 30, size=(12, 5))
    counts[0] = [40, 0, 0, 0, 0]
    whole = counts.sum(0)
    oracle = [jensenshannon(row, whole, base=2) for row in counts]
    np.testing.assert_allclose(label_distance(counts), oracle, atol=1e-7)


def test_its_ends() -> None:
    assert label_distance(np.array([[3, 6], [1, 2]])) == pytest.approx([0, 0], abs=1e-7)
    distances = label_distance(np.eye(1000, dtype=np.int64))
    assert 0.98 < distances.min() <= distances.max() <= 1


def test_hellinger_by_hand() -> None:
    counts = np.array([[3, 1], [1, 3]])  # each has a quarter of what the other has most of
    half = np.sqrt(0.5)
    expected = np.sqrt(((np.sqrt(0.75) - half) ** 2 + (np.sqrt(0.25) - half) ** 2) / 2)
    assert hellinger(counts) == pytest.approx([expected, expected])


def test_the_gini_of_sizes_by_hand() -> None:
    def gini(*sizes: int) -> float:
        table = np.zeros((len(sizes), 3))
        return Heterogeneity(tuple("abcd"), np.array(sizes), table, table).gini

    assert gini(5, 5, 5, 5) == 0
    assert gini(1, 3) == pytest.approx(0.25)
    assert gini(0, 0, 0, 8) == pytest.approx(0.75)


def test_classes_that_nobody_shares_are_far_apart() -> None:
    data = fb.Experiment(
        data=fb.Wine(), partition=fb.Pathological(clients=3, classes=1)
    ).federation()
    found = data.heterogeneity()
    sizes = np.bincount(data.strata)
    share = 1 - data.counts().max(axis=1) / sizes.sum()
    np.testing.assert_allclose(found.labels[:, 2], share)  # all that others hold must be moved
    assert found.sizes.tolist() == data.sizes.tolist()
    row = found.frame().loc["client 1"]
    assert row["samples"] == data.sizes[1]
    assert row["labels, earth mover's"] == pytest.approx(share[1])
    assert found.overall()["labels, earth mover's"] == pytest.approx(
        float(share @ data.sizes / data.sizes.sum())
    )
    sizes = f"{data.sizes.min()} to {data.sizes.max()} samples per client"
    assert found.describe().startswith(sizes)


def test_tenths_of_a_target_are_as_far_as_they_lie() -> None:
    counts = np.zeros((2, 10), dtype=np.int64)
    counts[0, 0] = counts[1, 9] = 7
    assert _moved_tenths(counts) == pytest.approx([0.5, 0.5])  # half of it across the whole range
    counts[1, 9], counts[1, 1] = 0, 7
    assert _moved_tenths(counts) == pytest.approx([0.5 / 9, 0.5 / 9])


def test_features_of_shifted_clients_are_as_far_as_they_were_shifted() -> None:
    plain = fb.Experiment(data=fb.BreastCancer(), partition=fb.IID(clients=2), seed=1)
    alike = plain.federation().heterogeneity().features
    shifted = plain.replace(skews=(fb.Shift(std=3.0),)).federation()
    apart = shifted.heterogeneity().features
    assert (apart > 3 * alike).all()
    assert (alike[:, :2] < 0.2).all() and (apart[:, :2] <= 1).all()


def test_feature_distances_equal_scipys() -> None:
    data = fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=3, alpha=1)).federation()
    found = data.heterogeneity().features[:, 2]
    for client in range(3):
        mine = data.x[data.offsets[client] : data.offsets[client + 1]].astype(float)
        whole = data.x.astype(float)
        oracle = [
            wasserstein_distance(mine[:, k], whole[:, k]) / whole[:, k].std() for k in range(13)
        ]
        assert found[client] == pytest.approx(np.mean(oracle), rel=1e-6)


def test_it_prints_as_one_line() -> None:
    data = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=40)).federation()
    found = data.heterogeneity()
    assert repr(found).startswith(
        "<Heterogeneity of 40 clients: 3 to 4 samples per client (Gini 0."
    )
    assert repr(found).endswith("(Jensen–Shannon, 0 is even)>") and "\n" not in repr(found)


def test_a_figure_has_every_count_and_names_as_text() -> None:
    names = ("<b>north</b>", "$x$")
    counts = np.array([[1, 0, 5], [2, 3, 0]])
    figure = partition_figure(counts, ("a", "<i>b</i>", "c"), names)
    bars, heat = figure.data
    assert list(bars.y) == [6, 5]
    np.testing.assert_array_equal(np.array(heat.z), counts.T)
    assert list(heat.y) == ["a", "&lt;i&gt;b&lt;/i&gt;", "c"]
    assert list(figure.layout.xaxis2.ticktext) == ["&lt;b&gt;north&lt;/b&gt;", "&#36;x&#36;"]


def test_the_figure_of_a_federation_is_that_of_its_counts() -> None:
    data = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=40)).federation()
    figure = data.figure("wines")
    np.testing.assert_array_equal(np.array(figure.data[1].z), data.counts().T)
    assert figure.layout.title.text == "wines"
    assert figure.layout.xaxis2.ticktext is None  # forty names have no room
