"""What the Clients tab draws: each client's metric by round, who took part, and who gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedbench.data import FederatedDataset
from fedbench.metrics import METRICS, RoundRecord
from fedbench.models import metrics_of
from fedbench.runs import History
from fedbench.study import Baselines, Gains, who_gains
from fedbench.study.gains import FEW_TESTS

if TYPE_CHECKING:
    from fedbench.runs.predictions import Predictions

MOST_ROWS = 200  # clients; more would be thinner than a line
MOST_COLUMNS = 200  # rounds, likewise
ABSENT = 0xFFFF  # a client without a value
LASTING = 1.25  # rows change places when there are so many times the rounds
SCALE = (0.02, 0.98)  # shares of the values between which colours tell apart
ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth"}

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Shown = tuple[dict[str, Any], bytes, bytes]


class Clients:
    """The clients of a growing history; each round is looked at once.

    Rows are clients from the best to the worst by the latest round. Where there are more than can
    be told apart, every k-th and the last are shown, of clients and of rounds alike.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self._higher = history.experiment.metrics[history.metric]
        self._took = np.zeros(0, dtype=np.int64)  # rounds that each client took part in
        self._seen = 0
        self._chosen: Ids = np.zeros(0, dtype=np.int64)
        self._chosen_at = 0
        self._columns: dict[int, tuple[Floats, bytes]] = {}  # by round, of the chosen
        self._mixes = b""
        self._known: tuple[Any, ...] = ()
        self._shown: Shown | None = None

    def shown(
        self,
        running: bool,
        levels: Baselines | None,
        predictions: Callable[[], Predictions | None] = lambda: None,
    ) -> Shown:
        """Return what is drawn, the values, and the classes that the clients shown hold.

        Who gains is said where the `levels` are known and `predictions` gives those of the run,
        which is asked only between two rounds.

        The values are uint16, little-endian, [rounds × clients], from `low` to `high`, `ABSENT`
        for none; after them a bit for each client that took part, [rounds × bytes]. The classes
        are counts, uint32, [clients × strata].
        """
        rows = self.history.snapshot()
        if not rows:
            few = min(self.history.experiment.clients, MOST_ROWS)
            return {"rounds": [], "ids": [], "expected": few, "head": "", "note": ""}, b"", b""
        every = stride(len(rows), MOST_COLUMNS)
        # what a column stands for is complete, or nothing more is to come
        known = every, len(rows) // every if running else -len(rows), levels
        if self._shown is None or known != self._known:
            gains = None if running or levels is None else _gains(predictions(), levels)
            self._known, self._shown = known, self._drawn(rows, every, running, levels, gains)
        return self._shown

    def _drawn(
        self,
        rows: list[RoundRecord],
        every: int,
        running: bool,
        levels: Baselines | None,
        gains: Gains | None,
    ) -> Shown:
        data = self.history.experiment.federation()
        self._count(rows, data.clients)
        if not running or len(rows) >= LASTING * self._chosen_at:
            self._choose(rows[-1].clients, data)
            self._chosen_at = len(rows)
        kept = thinned(rows, every)
        self._columns = {row.round: self._column(row) for row in kept}
        values = np.stack([self._columns[row.round][0] for row in kept])
        dots = b"".join(self._columns[row.round][1] for row in kept)
        words, low, high, scale = packed(values)
        last, tested = rows[-1].clients, int(np.count_nonzero(~np.isnan(rows[-1].clients)))
        alone = None if levels is None or len(levels.clients) != len(last) else levels.clients
        step = stride(tested, MOST_ROWS)
        if gains is not None and len(gains.names) != len(last):
            gains = None
        if gains is None:
            head, note = "How even?", spread(last, self._took, data, self.history.metric)
        else:
            head, note = "Who gains?", str(gains)
        drawn = {
            "rounds": [row.round for row in kept],
            "every": every,
            "ids": self._chosen.tolist(),
            "names": [data.name(client) for client in self._chosen],
            "sizes": data.sizes_of(self._chosen).tolist(),
            "tests": data.tests_of(self._chosen).tolist(),
            "took": self._took[self._chosen].tolist(),
            "alone": None if alone is None else _plain(alone[self._chosen]),
            "gains": None if gains is None else _of_each(gains, self._chosen),
            "done": len(rows),
            "expected": len(self._chosen),
            "low": low,
            "high": high,
            "scale": scale,
            "minimize": not self._higher,
            "clients": data.clients,
            "tested": tested,
            "which": "" if step == 1 else f"every {ordinal(step)} client",
            "head": head,
            "note": note,
            "strata": list(data.strata_names),
            "kind": "classes" if data.card.classes else "tenths of the target",
            "mix": np.bincount(data.strata, minlength=len(data.strata_names)).tolist(),
        }
        return drawn, words + dots, self._mixes

    def _count(self, rows: list[RoundRecord], clients: int) -> None:
        if len(self._took) != clients:
            self._took = np.zeros(clients, dtype=np.int64)
        for row in rows[self._seen :]:
            self._took[row.cohort] += 1
        self._seen = len(rows)

    def _choose(self, values: Floats, data: FederatedDataset) -> None:
        chosen = ranked(values, self._higher)
        chosen = np.array(thinned(chosen.tolist(), stride(len(chosen), MOST_ROWS)), dtype=np.int64)
        if np.array_equal(chosen, self._chosen):
            return
        self._chosen = chosen
        self._columns = {}
        width = len(data.strata_names)
        counts = np.zeros((len(chosen), width), dtype="<u4")
        for place, client in enumerate(chosen):
            size = int(data.sizes_of(chosen[place : place + 1])[0])
            held = data.strata[data.rows(int(client), np.arange(size))]
            counts[place] = np.bincount(held, minlength=width)
        self._mixes = counts.tobytes()

    def _column(self, row: RoundRecord) -> tuple[Floats, bytes]:
        found = self._columns.get(row.round)
        if found is None:
            took_part = np.zeros(len(self._took), dtype=bool)
            took_part[row.cohort] = True
            dots = np.packbits(took_part[self._chosen], bitorder="little")
            found = row.clients[self._chosen], dots.tobytes()
        return found


