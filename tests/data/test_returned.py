"""What sources, partitions, skews and samplers of the user's return is checked before training."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.data import Card, Column, RandomSplit, Raw, Task
from fedbench.data.partition import Deal, Partitioner, Split
from fedbench.data.skews import Skew
from fedbench.participation import Availability
from fedbench.participation.sampling import Sampling

ROOT = Path(__file__).parents[2]
CLASSES = Card("Own", "here", "ours", "classification", (3,), ("a", "b", "c"), "ill", ("no", "yes"))
NUMBERS = Card("Own", "here", "ours", "regression", (3,), ("a", "b", "c"), "mmHg")


class Own(RandomSplit):
    """A source that returns what a test puts here."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (3,)
    case: str
    given: ClassVar[Any] = None

    def table(self) -> Any:
        given = type(self).given
        return given() if callable(given) else given


class OwnNumbers(Own):
    """The same for a regression."""

    task: ClassVar[Task] = "regression"


def features(rows: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)


def labels(rows: int = 40) -> np.ndarray:
    return np.arange(rows) % 2


def raw(**changes: Any) -> Raw:
    return Raw(**{"card": CLASSES, "x": features(), "y": labels()} | changes)


def replaced(values: np.ndarray, place: Any, value: Any) -> np.ndarray:
    values = values.copy()
    values[place] = value
    return values


CASES: dict[str, tuple[Any, str]] = {
    "nothing": (None, "returned None; return a Raw"),
    "a pair": ((features(), labels()), "returned a tuple; return a Raw"),
    "labels 1 and 2": (
        raw(y=labels() + 1),
        "y is 2 in row 1 (it holds 1, 2); the card names 2 classes, so y holds whole numbers from "
        "0 to 1: encode labels by np.unique(labels, return_inverse=True)[1]",
    ),
    "labels -1 and 1": (raw(y=2 * labels() - 1), "y is -1 in row 0 (it holds -1, 1); the card"),
    "labels between": (raw(y=labels() * 0.5), "y is 0.5 in row 1 (it holds 0, 0.5); the card"),
    "a label missing": (raw(y=replaced(labels() * 1.0, 3, np.nan)), "y is nan in row 3"),
    "labels as texts": (raw(y=np.array(["no", "yes"] * 20)), "y holds texts or objects, as in row"),
    "y as a column": (raw(y=labels()[:, None]), "y has shape (40, 1); give one target a row, as"),
    "y one-hot": (raw(y=np.eye(2)[labels()]), "y has shape (40, 2) where (40,) is needed"),
    "y too short": (raw(y=labels(39)), "y has shape (39,) where (40,) is needed, one a row"),
    "y as a list": (raw(y=labels().tolist()), "y is a list; give a numpy array"),
    "x as a frame": (
        raw(x=pd.DataFrame(features())),
        "x is a DataFrame of shape (40, 3); ca",
    ),
    "x of objects": (raw(x=features().astype(object)), "x holds texts or objects; turn them into"),
    "x too wide": (raw(x=np.ones((40, 4))), "x has examples of shape (4,) and the card says (3,)"),
    "x flat": (raw(x=np.ones(40)), "x has examples of shape () and the card says (3,)"),
    "x empty": (raw(x=features(0), y=labels(0)), "x has no rows"),
    "x with a gap": (raw(x=replaced(features(), (5, 1), np.nan)), "'b' is nan in raw row 5"),
    "x infinite": (raw(x=replaced(features(), (5, 1), np.inf)), "'b' is inf in raw row 5"),
    "one class": (
        raw(card=Card("Own", "here", "ours", "classification", (3,), (), "ill", ("no",))),
        "the card has classes ('no',); name two at least",
    ),
    "another task": (
        raw(card=NUMBERS),
        "the card's task is 'regression' and the class says",
    ),
    "a client not there": (
        raw(card=Card(**vars(CLASSES) | {"client": "site"})),
        "the card's client column is 'site', and columns has none; add columns={'site': Column.of(",
    ),
    "a column too short": (
        raw(columns={"site": Column.of(np.arange(39))}),
        "codes of column 'site' has shape (39,) where (40,) is needed",
    ),
    "a column of values": (
        raw(columns={"site": np.arange(40)}),
        "column 'site' is a numpy array of shape (40,); give Column.of(values)",
    ),
    "codes without names": (
        raw(columns={"site": Column(("A",), np.arange(40))}),
        "column 'site' has code 1 at place 1, and there are 1 names; the first is 0",
    ),
    "times too few": (raw(time=np.arange(3.0)), "time has shape (3,) where (40,) is needed"),
    "a time missing": (raw(time=replaced(np.arange(40.0), 7, np.nan)), "time is nan in row 7"),
    "units as texts": (raw(units=np.array(["a"] * 40)), "units holds texts or objects where whole"),
    "held as rows": (raw(held=np.arange(40)), "held holds whole numbers where true or false are"),
    "x with a mask": (
        raw(x=np.ma.masked_array(features(), mask=features() > 1.5)),
        "x is a masked array with a gap in row ",
    ),
    "y with a mask": (
        raw(y=np.ma.masked_array(labels(), mask=np.arange(40) == 7)),
        "y is a masked array with a gap in row 7 (1 such values); fill in or drop gaps, and give a "
        "plain array",
    ),
    "a time with a mask": (
        raw(time=np.ma.masked_array(np.arange(40.0), mask=np.arange(40) == 7)),
        "time is a masked array with a gap in row 7",
    ),
    "a mask of nothing": (raw(x=np.ma.masked_array(features())), "x is a masked array; fill in or"),
    "x as a matrix": (raw(x=features().view(np.matrix)), "x is a matrix; give a plain array, as n"),
    "times as dates": (
        raw(time=np.datetime64("2020") + np.arange(40)),
        "time holds dates where numbers are needed; give seconds, as in "
        "time.astype('datetime64[s]').astype(float)",
    ),
    "a date missing": (
        raw(time=replaced(np.datetime64("2020") + np.arange(40), 7, np.datetime64("NaT"))),
        "time is missing in row 7; fill in or drop such rows",
    ),
    "times as durations": (
        raw(time=np.arange(40).astype("timedelta64[h]")),
        "time holds durations where numbers are needed; give seconds, as in time / np.timedelta64",
    ),
    "complex": (raw(x=features() * 1j), "x holds complex numbers; turn them into numbers"),
    "too few features": (
        raw(card=Card(**vars(CLASSES) | {"features": ("a", "b")})),
        "the card names 2 features and an example has 3 numbers (shape (3,)); name each, or leave",
    ),
    "too many features": (
        raw(card=Card(**vars(CLASSES) | {"features": tuple("abcd")})),
        "the card names 4 features and an example has 3 numbers",
    ),
    "equal features": (
        raw(card=Card(**vars(CLASSES) | {"features": tuple("aba")})),
        "the card has the feature 'a' 2 times; give each a name of its own",
    ),
    "equal classes": (
        raw(card=Card(**vars(CLASSES) | {"classes": ("no", "yes", "no")})),
        "the card has the class 'no' 2 times; give each a name of its own",
    ),
    "equal names": (
        raw(columns={"site": Column(("A", "A"), labels())}),
        "column 'site' has the name 'A' 2 times; give each a name of its own",
    ),
    "the same class everywhere": (
        raw(y=labels() * 0 + 1),
        "target 'ill' is 'yes' in every row: there is nothing to learn",
    ),
    "own code": (lambda: {}["rows"], "Own.table() raised KeyError: 'rows' ("),
    "a library": (lambda: np.ones(3) @ np.ones(4), "Own.table() raised ValueError ("),
}


