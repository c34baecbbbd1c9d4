"""Checks of what sources, partitions and skews of the user's return, before anything is trained.

A message names the class and the method, the first row at fault, its value and what would be right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fedbench.config.usercode import attributed, what
from fedbench.data.card import Card
from fedbench.data.values import LARGEST, SMALLEST

if TYPE_CHECKING:
    from fedbench.data.partition import Partitioner
    from fedbench.data.skews import Skew
    from fedbench.data.source import Dataset, Raw, Source

SHOWN = 6  # values that a message lists
DATES = {
    "M": "; give seconds, as in {key}.astype('datetime64[s]').astype(float)",
    "m": "; give seconds, as in {key} / np.timedelta64(1, 's')",
}


def read_table(source: Source) -> Raw:
    """Return `source.table()`. Raises ValueError where it is not a sound table."""
    from fedbench.data.source import Column, Raw

    name = f"data: {_name(source)}.table()"
    with attributed(name):
        raw = source.table()
    if not isinstance(raw, Raw):
        _fail(name, f"returned {what(raw)}; return a Raw(card, x, y)")
    if not isinstance(raw.card, Card):
        _fail(name, f"Raw.card is {what(raw.card)}; give a Card")
    _check_card(name, source, raw.card)
    rows = len(_array(name, "x", raw.x))
    if rows == 0:
        _fail(name, "x has no rows")
    if raw.x.shape[1:] != raw.card.shape:
        _fail(
            name,
            f"x has examples of shape {raw.x.shape[1:]} and the card says {raw.card.shape}; make "
            "them the same",
        )
    _check_targets(name, raw.card, raw.y, rows)
    _check_spread(name, raw.card, raw.y)
    for key, column in raw.columns.items():
        if not isinstance(column, Column):
            _fail(name, f"column {key!r} is {what(column)}; give Column.of(values)")
        codes = check_vector(name, f"codes of column {key!r}", column.codes, rows, "iu")
        _in_range(name, f"column {key!r} has code", codes, len(column.names), "names")
        _refuse_doubled(name, f"column {key!r} has the name", column.names)
    if raw.card.client and raw.card.client not in raw.columns:
        known = ", ".join(map(repr, raw.columns)) or "none"
        _fail(
            name,
            f"the card's client column is {raw.card.client!r}, and columns has {known}; add "
            f"columns={{{raw.card.client!r}: Column.of(values)}} to the Raw",
        )
    for key, kinds in (("time", "iuf"), ("units", "iu"), ("held", "b"), ("truth", "f")):
        values = getattr(raw, key)
        if values is not None:
            _finite(name, key, check_vector(name, key, values, rows, kinds))
    return raw


def names_of_rows(values: Any) -> NDArray[Any]:
    """Return `values` [N] as an array that can be sorted.

    Raises ValueError where a value is missing, or some are texts and some are not.
    """
    name = "Column.of(values)"
    if not isinstance(values, np.ndarray):
        values = values.to_numpy(object) if _is_pandas(values) else np.asarray(values)
    values = _array(name, "values", values)
    if values.ndim != 1:
        _fail(name, f"values has shape {values.shape}; give one value a row")
    if (gone := _missing(values)).any():
        row = int(gone.argmax())
        _fail(
            name,
            f"the value of row {row} is missing, {_shown(values[row])} ({int(gone.sum())} such "
            "rows); say who or what it is, or drop those rows",
        )
    if values.dtype.kind == "O":
        return _alike(name, values)
    return values


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where a value is none, NaN, or a text without a letter, bool[N]."""
    gone = np.zeros(len(values), dtype=bool)
    if values.dtype.kind in "fcmM":
        gone = values != values  # NaN and NaT alone differ from themselves
    elif values.dtype.kind == "O":
        import pandas as pd

        gone = np.asarray(pd.isna(values), dtype=bool)
    if values.dtype.kind in "OUS":
        blank = [isinstance(each, str | bytes) and not each.strip() for each in values]
        gone = gone | np.array(blank, dtype=bool)
    return gone


