"""What a round is: who trains from which model, and what becomes of what they send."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fedbench.config.declared import Claim
from fedbench.config.spec import Part
from fedbench.engine import Broadcast, PhaseTimer
from fedbench.engine.messages import ClientStates
from fedbench.metrics import RoundRecord
from fedbench.randomness import Stream
from fedbench.schedules.accumulator import Accumulator
from fedbench.schedules.progress import Progress, Selection


class Federation(Protocol):
    """The steps of a round, for a schedule to put in order: each is a function of its arguments."""

    def select(self, progress: Progress) -> Selection:
        """Return who takes part in the next round, which is charged to the ledger before."""
        ...

    def dispatch(self, progress: Progress, cohort: float | None = None) -> Broadcast:
        """Return what clients are sent in the next round.

        `cohort` is how many clients are expected to send an update that is combined with others;
        by default as many as sampling and devices say.
        """
        ...

    def collect(
        self,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: ClientStates,
        timer: PhaseTimer,
    ) -> Accumulator:
        """Return what came back from clients `ids`, which train from `broadcast`."""
        ...

    def aggregate(
        self, progress: Progress, broadcast: Broadcast, gathered: Accumulator
    ) -> Progress:
        """Return the progress with a new model, and new states of server, channel and clients.

        Its number of rounds and its ledger are those of `progress`.
        """
        ...

    def generator(self, stream: Stream, number: int) -> np.random.Generator:
        """Return the random numbers of a stream in round `number`, the same in every replay."""
        ...

    def finish(
        self,
        before: Progress,
        after: Progress,
        selection: Selection,
        collected: Sequence[Accumulator],
    ) -> tuple[Progress, RoundRecord]:
        """Evaluate the model of `after`; return the progress and the row of the whole round."""
        ...


class Schedule(Part, family=True):
    """The order of a round: how clients are selected, trained and combined.

    A schedule has no state of its own: `step` is given all that went before, and returns all that
    the next round needs. It may call the steps of a `Federation` as often as it wants, on whichever
    clients of the selection.

    `in_turn` says that clients train one after another, so that a round takes the sum of their
    simulated seconds; else it takes as long as its slowest client. `keeps_privacy` declares that
    each client of a selection trains once in a round and that the model learns of its update by
    `collect` and `aggregate` alone; without it any privacy is refused.

    Example:
        class Twice(Synchronous):
            '''Two synchronous legs with the same clients in each round.'''

            def step(self, federation, progress):
                chosen = federation.select(progress)
                now, legs = progress, []
                for _ in range(2):
                    sent = federation.dispatch(now)
                    ids, timer = chosen.answers.ids, chosen.timer
                    legs.append(federation.collect(sent, ids, now.clients, timer))
                    now = federation.aggregate(now, sent, legs[-1])
                return federation.finish(progress, now, chosen, legs)
    """

    in_turn: ClassVar[bool] = False
    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        ("step",), "release more of a client than {privacy} counts", "choose Synchronous"
    )

    @abstractmethod
    def step(self, federation: Federation, progress: Progress) -> tuple[Progress, RoundRecord]:
        """Run one round: return the progress after it, and the row of the history."""
