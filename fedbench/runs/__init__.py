"""Runs: rounds, sessions in the background, events and histories."""

from fedbench.runs.events import Amended, Cautioned, Event, Failed, State, StateChanged
from fedbench.runs.history import History
from fedbench.runs.script import run
from fedbench.runs.session import Session, SessionError

__all__ = [
    "Amended",
    "Cautioned",
    "Event",
    "Failed",
    "History",
    "Session",
    "SessionError",
    "State",
    "StateChanged",
    "run",
]