@pytest.mark.parametrize("case", CASES)
def test_a_table_that_cannot_be_is_refused_in_words(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, said = CASES[case]
    monkeypatch.setattr(Own, "given", staticmethod(given) if callable(given) else given)
    with pytest.raises(ValueError) as caught:
        Own(case=case).load()
    assert said in str(caught.value)
    assert not re.search(r"dtype\('|broadcast|gufunc|mismatch in", str(caught.value))


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (replaced(np.ones(40), 3, np.inf), "target 'mmHg' is inf in row 3 (1 such values)"),
        (np.array(["120"] * 40), "y holds texts or objects where numbers are needed"),
        (np.ones(40), "target 'mmHg' is 1 in every row: there is nothing to learn"),
        (
            replaced(np.arange(40.0), 7, 1e200),
            "target 'mmHg' is 1e+200 in row 7, and numbers up to 1e+30 can be predicted; correct",
        ),
    ],
)
def test_targets_of_a_regression_are_numbers(
    y: np.ndarray, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Own, "given", raw(card=NUMBERS, y=y))
    with pytest.raises(ValueError, match=re.escape(said)):
        OwnNumbers(case=said).load()


MISSING = "the value of row 1 is missing, "


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array(["a", None, "b"], dtype=object), f"{MISSING}None (1 such rows); say who or what"),
        (np.array([1.0, np.nan, np.nan]), f"{MISSING}nan (2 such rows)"),
        (["a", "", " "], f"{MISSING}'' (2 such rows)"),
        (pd.array(["a", None, "b"], dtype="string"), f"{MISSING}<NA> (1 such rows)"),
        (pd.Series(["a", None, "b"]), f"{MISSING}nan (1 such rows)"),
        (pd.array([1, None, 2], dtype="Int64"), f"{MISSING}<NA> (1 such rows)"),
        (pd.Categorical(["a", None, "b"]), f"{MISSING}nan (1 such rows)"),
        (np.array(["2020-01-01", "NaT"], dtype="M8[D]"), f"{MISSING}None (1 such rows)"),
        (np.ma.masked_array(["a", "b"], mask=[False, True]), "values is a masked array with a gap"),
        (np.array(["a", 1, "b"], dtype=object), "values holds 'a' in row 0 and 1 in row 1, of dif"),
        (
            np.array([1, "1"], dtype=object),
            "values holds 1 in row 0 and '1' in row 1, of different",
        ),
        (
            np.array([1, True, 2], dtype=object),
            "values holds 1 in row 0 and True in row 1, of diff",
        ),
        (np.array([["a"], ["b"]]), "values has shape (2, 1); give one value a row"),
    ],
)
def test_a_column_says_of_each_row_whose_it_is(values: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"Column.of(values): {said}")):
        Column.of(values)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "b"], ("a", "b")),
        (np.array([10, 2, 10]), ("2", "10")),
        (np.array([True, False, True]), ("False", "True")),
        (np.array(["b", "a", "b"], dtype=object), ("a", "b")),
        (pd.Series(["b", "a", "b"], dtype="category"), ("a", "b")),
        (pd.array([10, 2, 10], dtype="Int64"), ("2", "10")),
        (np.array(["2021", "2020", "2021"], dtype="M8[Y]"), ("2020", "2021")),
        (np.array([10**30, 2, 10**30], dtype=object), ("2", str(10**30))),
    ],
)
def test_a_column_is_made_of_values_of_one_kind(values: Any, names: tuple[str, ...]) -> None:
    found = Column.of(values)
    assert found.names == names
    np.testing.assert_array_equal(found.codes, [1, 0, 1])


