"""Studies: what several runs say together."""

from fedbench.study.baselines import Baselines, alternative, baselines
from fedbench.study.forecast import Forecast, expected, forecast
from fedbench.study.frontier import Frontier, FrontierPoint
from fedbench.study.gains import Gains, who_gains
from fedbench.study.kept import SweepError
from fedbench.study.oracle import oracle
from fedbench.study.plan import PrivacyPlan, plan
from fedbench.study.result import SweepResult
from fedbench.study.start import sweep
from fedbench.study.sweep import Sweep
from fedbench.study.told import (
    PointAdvanced,
    PointBegun,
    PointFinished,
    SweepChanged,
    SweepEvent,
    SweepProgress,
    SweepState,
)

__all__ = [
    "Baselines",
    "Forecast",
    "Frontier",
    "FrontierPoint",
    "Gains",
    "PointAdvanced",
    "PointBegun",
    "PointFinished",
    "PrivacyPlan",
    "Sweep",
    "SweepChanged",
    "SweepError",
    "SweepEvent",
    "SweepProgress",
    "SweepResult",
    "SweepState",
    "alternative",
    "baselines",
    "expected",
    "forecast",
    "oracle",
    "plan",
    "sweep",
    "who_gains",
]
