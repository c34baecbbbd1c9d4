"""Engines: where local training happens."""

from fedbench.engine.engine import Engine, Report, Updates
from fedbench.engine.loop import LoopEngine
from fedbench.engine.stacked import StackedEngine
from fedbench.engine.task import Clock, Task

__all__ = ["Clock", "Engine", "LoopEngine", "Report", "StackedEngine", "Task", "Updates"]