def test_a_target_that_is_constant_in_training_is_refused() -> None:
    class Late(fb.GivenSplit):
        """A pressure that changes only when it is tested."""

        task: ClassVar[Task] = "regression"
        shape: ClassVar[tuple[int, ...]] = (3,)

        def table(self) -> Raw:
            y = np.where(np.arange(40) < 30, 0.1, 5.0)
            return raw(card=NUMBERS, y=y, held=np.arange(40) >= 30)

    said = "the target 'mmHg' is 0.1 in every training row, so there is nothing to learn"
    with pytest.raises(ValueError, match=said):
        Late().load()


def test_a_name_without_rows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Column(("A", "B", "C"), labels())
    given = raw(card=Card(**vars(CLASSES) | {"client": "site"}), columns={"site": site})
    monkeypatch.setattr(Own, "given", given)
    experiment = fb.Experiment(data=Own(case="unused"), partition=fb.Natural())
    with pytest.raises(ValueError, match=r"leaves client 'C' .*; choose GroupedNatural") as caught:
        experiment.federation()
    assert "or a column without values that no row has, as Column.of makes it" in str(caught.value)
    grouped = fb.Experiment(data=Own(case="unused"), partition=fb.GroupedNatural(clients=2))
    assert grouped.federation().clients == 2


def test_a_client_without_training_rows_is_given_a_remedy_that_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Held(fb.GivenSplit):
        """Two clients, of whom one has test rows alone."""

        task: ClassVar[Task] = "classification"
        shape: ClassVar[tuple[int, ...]] = (3,)

        def table(self) -> Raw:
            site = Column.of(np.where(np.arange(40) < 4, "A", "B"))
            card = Card(**vars(CLASSES) | {"client": "site"})
            return raw(card=card, columns={"site": site}, held=np.arange(40) < 8)

    natural = fb.Experiment(data=Held(), partition=fb.Natural())
    with pytest.raises(ValueError, match=r"'A' without a training sample .*; choose Group"):
        natural.federation()
    grouped = fb.Experiment(data=Held(), partition=fb.GroupedNatural(clients=2))
    with pytest.raises(ValueError, match=r"'A' without a training sample .*; choose fewer"):
        grouped.federation()


def test_a_library_is_not_taken_for_the_users_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code is named by a path within its library; the line of the user's is wanted."""

    def given() -> Any:
        return bool(pd.NA)

    monkeypatch.setattr(Own, "given", staticmethod(given))
    with pytest.raises(
        ValueError, match=r"raised TypeError \(.*test_returned\.py, line \d+, in gi"
    ):
        Own(case="compiled").load()


