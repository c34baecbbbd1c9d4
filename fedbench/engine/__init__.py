"""Engines: where local training happens."""

from fedbench.engine.engine import Engine, Report, Updates
from fedbench.engine.loop import LoopEngine
from fedbench.engine.stacked import StackedEngine
from fedbench.engine.context import PhaseTimer, TrainingContext

__all__ = ["PhaseTimer", "Engine", "LoopEngine", "Report", "StackedEngine", "TrainingContext", "Updates"]
