"""Engines: where local training happens."""

from fedbench.engine.engine import Clock, Engine, Report, Task, Updates
from fedbench.engine.loop import LoopEngine
from fedbench.engine.stacked import StackedEngine

__all__ = ["Clock", "Engine", "LoopEngine", "Report", "StackedEngine", "Task", "Updates"]
