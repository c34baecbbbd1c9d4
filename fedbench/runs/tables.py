"""A run as tables: a row a round, a row a client, and the overview that notebooks show."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fedbench.metrics import COLUMNS, METRICS, SPENT, RoundRecord, columns

if TYPE_CHECKING:
    import pandas as pd

    from fedbench.runs.history import History


def frame_of(rows: Sequence[RoundRecord], metrics: Iterable[str], unit: str | None) -> pd.DataFrame:
    """Return `History.frame()` of some rounds of these metrics; `unit` is what ε protects."""
    import pandas as pd

    found = [row.numbers(unit) for row in rows]
    return pd.DataFrame({name: [row[name] for row in found] for name in columns(metrics)})


def clients_of(rows: Sequence[RoundRecord], count: int) -> pd.DataFrame:
    """Return `History.clients()` of some rounds of `count` clients with test rows."""
    import pandas as pd

    values = np.stack([row.clients for row in rows], axis=1) if rows else np.empty((count, 0))
    return pd.DataFrame(
        values,
        index=pd.RangeIndex(count, name="client"),
        columns=pd.Index([row.round for row in rows], name="round"),
    )


def overview(history: History) -> str:
    """Return what a run came to as an HTML table; nothing in it depends on how long it took."""
    rows, found = history.snapshot(), history.summary
    lines = [("rounds", f"{len(rows)}" + (f" ({history.ended})" if history.ended else ""))]
    if rows:
        last = rows[-1]
        lines += [(METRICS[each].title, METRICS[each].text(x)) for each, x in last.metrics.items()]
        if math.isfinite(last.personal):
            column = COLUMNS["personal"]
            lines.append((column.title, METRICS[history.metric].text(last.personal)))
    if history.unit is not None:
        lines.append((SPENT[history.unit].title, SPENT[history.unit].text(history.spent)))
    body = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(words)}</td></tr>"
        for name, words in lines
    )
    words = html.escape(f"{found['data']} · {found['experiment']}")
    return f"<table><caption>{words}</caption><tbody>{body}</tbody></table>"