def _gains(predictions: Predictions | None, levels: Baselines) -> Gains | None:
    if predictions is None or levels.predictions is None:
        return None
    try:
        return who_gains(predictions, levels.predictions)
    except ValueError:  # rows that came in since
        return None


def _of_each(gains: Gains, chosen: Ids) -> list[dict[str, Any]]:
    """Return the gain of some clients with its interval and its verdict, None for no number."""
    found, verdicts = gains.advantage, gains.verdicts
    ends = zip(
        *(_plain(each[chosen]) for each in (found.value, found.low, found.high)), strict=True
    )
    return [
        {"value": value, "low": low, "high": high, "verdict": verdicts[client]}
        for client, (value, low, high) in zip(chosen.tolist(), ends, strict=True)
    ]


def stride(count: int, most: int) -> int:
    """Return the smallest k for which every k-th of `count` are at most `most`."""
    return max(1, -(-count // most))


def thinned(items: list[Any], every: int) -> list[Any]:
    """Return every k-th item; the last one takes the place of the one kept last."""
    return [*items[::every][:-1], items[-1]] if items else []


def ranked(values: Floats, higher: bool) -> Ids:
    """Return the clients that have a value, from the best to the worst, ties by number."""
    known = np.flatnonzero(~np.isnan(values))
    ascending = values[known].astype(np.float64)
    return known[np.argsort(-ascending if higher else ascending, kind="stable")]


def packed(values: Floats) -> tuple[bytes, float, float, list[float]]:
    """Return values as uint16 between the two ends that follow, and the range to colour.

    Infinite values go to the upper end. The range leaves out the outermost values at either side.
    """
    finite = np.sort(values[np.isfinite(values)].astype(np.float64))
    if not len(finite):
        return np.full(values.shape, ABSENT, dtype="<u2").tobytes(), 0.0, 1.0, [0.0, 1.0]
    low, high = float(finite[0]), float(finite[-1])
    span = high - low or 1.0
    with np.errstate(invalid="ignore"):
        shares = np.rint((values.astype(np.float64) - low) * ((ABSENT - 1) / span))
    words = np.where(np.isnan(shares), ABSENT, np.clip(shares, 0, ABSENT - 1)).astype("<u2")
    outer = [float(finite[round(share * (len(finite) - 1))]) for share in SCALE]
    return words.tobytes(), low, low + span, outer


def _fewest(rows: int) -> str:
    """Return how few rows the client with fewest is judged by, nothing where they are many."""
    few = rows < FEW_TESTS
    return f"; the smallest test set has {rows} row{'' if rows == 1 else 's'}" if few else ""


def spread(values: Floats, took: Ids, data: FederatedDataset, metric: str) -> str:
    """Return a sentence on the worst, the middle and the best client, and who never took part."""
    higher = metrics_of(data.card)[metric]
    order = ranked(values, higher)
    if len(order):
        first, last = int(order[0]), int(order[-1])
        middle = _said(metric, float(np.median(values[order])))
        text = f"From {_said(metric, values[last])} ({_short(data.name(last))}) to "
        text += f"{_said(metric, values[first])} ({_short(data.name(first))}), median {middle}"
        text += _less(metric, higher)
        if len(order) < data.clients:
            text += f", over {len(order)} of {data.clients:,} clients, those with test rows"
        text += _fewest(int(data.tests_of(order).min()))
    else:
        text = "Clients have no test rows of their own"
    never = int(np.count_nonzero(took == 0))
    if never:
        return f"{text}. {never:,} of {data.clients:,} clients have not taken part yet."
    return f"{text}. Every client has taken part."


def ordinal(number: int) -> str:
    """Return a number as a place in a row, in words where they are short."""
    tail = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return ORDINALS.get(number, f"{number}{tail or 'th'}")


def _said(metric: str, value: float) -> str:
    return f"{value:.0%}" if METRICS[metric].format == "percent" else f"{value:.3g}"


def _less(metric: str, higher: bool) -> str:
    return "" if higher else f" ({metric.upper()}, lower is better)"


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"


def _plain(values: NDArray[np.floating]) -> list[float | None]:
    # no NaN: it has no JSON
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
