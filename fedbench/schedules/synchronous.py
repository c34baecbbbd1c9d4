"""All clients of a round train at the same time."""

from __future__ import annotations

from typing import ClassVar

from fedbench.metrics import RoundRecord
from fedbench.schedules.progress import Progress
from fedbench.schedules.schedule import Federation, Schedule


class Synchronous(Schedule):
    """All clients of a round train from the same model, and their updates are combined at once.

    Source: McMahan et al. 2017 (arXiv:1602.05629).
    """

    keeps_privacy: ClassVar[bool] = True

    def step(self, federation: Federation, progress: Progress) -> tuple[Progress, RoundRecord]:
        """Select, dispatch, collect, aggregate and finish, once each."""
        chosen = federation.select(progress)
        sent = federation.dispatch(progress)
        ids, timer = chosen.answers.ids, chosen.timer
        gathered = federation.collect(sent, ids, progress.clients, timer)
        after = federation.aggregate(progress, sent, gathered)
        timer.lap("aggregation")
        return federation.finish(progress, after, chosen, [gathered])
