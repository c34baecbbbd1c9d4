"""What each partition promises, in numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

import fedbench as fb
from fedbench.data import Column, Dataset, FederatedDataset
from fedbench.data.quantity import integers
from tests.laws.test_data_laws import SITES, Sited

STRATA = np.arange(2000) % 10
TEST = np.arange(500) % 10


def held(partition, train=STRATA, test=TEST, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return counts [clients, classes] of training and of test rows."""
    found = []
    owners = partition.assign(train, test, np.random.default_rng(seed))
    for own, strata in zip(owners, (train, test), strict=True):
        counts = np.zeros((partition.clients, int(train.max()) + 1), dtype=int)
        np.add.at(counts, (own, strata), 1)
        found.append(counts)
    return found[0], found[1]


@pytest.mark.parametrize(("clients", "classes"), [(20, 2), (20, 5), (10, 1), (50, 3)])
def test_a_pathological_client_knows_k_classes_and_each_class_has_as_many_clients(
    clients: int, classes: int
) -> None:
    train, test = held(fb.Pathological(clients=clients, classes=classes))
    assert ((train > 0).sum(axis=1) == classes).all()
    assert ((test > 0).sum(axis=1) <= classes).all() and not test[train == 0].any()
    holders = (train > 0).sum(axis=0)
    assert holders.max() - holders.min() <= 1
    for k in range(10):
        own = train[:, k][train[:, k] > 0]
        assert own.max() - own.min() <= 1


def test_classes_without_a_client_are_not_lost() -> None:
    train, _ = held(fb.Pathological(clients=2, classes=1))
    assert train.sum() == 2000
    assert sorted((train > 0).sum(axis=1).tolist()) == [5, 5]


def test_shards_are_mcmahans() -> None:
    train, test = held(fb.Shards(clients=100, shards=2))
    assert (train.sum(axis=1) == 20).all()
    assert ((train > 0).sum(axis=1) <= 2).all()  # 200 shards of 10 rows: none spans two classes
    assert (train[train > 0] % 10 == 0).all()
    assert not test[train == 0].any()
    other, _ = held(fb.Shards(clients=100, shards=2), seed=1)
    assert not np.array_equal(train, other)


def test_inner_dirichlet_skews_classes_and_not_sizes() -> None:
    for alpha, low, high in ((0.05, 1, 3), (100, 9, 10)):
        train, test = held(fb.InnerDirichlet(clients=20, alpha=alpha))
        assert (train.sum(axis=1) == 100).all()
        known = np.median((train > 5).sum(axis=1))
        assert low <= known <= high
        assert test.sum() == 500
    spread, _ = held(fb.InnerDirichlet(clients=20, alpha=100, spread=1.0))
    assert np.log(spread.sum(axis=1)).std() == pytest.approx(1, abs=0.5)


def test_sizes_follow_their_law() -> None:
    rows, clients = np.zeros(200_000, dtype=int), 2000
    none = np.zeros(0, dtype=int)

    def sizes(**fields) -> np.ndarray:
        return held(fb.Sizes(clients=clients, **fields), rows, none)[0][:, 0]

    logs = np.log(sizes(law="lognormal", spread=0.5))
    assert logs.std() == pytest.approx(0.5, rel=0.1)
    assert stats.kstest((logs - logs.mean()) / logs.std(), "norm").pvalue > 1e-4
    waits = sizes(law="exponential", spread=1.0)
    assert stats.kstest(waits / waits.mean(), "expon").pvalue > 1e-4
    zipf = np.sort(sizes(law="powerlaw", spread=0.5))[::-1]
    ratio = zipf[0] / zipf[99]
    assert ratio == pytest.approx(10, rel=0.05)  # the first against the hundredth: 100 ** 0.5
    for law in ("lognormal", "powerlaw", "exponential"):
        assert (sizes(law=law, spread=0.0) == 100).all()
    assert sizes(law="powerlaw", spread=3.0, min_samples=7).min() == 7


def test_whole_numbers_in_proportion() -> None:
    assert integers(np.array([0.5, 0.3, 0.2]), 10, 0).tolist() == [5, 3, 2]
    assert integers(np.array([1.0, 1.0, 1.0]), 11, 1).sum() == 11
    assert integers(np.array([1e-9, 1.0]), 5, 1).tolist() == [1, 4]


def test_given_sizes_are_given_and_the_rest_is_nobodys() -> None:
    data = FederatedDataset.build(Sited(), fb.GivenSizes(sizes=(50, 7, 120)), 3)
    assert data.sizes.tolist() == [50, 7, 120]
    assert len(data.y) == 177 and len(data.y_test) == len(Sited().load().y_test)
    tested = np.diff(data.test_offsets)
    assert np.abs(tested - np.array([50, 7, 120]) / 177 * tested.sum()).max() < 1


def test_more_than_there_is_is_refused_with_the_numbers() -> None:
    with pytest.raises(
        ValidationError,
        match=r"partition\.sizes\n.*add up to 200 training samples and Wine has 142",
    ):
        fb.Experiment(data=fb.Wine(), partition=fb.GivenSizes(sizes=(150, 50)))
    with pytest.raises(ValidationError, match=r"sizes\.1\n.*must be at least 1"):
        fb.GivenSizes(sizes=(150, -5))
    with pytest.raises(ValueError, match="need 2000 training samples and Sited has 298"):
        FederatedDataset.build(Sited(), fb.Shards(clients=1000, shards=2), 0)


