"""Standardising: any unit and any offset, and what single precision has no room for is refused."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import pytest

import fedbench as fb
from fedbench.data import Card, Column, RandomSplit, Raw, Task
from fedbench.data.values import lost_value, standardised

ROWS = 120
NOISE = np.random.default_rng(0).normal(size=(ROWS, 3))
KNOWN = np.arange(ROWS) % 5 != 0
EVERY = np.ones(ROWS, dtype=bool)


@pytest.fixture(autouse=True)
def no_warnings() -> Any:
    with warnings.catch_warnings(action="error", category=RuntimeWarning):
        yield


@pytest.mark.parametrize("unit", [1e-310, 1e-300, 1e-160, 1e-30, 1e30, 1e153, 1e200, 1e306])
def test_the_unit_of_a_column_does_not_matter(unit: float) -> None:
    wanted = (NOISE - NOISE[KNOWN].mean(0)) / NOISE[KNOWN].std(0)
    np.testing.assert_allclose(standardised(NOISE * unit, KNOWN), wanted, atol=1e-6)
    np.testing.assert_allclose(standardised(NOISE * -unit, KNOWN), -wanted, atol=1e-6)
    deep = standardised((NOISE * unit).reshape(ROWS, 3, 1), KNOWN)
    np.testing.assert_allclose(deep[..., 0], wanted, atol=1e-6)
    flat = standardised(NOISE[:, 0] * unit, KNOWN)
    np.testing.assert_allclose(flat, wanted[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("offset", "noise"),
    [
        (1e15, 1e5),
        (1e15, 8),
        (-1e15, 1e5),
        (1.7e18, 1e9),
        (1e300, 1e290),
        (1e-290, 1e-300),
        (1, 1e-11),
    ],
)
def test_a_large_offset_does_not_matter(offset: float, noise: float) -> None:
    x = offset + NOISE * noise
    scaled = standardised(x, KNOWN)
    exact = (x - x[0]) / noise  # no digit is lost
    wanted = (exact - exact[KNOWN].mean(0)) / exact[KNOWN].std(0)
    np.testing.assert_allclose(scaled, wanted, atol=1e-6)
    np.testing.assert_allclose(scaled[KNOWN].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled[KNOWN].std(0), 1, atol=1e-6)


def test_times_within_a_second_are_told_apart_in_a_table() -> None:
    import pandas as pd

    rng = np.random.default_rng(1)
    stamps = 1_700_000_000 * 10**9 + rng.integers(0, 10**9, ROWS)
    for column in (stamps, 1e15 + 1e5 * NOISE[:, 0]):
        frame = pd.DataFrame({"b": column, "y": np.where(column > np.median(column), "late", "x")})
        data = fb.Table(frame, target="y").load()
        assert len(np.unique(data.x)) == len(data.y)
        assert abs(data.x.std() - 1) < 1e-3


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -7.7, 1e15, 1e29, 1e300, 5e-324])
def test_a_constant_is_zero_and_what_differs_from_it_is_only_centred(value: float) -> None:
    x = np.full((ROWS, 1), value)
    np.testing.assert_array_equal(standardised(x, KNOWN), 0)
    x[0] = value + 2.5
    assert not KNOWN[0]
    assert standardised(x, KNOWN)[0, 0] == np.float32((value + 2.5) - value)


def test_a_constant_may_be_rounded() -> None:
    x = np.where(np.arange(ROWS) % 2, 0.1 + 0.2, 0.3)[:, None] * [1.0, 1e15, -1e-200]
    assert len(np.unique(x[:, 0])) == 2
    np.testing.assert_array_equal(standardised(x, KNOWN), 0)
    single = np.full((ROWS, 1), 0.1, dtype=np.float32)
    single[3] = np.nextafter(np.float32(0.1), np.float32(1))
    assert np.abs(standardised(np.repeat(single, 1, axis=1), EVERY)).max() < 11


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.bool_, ">f8"])
def test_other_types_are_standardised_too(kind: Any) -> None:
    x = (NOISE > 0 if kind is np.bool_ else NOISE).astype(kind)
    wanted = x.astype(np.float64)
    wanted = (wanted - wanted[KNOWN].mean(0)) / wanted[KNOWN].std(0)
    np.testing.assert_allclose(standardised(x, KNOWN), wanted, atol=1e-6)


def test_each_group_is_scaled_by_its_own_whatever_its_unit() -> None:
    groups = np.arange(ROWS) % 3
    units = np.array([1e-200, 1.0, 1e200])[groups]
    scaled = standardised(NOISE * units[:, None], EVERY, groups)
    for group in range(3):
        np.testing.assert_allclose(scaled[groups == group].std(0), 1, atol=1e-6)


def spoilt(values: Any, row: int, value: float) -> np.ndarray:
    values = np.array(values, dtype=np.float64)
    values[row] = value
    return values


RNG = np.random.default_rng(2)
HOURS = np.arange(5000) % 24 / 24 * 2 * np.pi
SPARSE = np.where(RNG.random(5000) < 0.02, RNG.normal(size=5000), 0.0)
LOST = {
    "far": (spoilt(RNG.normal(size=5000), 77, 1e200), 77),
    "not so far": (spoilt(RNG.normal(size=5000), 77, -1e14), 77),
    "beside an offset": (spoilt(1e6 + RNG.normal(size=5000), 77, 1e20), 77),
    "among few": (spoilt(RNG.integers(0, 2, 5000), 77, 1e12), 77),
    "twice": (spoilt(spoilt(RNG.normal(size=5000), 3, 1e40), 77, 2e40), 77),
    "sparse": (spoilt(SPARSE, 77, 1e200), 77),
}
KEPT = {
    "normal": RNG.normal(size=5000),
    "waves": np.sin(HOURS),
    "heavy tails": RNG.lognormal(0, 3, 5000),
    "very heavy tails": RNG.lognormal(0, 5, 5000),
    "sparse": SPARSE,
    "bits": RNG.integers(0, 2, 5000) * 1.0,
    "a stand-in": spoilt(RNG.normal(size=5000), 77, 999999),
    "far, and not too far": spoilt(RNG.normal(size=5000), 77, 1e6),
    "rounding around 0": np.where(RNG.random(5000) < 0.9, 0.1 + 0.2 - 0.3, RNG.random(5000))
    + RNG.normal(size=5000) * 1e-17,
    "rounding": spoilt(np.where(RNG.random(5000) < 0.5, 0.1 + 0.2, 0.3), 77, 5.0),
    "constant": np.full(5000, 7.5),
    "times": 1.7e18 + RNG.integers(0, 10**9, 5000),
    "gaps in time": spoilt(1.7e9 + RNG.integers(0, 10**7, 5000), 77, 0),
}


@pytest.mark.parametrize("name", LOST)
def test_a_value_that_leaves_no_room_for_the_others_is_named(name: str) -> None:
    x, row = LOST[name]
    known = np.ones(len(x), dtype=bool)
    found = lost_value(x[:, None], standardised(x, known)[:, None])
    assert found is not None
    assert found[:2] == (row, 0)
    assert "so far from the others that single precision" in found[2]


@pytest.mark.parametrize("name", KEPT)
def test_a_column_with_room_for_all_is_taken(name: str) -> None:
    x = KEPT[name]
    assert lost_value(x[:, None], standardised(x, np.ones(len(x), dtype=bool))[:, None]) is None


class Measured(RandomSplit):
    """Three features and a target, in units that a test chooses."""

    task: ClassVar[Task] = "regression"
    shape: ClassVar[tuple[int, ...]] = (3,)
    x: float = 1.0
    y: float = 1.0
    far: float = 0.0
    row: int = 3

    def table(self) -> Raw:
        card = Card("Measured", "", "", "regression", (3,), ("p", "q", "r"), "t", client="who")
        x = NOISE * self.x
        if self.far:
            x[self.row, 1] = self.far
        y = NOISE @ [1.0, 2.0, 3.0] * self.y
        return Raw(card, x, y, columns={"who": Column.of(np.arange(ROWS) % 4)})


def trained(data: Measured) -> fb.History:
    experiment = fb.Experiment(
        data=data, partition=fb.Natural(), rounds=3, engine=fb.StackedEngine(workers=0)
    )
    return fb.run(experiment, progress=False)


def test_a_run_does_not_depend_on_units() -> None:
    plain = trained(Measured()).rows[-1]
    for unit in (1e-300, 1e-200, 1e200, 1e300):
        row = trained(Measured(x=unit)).rows[-1]
        assert row.metrics["rmse"] == pytest.approx(plain.metrics["rmse"], rel=1e-4)
    for unit in (1e-25, 1e-18, 1e18, 1e25):
        row = trained(Measured(y=unit)).rows[-1]
        assert row.metrics["rmse"] / unit == pytest.approx(plain.metrics["rmse"], rel=1e-4)
        assert row.metrics["mae"] / unit == pytest.approx(plain.metrics["mae"], rel=1e-4)
        assert row.metrics["r2"] == pytest.approx(plain.metrics["r2"], rel=1e-4)
        np.testing.assert_allclose(row.clients / np.float32(unit), plain.clients, rtol=1e-4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"far": 1e200}, "Measured: 'q' is 1e+200 in raw row 3, so far from the others that"),
        ({"y": 1e200}, "target 't' is "),
        ({"y": 1e200}, "and numbers up to 1e+30 can be predicted; correct it, or give the target"),
        ({"y": 1e-200}, "differences from 1e-30 on can be predicted; give it in a smaller unit"),
    ],
)
def test_what_has_no_room_is_refused_before_a_run(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="Measured") as caught:
        fb.Experiment(data=Measured(**fields), partition=fb.Natural())
    assert words in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_a_test_row_that_is_too_far_is_named_by_its_value() -> None:
    raw = Measured().table()
    (row, *_) = np.flatnonzero(Measured().held_out(raw))
    with pytest.raises(
        ValueError, match=rf"'q' is 1e\+25 in raw row {row}, too far from the train"
    ):
        Measured(far=1e25, row=int(row)).load()
