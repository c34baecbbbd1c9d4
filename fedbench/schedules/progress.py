"""What goes from round to round, and what is decided about a round before anybody trains."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedbench.channel import ServerStates
from fedbench.engine import ClientState, PhaseTimer
from fedbench.participation import Answers
from fedbench.privacy import Ledger, Ledgers
from fedbench.tree import Tree


@dataclass(frozen=True)
class Progress:
    """All that a round hands to the next: model, states of server and clients, privacy spent.

    `channel` is the server state of each stage of the pipeline.
    `unfinished` rounds were charged and gave no result, as they failed or their process was killed.
    """

    round: int
    params: Tree
    server: Tree
    clients: dict[int, ClientState] = field(default_factory=dict[int, ClientState])
    ledger: Ledger | Ledgers = field(default_factory=Ledger)
    channel: ServerStates = ()
    unfinished: int = 0

    @property
    def charged(self) -> int:
        """Return how many rounds the ledger holds."""
        return self.round + self.unfinished


@dataclass(frozen=True, eq=False)
class Selection:
    """Who takes part in a round: its number, the clients that answer, and the ledger after it.

    `timer` books the seconds of the round by phase.
    """

    number: int
    answers: Answers
    ledger: Ledger | Ledgers
    timer: PhaseTimer