def test_natural_clients_are_the_values_of_the_column() -> None:
    source = Sited()
    raw = source.table()
    data = FederatedDataset.build(source, fb.Natural(), 0)
    assert data.names == SITES
    whole = np.bincount(raw.columns["site"].codes)
    np.testing.assert_array_equal(data.sizes + np.diff(data.test_offsets), whole)
    north = set(raw.x[raw.columns["site"].codes == 0, 0])
    rows = source.load()
    back = data.x[: data.sizes[0], 0]
    assert len(back) == (rows.columns["site"].codes == 0).sum() and len(north) == whole[0]


def test_natural_needs_a_column_that_there_is() -> None:
    with pytest.raises(
        ValidationError, match=r"partition\.kind\n.*Digits has no column that names the holder"
    ):
        fb.Experiment(partition=fb.Natural())
    with pytest.raises(ValidationError, match=r"no column 'town' to split by; it has 'hospital'"):
        fb.Experiment(data=fb.HeartDisease(), partition=fb.Natural(column="town"))


class Held(Sited):
    """The same rows, of which all of one site are held out."""

    def held_out(self, raw):
        return raw.columns["site"].codes == 1


def test_a_client_without_training_rows_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"leaves client '<b>south' without a training sample \(1"):
        FederatedDataset.build(Held(), fb.Natural(), 0)


def test_groups_gather_values_to_near_equal_sizes() -> None:
    data = FederatedDataset.build(Sited(), fb.GroupedNatural(clients=2), 0)
    assert data.names == ("north + west", "<b>south + east")
    assert abs(int(data.sizes[0]) - int(data.sizes[1])) < 40
    whole = FederatedDataset.build(Sited(), fb.GroupedNatural(clients=1), 0)
    assert whole.names == ("north and 3 more",)
    with pytest.raises(
        ValidationError, match="5 clients need as many values of 'hospital', which has 4"
    ):
        fb.Experiment(data=fb.HeartDisease(), partition=fb.GroupedNatural(clients=5))


def test_periods_follow_each_other() -> None:
    source = Sited()
    rows = source.load()
    assert rows.time is not None and rows.test_time is not None
    train, test = fb.ByTime(clients=4).owners(rows, np.random.default_rng(0))
    assert np.ptp(np.bincount(train)) <= 1
    for k in range(3):
        assert rows.time[train == k].max() < rows.time[train == k + 1].min()
        assert rows.test_time[test == k].max() < rows.time[train == k + 1].min()
    later = replace(rows, test_time=rows.test_time + 1e9)
    assert set(fb.ByTime(clients=4).owners(later, np.random.default_rng(0))[1]) == {3}
    with pytest.raises(ValueError, match="does not record when a row was observed"):
        FederatedDataset.build(fb.Wine(), fb.ByTime(clients=3), 0)


def test_counts_made_by_hand_are_what_the_clients_hold() -> None:
    counts = ((20, 0, 5), (0, 30, 1), (1, 1, 1))
    experiment = fb.Experiment(
        data=fb.Wine(), partition=fb.Explicit(counts=counts, names=("a", "<b>", "c"))
    )
    data = experiment.federation()
    assert data.counts().tolist() == [list(row) for row in counts]
    assert data.names == ("a", "<b>", "c")
    assert np.diff(data.test_offsets).sum() == len(data.y_test)
    assert "3 clients · by hand" in experiment.describe()
    assert fb.Experiment.from_toml(experiment.to_toml()) == experiment


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"counts": ((1, 2), (1,))}, r"counts\.1\n.*it has 1 classes and the first client has 2"),
        ({"counts": ((1, 2), (0, 0))}, r"counts\.1\n.*needs at least one training sample"),
        ({"counts": ((1, -2),)}, r"counts\.0\.1\n.*must be at least 0"),
        ({"counts": ((1, 2),), "names": ("a", "b")}, r"names\n.*there are 1 clients and 2 names"),
        ({"counts": ()}, r"counts\n.*at least 1 item"),
    ],
)
def test_counts_that_cannot_be(fields: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        fb.Explicit(**fields)


def test_counts_that_the_data_do_not_have() -> None:
    wines = fb.Experiment(data=fb.Wine())
    with pytest.raises(ValidationError, match=r"partition\.counts\n.*add up to 900 training"):
        wines.replace(partition=fb.Explicit(counts=((300, 300, 300),)))
    with pytest.raises(ValueError, match="2 classes are given and Wine has 3"):
        wines.replace(partition=fb.Explicit(counts=((3, 3),))).federation()
    there = int(np.bincount(fb.Wine().load().y)[2])
    with pytest.raises(ValueError, match=rf"50 .* of class 'grower 3' .* has {there}; ask"):
        wines.replace(partition=fb.Explicit(counts=((1, 1, 50),))).federation()


def test_a_column_of_values() -> None:
    column = Column.of(np.array(["b", "a", "b"]))
    assert column.names == ("a", "b") and column.codes.tolist() == [1, 0, 1]
    assert column[np.array([True, False, True])].codes.tolist() == [1, 1]
    assert isinstance(fb.Wine().load(), Dataset)
