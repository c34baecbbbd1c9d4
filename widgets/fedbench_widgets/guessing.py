"""Roles of a table's columns that are plain from their names and values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TARGETS = {"target", "label", "outcome", "class", "y", "diagnosis", "disease", "default", "churn"}
HOLDERS = {
    *(
        "hospital",
        "clinic",
        "site",
        "center",
        "centre",
        "ward",
        "practice",
        "client",
        "institution",
    ),
    *("bank", "branch", "shop", "store", "plant", "factory", "operator", "school", "holder"),
}
ANSWERS = (
    {"yes", "no"},
    {"y", "n"},
    {"true", "false"},
    {"ill", "healthy"},
    {"positive", "negative"},
)
MOST_HOLDERS = 1000
LEAST_ROWS = 2  # of a holder


def likely_roles(frame: pd.DataFrame) -> dict[str, str]:
    """Return which column is plainly the target and which the client, as far as any is."""
    found = {}
    column: Any = frame  # by name a Series, which the stubs of pandas do not know
    named = [name for name in frame.columns if _words(name) & TARGETS]
    answers = [name for name in frame.columns if _values(column[name]) in ANSWERS]
    target = named if len(named) == 1 else answers
    if len(target) == 1:
        found["target"] = str(target[0])
    holders = [name for name in frame.columns if _words(name) & HOLDERS and _holds(column[name])]
    if len(holders) == 1 and str(holders[0]) != found.get("target"):
        found["client"] = str(holders[0])
    return found


def _words(name: object) -> set[str]:
    return {word.removesuffix("s") for word in re.split(r"[^a-z]+", str(name).casefold())} | {
        str(name).strip().casefold()
    }


def _values(column: pd.Series) -> set[str]:
    some = column.dropna().unique()
    return {str(value).strip().casefold() for value in some} if len(some) == 2 else set()


def _holds(column: pd.Series) -> bool:
    counts = column.value_counts()
    return 2 <= len(counts) <= MOST_HOLDERS and int(counts.min()) >= LEAST_ROWS
