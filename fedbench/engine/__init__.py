"""Engines: where local training happens."""

from fedbench.engine.context import PhaseTimer, TrainingContext
from fedbench.engine.engine import Engine
from fedbench.engine.loop import LoopEngine
from fedbench.engine.messages import (
    Arrival,
    Broadcast,
    ClientState,
    ClientStates,
    LocalUpdates,
    Message,
    Telemetry,
)
from fedbench.engine.stacked import StackedEngine

__all__ = [
    "Arrival",
    "Broadcast",
    "ClientState",
    "ClientStates",
    "Engine",
    "LocalUpdates",
    "LoopEngine",
    "Message",
    "PhaseTimer",
    "StackedEngine",
    "Telemetry",
    "TrainingContext",
]