def test_what_is_wrong_with_a_source_is_said_as_of_any_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Own, "given", raw(y=labels() + 1))
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(data=Own(case="words"), partition=fb.Natural())
    (error,) = caught.value.errors()
    assert (error["loc"], error["type"]) == (("data",), "unsound")
    assert error["msg"].startswith("Own.table(): y is 2 in row 1")
    text = str(caught.value)
    assert "Value error" not in text
    assert "errors.pydantic.dev" not in text
    assert "input_value={" not in text
    assert fb.Experiment.__name__ in text


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (features().astype(np.float64), labels().astype(bool)),
        (features().astype(np.float16), labels().astype(np.float32)),
        (features() > 0, labels().astype(np.uint8)),
    ],
)
def test_what_can_be_read_without_a_doubt_is_taken(
    x: np.ndarray, y: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Own, "given", raw(x=x, y=y))
    data = Own(case=str(x.dtype)).load()
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.int64)
    assert set(data.y.tolist()) == {0, 1}


def test_a_split_and_a_preparation_of_ones_own() -> None:
    class Held(Own):
        """Holds out rows by their numbers."""

        held: ClassVar[Any] = np.arange(40)

        def held_out(self, raw: Raw) -> Any:
            return type(self).held

    class Prepared(Own):
        """Prepares features in double precision."""

        made: ClassVar[Any] = None

        def prepare(self, raw: Raw, held: Any) -> Any:
            return type(self).made

    Own.given = raw()
    for cls, name, value, said in [
        (Held, "held", np.arange(40), "held_out(): the answer holds whole numbers where true or f"),
        (Held, "held", np.ones(39, bool), "held_out(): the answer has shape (39,) where (40,) is"),
        (Prepared, "made", np.ones((40, 3)), "returned float64 values where float32 is needed; en"),
        (Prepared, "made", np.ones((40, 2), "f"), "returned shape (40, 2) where (40, 3) is needed"),
        (Prepared, "made", None, "prepare(): the answer is None; give a numpy array"),
    ]:
        setattr(cls, name, value)
        with pytest.raises(ValueError, match=re.escape(said)):
            cls(case=said).load()
    Own.given = None


def test_the_clinics_of_the_contributors_guide_work_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = [each for each in text.split("```") if "class Clinics" in each]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=["age", "weight", "height"])
    frame["mmHg"] = 120 + 10 * frame["age"]
    frame["clinic"] = rng.choice(["A", "B", "C"], 120)
    frame.to_csv(tmp_path / "clinics.csv", index=False)
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {"__name__": "clinics"}
    exec(block.removeprefix("python"), given)
    source = given["Clinics"]()
    experiment = fb.Experiment(data=source, partition=fb.Natural(), rounds=3)
    assert experiment.clients == 3
    assert experiment.federation().names == ("A", "B", "C")
    assert fb.run(experiment).rows[-1].metrics["rmse"] < 10


# Partitions, skews and samplers


class Dealt(Partitioner):
    """A partition whose deal a test puts here."""

    case: str
    make: ClassVar[Callable[[Any], Any]]

    def count(self, source: Any) -> int:
        return 2

    def deal(self, data: Any, seed: int) -> Any:
        return type(self).make(data)


def dealt(order: Any = None, offsets: Any = None, test: Any = None, **more: Any) -> Any:
    def make(data: Any) -> Deal:
        rows, tests = len(data.y), len(data.y_test)
        whole = np.arange(rows) if order is None else order(rows)
        return Deal(
            whole,
            np.array([0, 5, len(whole)]) if offsets is None else offsets(rows),
            np.arange(tests) if test is None else test(tests),
            np.array([0, 5, tests if test is None else len(test(tests))]),
            **more,
        )

    return make


