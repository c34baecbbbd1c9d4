"""The model goes from client to client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.metrics import RoundRecord
from fedbench.randomness import Stream
from fedbench.schedules.accumulator import Accumulator
from fedbench.schedules.progress import Progress
from fedbench.schedules.schedule import Federation, Schedule


class Cyclic(Schedule):
    """Cyclic weight transfer: each client trains the model that the one before it hands on.

    A round is one cycle over the clients that are drawn for it; the model after the last of them is
    evaluated. Nothing is averaged: a client's update is applied at once, by the strategy, as the
    only one of its cohort. Later clients count for more, and what they do not hold is forgotten.
    Each client sees the model of the one before it. Source: Chang et al. 2018 (arXiv:1709.05929).
    """

    in_turn: ClassVar[bool] = True
    keeps_privacy: ClassVar[bool] = True

    shuffled: Annotated[
        bool,
        Field(
            title="Shuffled",
            description=(
                "visit the clients of each round in a new random order: else in the order of "
                "their numbers"
            ),
        ),
    ] = False

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse what needs several updates at once."""
        if not setup.aggregator.is_sum:
            yield Problem(
                "aggregator.kind",
                "Cyclic hands the model from client to client, and there are no updates to "
                "compare; choose Mean, or schedule = Synchronous",
                setup.aggregator.kind(),
            )
        if setup.privacy.noise_on_server:
            yield Problem(
                "privacy.kind",
                "Cyclic hands each client's model to the next one, and no server adds noise to a "
                "sum; choose ExampleLevelDP, LocalGaussian or LocalLaplace, or schedule = "
                "Synchronous",
                setup.privacy.kind(),
            )
        if setup.devices is not None and setup.devices.deadline is not None:
            yield Problem(
                "devices.deadline",
                "Cyclic waits for each client in turn; set it to none, or choose schedule = "
                "Synchronous",
                setup.devices.deadline,
            )

    def step(self, federation: Federation, progress: Progress) -> tuple[Progress, RoundRecord]:
        """Dispatch to one client after another, each from the model that the last one made."""
        chosen = federation.select(progress)
        ids, now = chosen.answers.ids, progress
        order = np.arange(len(ids))
        if self.shuffled:
            order = federation.generator(Stream.ORDER, chosen.number).permutation(len(ids))
        collected: list[Accumulator] = []
        for place in order.tolist():
            sent = federation.dispatch(now, cohort=1.0)
            one = ids[place : place + 1]
            collected.append(federation.collect(sent, one, now.clients, chosen.timer))
            now = federation.aggregate(now, sent, collected[-1])
            chosen.timer.lap("aggregation")
        return federation.finish(progress, now, chosen, collected)
