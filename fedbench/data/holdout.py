"""Which rows are held out for testing, so that every client keeps some to train on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.bool_]
Ids = NDArray[np.int64]


def drawn(strata: Ids, fraction: float, rng: np.random.Generator) -> Rows:
    """Return a share of the rows of each stratum, bool[N]: at least one of two or more rows."""
    held = np.zeros(len(strata), dtype=bool)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        held[rng.permutation(rows)[: held_count(len(rows), fraction)]] = True
    return held


def proportional(owners: Ids, fraction: float, rng: np.random.Generator) -> Rows:
    """Return a share of all rows, bool[N], of each owner the share rounded up or down.

    Systematic sampling over the owners decides who is rounded up, so that the total is the share
    of all rows, to one row, and one row at least. An owner never gives its last row.
    """
    counts = np.bincount(owners)
    ends = np.floor(np.cumsum(counts * fraction) + rng.random()).astype(np.int64)
    quota = np.minimum(np.diff(ends, prepend=0), np.maximum(counts - 1, 0))
    if not quota.any() and counts.max() > 1:
        quota[counts.argmax()] = 1
    order = np.lexsort((rng.random(len(owners)), owners))
    rank = np.empty(len(owners), dtype=np.int64)
    rank[order] = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank < quota[owners]


def held_count(rows: int, fraction: float) -> int:
    """Return how many of the rows of a stratum are held out."""
    # the only one of its kind is trained on: a model cannot be tested on what it never saw
    return 0 if rows == 1 else max(1, round(rows * fraction))


def by_time(
    time: NDArray[np.float64], fraction: float, owners: Ids | None = None, units: Ids | None = None
) -> Rows:
    """Return the latest rows, bool[N], such that every owner with two rows has one to train on.

    A unit that is late in any row is late in all.
    """
    late = _latest(time, fraction)
    if units is not None:
        late = np.isin(units, units[late])
    if owners is None or late.all():
        return late
    kept = keep_training_rows(late, owners, fraction, time, units)
    if not kept.any() and units is None:  # the latest row of those who can give one
        able = np.flatnonzero(np.bincount(owners)[owners] > 1)
        kept[able[time[able].argsort()[-1:]]] = True
    return kept if kept.any() else late


def _latest(time: NDArray[np.float64], fraction: float) -> Rows:
    """Return the rows from the moment on before which the training share lies, bool[N].

    Rows of one moment stay together; those of the first moment are never held out.
    """
    ordered = np.sort(time)
    since = ordered[min(round(len(ordered) * (1 - fraction)), len(ordered) - 1)]
    if since == ordered[0]:
        return time > since
    return time >= since


def keep_training_rows(
    held: Rows,
    owners: Ids,
    fraction: float,
    time: NDArray[np.float64] | None = None,
    units: Ids | None = None,
) -> Rows:
    """Return `held` [N] such that every owner has a training row, whole `units` if there are any.

    An owner whose rows are all held out gets its first one back; with `time`, its rows but for the
    latest share, as the split would be of its rows alone.
    """
    without = (np.bincount(owners) > 0) & (np.bincount(owners[~held], minlength=_most(owners)) == 0)
    if not without.any():
        return held
    rows = np.flatnonzero(without[owners])
    # in the order of owners, and of time within each
    rows = rows[np.lexsort((rows if time is None else time[rows], owners[rows]))]
    _, first, counts = np.unique(owners[rows], return_index=True, return_counts=True)
    given = np.ones_like(counts)
    if time is not None:
        given = np.maximum(1, counts - np.rint(counts * fraction).astype(np.int64))
    rank = np.arange(len(rows)) - np.repeat(first, counts)
    back = rows[rank < np.repeat(given, counts)]
    held = held.copy()
    held[back] = False
    return held if units is None else held & ~np.isin(units, units[back])


def _most(owners: Ids) -> int:
    return int(owners.max(initial=-1)) + 1