DEALS = {
    "None": (lambda data: None, "returned None; return a Deal"),
    "loses": (
        dealt(lambda n: np.arange(n - 3)),
        "gives 3 of 142 training rows to no client, the",
    ),
    "doubles": (dealt(lambda n: np.arange(n) // 2 * 2), "gives training row 0 to 2 clients"),
    "too far": (dealt(lambda n: np.arange(n) + 1), "has row 142 at place 141, and there are 142"),
    "floats": (
        dealt(lambda n: np.arange(n) * 1.0),
        "order of training rows holds numbers where",
    ),
    "loses tests": (dealt(test=lambda n: np.arange(n - 1)), "gives 1 of 36 test rows to no client"),
    "three": (dealt(offsets=lambda n: np.array([0, 1, 2, n])), "3 clients, and count() says 2"),
    "falls": (dealt(offsets=lambda n: np.array([0, n + 1, n])), "must rise from 0 to the 142 rows"),
    "names": (dealt(names=("A",)), "has 1 names for 2 clients"),
}


@pytest.mark.parametrize("case", DEALS)
def test_a_deal_that_loses_or_doubles_rows_is_refused(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, said = DEALS[case]
    monkeypatch.setattr(Dealt, "make", staticmethod(make), raising=False)
    with pytest.raises(ValueError, match=re.escape(said)):
        fb.Experiment(data=fb.Wine(), partition=Dealt(case=case)).federation()


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        (
            lambda n, m: (np.arange(n) % 3, np.arange(m) % 2),
            "row has owner 2 at place 2, and",
        ),
        (lambda n, m: (np.arange(n) % 2 - 1, np.arange(m) % 2), "row has owner -1 at place 0"),
        (lambda n, m: (np.arange(n) % 2 * 1.0, np.arange(m) % 2), "holds numbers where whole"),
        (lambda n, m: (np.arange(n - 1) % 2, np.arange(m) % 2), "has shape (141,) where (142,)"),
        (
            lambda n, m: np.arange(n) % 2,
            "returned a numpy array of shape (142,); return the owners",
        ),
    ],
)
def test_owners_are_numbers_of_clients(owners: Any, said: str) -> None:
    class Owned(Split):
        """A split by a function."""

        clients: int = 2

        def count(self, source: Any) -> int:
            return self.clients

        def owners(self, data: Any, rng: Any) -> Any:
            return owners(len(data.y), len(data.y_test))

    with pytest.raises(ValueError, match=re.escape(said)):
        fb.Experiment(data=fb.Wine(), partition=Owned()).federation()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: x, "; return the features and the targets"),
        (lambda x, y: (x[:1], y), "changed x of client 0 from shape"),
        (lambda x, y: (x, y[:1]), "changed y of client 0 from shape"),
        (lambda x, y: (x * np.nan, y), "x of client 0 is nan in row 0"),
        (lambda x, y: (x, y + 1), "y is 3 in row"),
        (lambda x, y: (x, y * 0.5), "changed y of client 0 from int64 to float64"),
        (lambda x, y: (x @ np.ones((2, 2)), y), "Changed.apply() raised ValueError ("),
    ],
)
def test_a_skew_keeps_the_shape_and_the_meaning_of_rows(change: Any, said: str) -> None:
    class Changed(Skew):
        """A change by a function."""

        def apply(self, x: Any, y: Any, who: Any) -> Any:
            return change(x, y)

    experiment = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=2), skews=(Changed(),))
    with pytest.raises(ValueError, match=re.escape(said)):
        experiment.federation()


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (lambda: np.array([0, 4]), "the cohort has client 4 at place 1, and there are 4 clients"),
        (lambda: np.array([-1, 0]), "the cohort has client -1 at place 0"),
        (lambda: np.array([1, 1]), "the cohort has client 1 before 1; return each client once"),
        (lambda: np.array([2, 1]), "the cohort has client 2 before 1; return each client once"),
        (lambda: np.array([0.0, 1.0]), "the cohort holds numbers where whole numbers are needed"),
        (lambda: [0, 1], "the cohort is a list; give a numpy array"),
        (lambda: np.ones(4, bool), "the cohort holds true or false where whole numbers are needed"),
        (lambda: {}["x"], "Drawn raised KeyError: 'x' ("),
    ],
)
def test_a_cohort_is_made_of_clients_each_once_in_order(ids: Any, said: str) -> None:
    class Drawn(Sampling):
        """Draws by a function."""

        def draw(self, clients: int, rng: Any, turn: int = 0) -> Any:
            return ids()

        def expected(self, clients: int) -> float:
            return 2.0

    experiment = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), sampling=Drawn())
    with pytest.raises(ValueError, match=re.escape(said)):
        experiment.cohort(1)


def test_who_is_there_is_true_or_false_for_each_client() -> None:
    class Numbered(Availability):
        """Gives numbers of clients."""

        @property
        def expected(self) -> float:
            return 1.0

        def there(self, clients: int, seed: int, round: int) -> Any:
            return np.arange(clients)

    devices = fb.Devices(availability=Numbered())
    experiment = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), devices=devices)
    with pytest.raises(ValueError, match=r"Numbered.there\(\): the answer holds whole numbers"):
        experiment.cohort(1)
