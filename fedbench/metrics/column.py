"""What is declared of a column of a history."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from fedbench.rounding import rounded_up

Format = Literal["count", "number", "percent", "bytes", "seconds", "epsilon"]
MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a history: `help` says in one sentence what its numbers mean.

    `title` heads it in tables, `unit` is the unit of its numbers, `better` the end that is wanted,
    None where neither is; `formula` is written with `_` and `^` as those of fields are. `share`
    marks numbers from 0 to 1, `total` numbers of one round that add up over a run; tables of runs
    have those that are `listed`. `protects` names the unit of privacy that an ε is for. A column
    without a `name` has that of its field.
    """

    name: str = ""
    title: str
    help: str
    formula: str = ""
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    format: Format = "number"
    share: bool = False
    total: bool = False
    listed: bool = True
    protects: str = ""

    @property
    def rises(self) -> bool:
        """Return whether more is better."""
        return self.better == "higher"

    @property
    def whole(self) -> bool:
        """Return whether its numbers are integers."""
        return self.format in ("count", "bytes")

    @property
    def tip(self) -> str:
        """Return what a tooltip says: the sentence, and the formula on a line of its own."""
        return "\n".join(filter(None, (self.help, self.formula)))

    def text(self, value: float, digits: int = 4) -> str:
        """Return a number as tables show it, to so many digits; a dash where there is none."""
        if not math.isfinite(value):
            return MISSING
        match self.format:
            case "count":
                return f"{value:,.0f}"
            case "percent":
                return f"{value:.1%}"
            case "bytes":
                return _size(value)
            case "epsilon":
                return rounded_up(value)
            case "seconds":
                return f"{value:.{digits}g}\u00a0s"
            case "number":
                return f"{value:.{digits}g}"


def _size(count: float) -> str:
    """Return bytes in the unit in which they are a handy number."""
    for unit, by in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= by:
            return f"{count / by:.1f}\u00a0{unit}"  # never broken over two lines
    return f"{count:.0f}\u00a0B"
