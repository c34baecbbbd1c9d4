"""What is measured: frames, CSV, JSON, checkpoints, reports, figures and the workbench read it."""

from fedbench.metrics.column import Column
from fedbench.metrics.record import (
    COLUMNS,
    MEASURED,
    METRICS,
    NUMBERS,
    OVER_CLIENTS,
    SPENT,
    TOTALS,
    RoundRecord,
    columns,
    totals,
)
from fedbench.metrics.summary import over_clients, same, worst_called

__all__ = [
    "COLUMNS",
    "MEASURED",
    "METRICS",
    "NUMBERS",
    "OVER_CLIENTS",
    "SPENT",
    "TOTALS",
    "Column",
    "RoundRecord",
    "columns",
    "over_clients",
    "same",
    "totals",
    "worst_called",
]
