"""The features that a table is turned into: their names, and indicators of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.data.own.cells import gaps, texts
from fedbench.data.own.facts import TableFacts
from fedbench.data.own.roles import MISSING, ColumnFacts
from fedbench.data.source import Column

if TYPE_CHECKING:
    import pandas as pd


def names(facts: TableFacts) -> tuple[str, ...]:
    """Return what the features are called; a name that is taken gets a number."""
    wanted = [each.name for each in facts.columns if each.role == "number"]
    wanted += [f"{name}: {MISSING}" for name in facts.lacking]
    for each in facts.columns:
        if each.role == "category":
            wanted += [f"{each.name}: {level}" for level in each.levels]
    found: dict[str, None] = {}
    for name in wanted:
        unique, k = name, 2
        while unique in found:
            unique, k = f"{name} ({k})", k + 1
        found[unique] = None
    return tuple(found)


def coded(column: pd.Series, names: tuple[str, ...]) -> Column:
    """Return a column of texts by their places among `names`."""
    return Column(names, _places(texts(column), names))


def indicators(column: pd.Series, facts: ColumnFacts) -> NDArray[np.float32]:
    """Return one indicator per level, float32[N, levels]."""
    # texts that share a level come after those with their own, and missing cells come last
    codes = _places(texts(column), facts.levels[: facts.told])
    codes[codes < 0] = facts.told
    codes[gaps(column)] = len(facts.levels) - 1
    return np.eye(len(facts.levels), dtype=np.float32)[codes]


def _places(values: pd.Series, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return where each value stands among the names, -1 for one that is none of them."""
    import pandas as pd

    return pd.Index(names, dtype="string").get_indexer(pd.Index(values)).astype(np.int64)