def _is_pandas(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "pandas"


def _alike(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return objects that can be sorted. Raises ValueError where they are of several kinds."""
    kinds = {type(value): row for row, value in reversed([*enumerate(values)])}
    try:
        np.unique(values)
        mixed = any(issubclass(kind, bool | np.bool) for kind in kinds) and len(kinds) > 1
    except TypeError:
        mixed = True
    if mixed:
        some = [f"{_shown(values[row])} in row {row}" for row in sorted(kinds.values())[:2]]
        _fail(
            name,
            f"values holds {' and '.join(some)}, of different kinds; write all alike, as in "
            "[str(value) for value in values]",
        )
    return values


def check_held_out(source: Source, held: Any, rows: int) -> NDArray[np.bool_]:
    """Return which rows are held out. Raises ValueError unless it is bool[rows]."""
    return check_vector(f"data: {_name(source)}.held_out()", "the answer", held, rows, "b")


def check_prepared(source: Source, card: Card, x: Any, y: Any, rows: int) -> None:
    """Raise ValueError unless features and targets are as a model needs them."""
    name = f"data: {_name(source)}.prepare()"
    x = _array(name, "the answer", x)
    if x.shape != (rows, *card.shape):
        _fail(name, f"returned shape {x.shape} where {(rows, *card.shape)} is needed")
    wanted = np.int64 if card.vocabulary else np.float32
    if x.dtype != wanted and np.issubdtype(x.dtype, np.integer) == bool(card.vocabulary):
        _fail(
            name,
            f"returned {x.dtype} values where {np.dtype(wanted)} is needed; end with "
            f".astype(np.{np.dtype(wanted)})",
        )
    _check_targets(f"data: {_name(source)}.targets()", card, y, rows)


def check_deal(partition: Partitioner, data: Dataset, deal: Any, clients: int) -> None:
    """Raise ValueError where a deal loses or doubles rows, or is not of `clients` clients."""
    from fedbench.data.partition import Deal

    name = f"partition: {_name(partition)}.deal()"
    if not isinstance(deal, Deal):
        _fail(name, f"returned {what(deal)}; return a Deal(order, offsets, test_order, ...)")
    found = len(deal.offsets) - 1
    if found != clients:
        _fail(name, f"gives rows to {found} clients, and count() says {clients}")
    if deal.names and len(deal.names) != clients:
        _fail(name, f"has {len(deal.names)} names for {clients} clients; give one for each")
    shared = partition.shares_rows or deal.choice is not None
    loses = shared or getattr(partition, "leaves_out", False)
    for kind, order, offsets, rows in (
        ("training", deal.order, deal.offsets, len(data.y)),
        ("test", deal.test_order, deal.test_offsets, len(data.y_test)),
    ):
        order = check_vector(name, f"order of {kind} rows", order, len(order), "iu")
        _in_range(name, f"the order of {kind} rows has row", order, rows, "rows")
        times = np.bincount(order, minlength=rows)
        if not shared and (times > 1).any():
            row = int(times.argmax())
            _fail(name, f"gives {kind} row {row} to {times[row]} clients; give each row to one")
        if not loses and (times == 0).any():
            row = int(times.argmin())
            _fail(
                name,
                f"gives {int((times == 0).sum())} of {rows} {kind} rows to no client, the first is "
                f"row {row}; give them to clients, or set leaves_out = True on the class",
            )
        if deal.choice is None:
            _check_offsets(name, kind, offsets, len(order))


def check_owners(partition: Partitioner, owners: Any, rows: Sequence[int]) -> None:
    """Raise ValueError unless `owners` are the clients of the training and of the test rows."""
    name = f"partition: {_name(partition)}.owners()"
    if not (isinstance(owners, tuple) and len(owners) == 2):
        _fail(name, f"returned {what(owners)}; return the owners of training and of test rows")
    limit = getattr(partition, "clients", None)
    for kind, found, count in zip(("training", "test"), owners, rows, strict=True):
        ids = check_vector(name, f"owners of {kind} rows", found, count, "iu")
        low = -1 if getattr(partition, "leaves_out", False) else 0
        _in_range(name, f"a {kind} row has owner", ids, limit, "clients", low)


def check_ids(name: str, ids: Any, clients: int) -> None:
    """Raise ValueError unless `ids` are numbers of clients in rising order, each once."""
    ids = check_vector(name, "the cohort", ids, len(_array(name, "the cohort", ids)), "iu")
    _in_range(name, "the cohort has client", ids, clients, "clients")
    if (np.diff(ids) <= 0).any():
        place = int((np.diff(ids) <= 0).argmax())
        _fail(
            name,
            f"the cohort has client {ids[place]} before {ids[place + 1]}; return each client once, "
            "in rising order, as np.unique(ids) does",
        )


def check_skewed(skew: Skew, place: int, client: int, card: Card, before: Any, after: Any) -> None:
    """Raise ValueError where a skew changes the shape of rows, or makes values that cannot be."""
    name = f"skews.{place}: {_name(skew)}.apply()"
    if not (isinstance(after, tuple) and len(after) == 2):
        _fail(name, f"returned {what(after)}; return the features and the targets")
    for key, old, new in zip("xy", before, after, strict=True):
        new = _array(name, key, new)
        if new.shape != old.shape:
            _fail(name, f"changed {key} of client {client} from shape {old.shape} to {new.shape}")
        if old.dtype.kind == "f":
            _finite(name, f"{key} of client {client}", new)
        elif new.dtype.kind not in "iub":
            _fail(name, f"changed {key} of client {client} from {old.dtype} to {new.dtype}")
    if card.vocabulary and len(card.vocabulary) in (1, before[0].shape[-1]):
        limits = np.broadcast_to(card.vocabulary, after[0].shape[-1:])
        if ((after[0] < 0) | (after[0] >= limits)).any():
            _fail(name, f"made ids of client {client} that are not in the vocabulary")
    if card.task == "classification":
        _check_labels(name, card, after[1])


def _check_card(name: str, source: Source, card: Card) -> None:
    if card.task not in ("classification", "regression"):
        _fail(name, f"the card's task is {card.task!r}; it is classification or regression")
    for key in ("task", "shape", "vocabulary"):
        declared, said = getattr(source, key, None), getattr(card, key)
        if declared is not None and declared != said:
            _fail(
                name,
                f"the card's {key} is {said!r} and the class says {declared!r}; make them the same",
            )
    if card.task == "classification" and len(card.classes) < 2:
        _fail(name, f"the card has classes {card.classes!r}; name two at least")
    _refuse_doubled(name, "the card has the class", card.classes)
    _refuse_doubled(name, "the card has the feature", card.features)
    if len(card.features) not in (0, card.inputs):
        _fail(
            name,
            f"the card names {len(card.features)} features and an example has {card.inputs} "
            f"numbers (shape {card.shape}); name each, or leave features out with ()",
        )
    if card.task == "regression" and card.classes:
        _fail(name, "the card of a regression has classes; leave them out")


def _check_targets(name: str, card: Card, y: Any, rows: int) -> None:
    y = _array(name, "y", y)
    if y.ndim == 2 and y.shape[1] == 1:
        _fail(name, f"y has shape {y.shape}; give one target a row, as in y[:, 0]")
    y = check_vector(name, "y", y, rows, "iufb" if card.task == "regression" else None)
    if card.task == "classification":
        _check_labels(name, card, y)
    else:
        _finite(name, f"target {card.target!r}", y)


def _check_spread(name: str, card: Card, y: NDArray[Any]) -> None:
    """Raise ValueError where all targets are the same, or single precision does not tell them."""
    if (y == y[0]).all():
        one = repr(card.classes[int(y[0])]) if card.task == "classification" else f"{y[0]:g}"
        _fail(name, f"target {card.target!r} is {one} in every row: there is nothing to learn")
    if card.task == "classification":
        return
    values = y.astype(np.float64)
    row = int(np.abs(values).argmax())
    if abs(values[row]) > LARGEST:
        _fail(
            name,
            f"target {card.target!r} is {values[row]:g} in row {row}, and numbers up to "
            f"{LARGEST:g} can be predicted; correct it, or give the target in a larger unit",
        )
    if np.ptp(values) < SMALLEST:
        _fail(
            name,
            f"target {card.target!r} differs by {np.ptp(values):.1g} at most, and differences from "
            f"{SMALLEST:g} on can be predicted; give it in a smaller unit",
        )


def _refuse_doubled(name: str, what: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(each for each, count in Counter(names).items() if count > 1)
        _fail(name, f"{what} {twice!r} {Counter(names)[twice]} times; give each a name of its own")


def _check_labels(name: str, card: Card, y: NDArray[Any]) -> None:
    """Raise ValueError for the first label that is not 0 to the number of classes less one."""
    count = len(card.classes)
    meant = (
        f"the card names {count} classes, so y holds whole numbers from 0 to {count - 1}: encode "
        "labels by np.unique(labels, return_inverse=True)[1]"
    )
    if y.dtype.kind not in "iufb":
        _fail(name, f"y holds {_words(y)}, as in row 0: {_shown(y[0])}; {meant}")
    numbers = y.astype(np.float64)
    bad = ~((numbers >= 0) & (numbers < count) & (numbers == np.floor(numbers)))
    if bad.any():
        row = int(bad.argmax())
        values = np.unique(numbers[np.isfinite(numbers)])
        some = ", ".join(f"{value:g}" for value in values[:SHOWN])
        more = ", …" if len(values) > SHOWN else ""
        _fail(name, f"y is {numbers[row]:g} in row {row} (it holds {some}{more}); {meant}")


def _check_offsets(name: str, kind: str, offsets: Any, rows: int) -> None:
    given = check_vector(name, f"offsets of {kind} rows", offsets, len(offsets), "iu")
    if len(given) == 0 or given[0] != 0 or given[-1] != rows or (np.diff(given) < 0).any():
        _fail(name, f"offsets of {kind} rows must rise from 0 to the {rows} rows that are given")


def _array(name: str, key: str, values: Any) -> NDArray[Any]:
    if not isinstance(values, np.ndarray):
        remedy = "call .to_numpy()" if hasattr(values, "to_numpy") else "give a numpy array"
        _fail(name, f"{key} is {what(values)}; {remedy}")
    if isinstance(values, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(values)
        where = ""
        if masked.any():
            row = int(np.argwhere(masked)[0][0]) if masked.ndim else 0
            where = f" with a gap in row {row} ({int(masked.sum())} such values)"
        _fail(name, f"{key} is a masked array{where}; fill in or drop gaps, and give a plain array")
    if isinstance(values, np.matrix):
        _fail(name, f"{key} is a matrix; give a plain array, as np.asarray makes it")
    if values.ndim == 0:
        _fail(name, f"{key} is a single value; give one for each row")
    if key == "x" and values.dtype.kind not in "iufb":
        _fail(name, f"x holds {_words(values)}; turn them into numbers")
    return values


def check_vector(name: str, key: str, values: Any, rows: int, kinds: str | None) -> NDArray[Any]:
    """Return `values`. Raises ValueError unless they are an array [rows] of one of some dtypes."""
    values = _array(name, key, values)
    if values.shape != (rows,):
        _fail(name, f"{key} has shape {values.shape} where ({rows},) is needed, one a row")
    if kinds is not None and values.dtype.kind not in kinds:
        wanted = {"b": "true or false", "f": "numbers", "i": "whole numbers"}
        needed = "numbers" if "f" in kinds else wanted[kinds[0]]
        remedy = DATES.get(values.dtype.kind, "").format(key=key) if needed == "numbers" else ""
        if remedy and (gone := _missing(values)).any():
            _fail(name, f"{key} is missing in row {int(gone.argmax())}; fill in or drop such rows")
        _fail(name, f"{key} holds {_words(values)} where {needed} are needed{remedy}")
    return values


def _in_range(
    name: str, what: str, values: NDArray[Any], limit: int | None, of: str, low: int = 0
) -> None:
    bad = values < low if limit is None else (values < low) | (values >= limit)
    if bad.any():
        place = int(bad.argmax())
        known = "" if limit is None else f", and there are {limit} {of}"
        _fail(name, f"{what} {values[place]} at place {place}{known}; the first is 0")


def _finite(name: str, key: str, values: NDArray[Any]) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        place = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
        count = int((~np.isfinite(values)).sum())
        _fail(
            name,
            f"{key} is {values[place]} in row {place[0]} ({count} such values); fill in or drop "
            "what is missing",
        )


def _words(values: NDArray[Any]) -> str:
    kinds = {"b": "true or false", "i": "whole numbers", "u": "whole numbers", "f": "numbers"}
    kinds |= {"c": "complex numbers", "M": "dates", "m": "durations"}
    return kinds.get(values.dtype.kind, "texts or objects")


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _name(part: object) -> str:
    return type(part).__name__


def _fail(name: str, reason: str) -> NoReturn:
    raise ValueError(f"{name}: {reason}")
