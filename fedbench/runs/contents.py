"""What the data of a run hold, by hash: whether they are still those that it trained on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from fedbench.config.spec import Spec
from fedbench.data import FederatedDataset, Source, Table
from fedbench.data.own.reading import FRAME

SHOWN = 12  # hexadecimal digits of a hash in a message
PARTS = {
    "names": "columns or classes",
    "features": "features",
    "targets": "targets",
    "clients": "rows of each client",
}

_known: WeakKeyDictionary[FederatedDataset, dict[str, Any]] = WeakKeyDictionary()


def fingerprint(source: Source, data: FederatedDataset) -> dict[str, Any] | None:
    """Return the SHA-256 of each part of `data`, which were made from `source`, and their rows.

    None for the data that come with fedbench: they change with its version alone.
    """
    if not foreign(source) and _table(source) is None:
        return None
    if data not in _known:
        card = data.card
        names = repr((card.task, card.target, card.shape, card.features, card.classes))
        _known[data] = {
            "place": place(source),
            "rows": [len(data.y), len(data.y_test)],
            "names": hashlib.sha256(names.encode()).hexdigest(),
            "features": _digest(data.x, data.x_test),
            "targets": _digest(data.y, data.y_test),
            "clients": _digest(data.offsets, data.test_offsets),
        }
    return _known[data]


def place(source: Source) -> str:
    """Return where the file is that a source reads, empty where it is not a file of yours."""
    table = _table(source)
    if table is None or table.path.startswith(FRAME):
        return ""
    return str(Path(table.path).expanduser().resolve())


def _table(source: Source) -> Table | None:
    return next((part for part in source.parts() if isinstance(part, Table)), None)


def changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return what differs between two fingerprints, empty where nothing does."""
    if before["rows"] != now["rows"]:
        (a, b), (c, d) = before["rows"], now["rows"]
        return f"there were {a} training and {b} test rows, and are {c} and {d}"
    return "; ".join(
        f"the {words} had the hash {before[part][:SHOWN]}, and have {now[part][:SHOWN]}"
        for part, words in PARTS.items()
        if before[part] != now[part]
    )


def foreign(group: Spec) -> bool:
    """Return whether a part is of a class from outside fedbench, which has to be imported."""
    return any(type(part).__module__.partition(".")[0] != "fedbench" for part in group.parts())


def _digest(*arrays: np.ndarray) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return found.hexdigest()
