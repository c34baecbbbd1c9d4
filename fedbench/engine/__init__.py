"""Engines: where local training happens."""

from fedbench.engine.engine import Engine, Task, Updates
from fedbench.engine.loop import LoopEngine
from fedbench.engine.stacked import StackedEngine

__all__ = ["Engine", "LoopEngine", "StackedEngine", "Task", "Updates"]
