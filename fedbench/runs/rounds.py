"""One round, from sampling to evaluation; the same for every engine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedbench import tree
from fedbench.channel import Pipeline, ServerStates
from fedbench.data import FederatedDataset
from fedbench.engine import (
    Broadcast,
    ClientStates,
    PhaseTimer,
    TrainingContext,
    memory,
)
from fedbench.engine.hooks import rate_of, try_hooks, try_training
from fedbench.experiment import Experiment
from fedbench.metrics import RoundRecord
from fedbench.models import scores
from fedbench.participation import Answers, Load
from fedbench.privacy import Ledger, Ledgers
from fedbench.randomness import Stream, generator
from fedbench.rounding import rounded_up
from fedbench.runs.divergence import Diverged
from fedbench.schedules import Accumulator, Progress, Selection, Totals
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree

FLOAT = 4  # bytes of a parameter on the wire


class Rounds:
    """Runs the rounds of one experiment: `begin`, then `next` as long as `ended` says nothing.

    The data are those of the experiment, or `data` in their place; the noise is solved for it, or
    `noise_multiplier` as it was solved before. Raises ValueError when the experiment cannot be
    prepared (too little data, no noise in bounds that reaches the budget).
    """

    def __init__(
        self,
        experiment: Experiment,
        data: FederatedDataset | None = None,
        noise_multiplier: float | None = None,
    ) -> None:
        self.experiment: Experiment = experiment
        self.data = data or experiment.federation()
        self.privacy = experiment.privacy
        if self.privacy.guarantee is not None and noise_multiplier is not None:
            self.privacy = self.privacy.replace(noise_multiplier=noise_multiplier)
        else:
            self.privacy = experiment.bound_privacy()
        self.context = TrainingContext(
            data=self.data,
            model=experiment.model,
            training=experiment.training,
            strategy=experiment.strategy,
            seed=experiment.seed,
            attack=experiment.attack,
            privacy=self.privacy,
            pipeline=Pipeline((*self.privacy.stages(), *experiment.channel)),
            aggregator=experiment.aggregator,
            device=getattr(experiment.engine, "device", "cpu"),
        )
        self.context.check()
        if self.context.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("engine.device: torch sees no GPU here; choose 'cpu'")
        expected = experiment.sampling.expected(self.data.clients)
        participants = min(self.data.clients, expected * experiment.rounds)
        try_hooks(self.context, self._info(1))
        memory.refuse(self.context, experiment.engine, math.ceil(expected), math.ceil(participants))
        _ = self.context.uses_rng  # tries the module, and says what is wrong with it
        try_training(self.context, experiment.engine, self._info(1))
        self.ledger: Ledger | Ledgers | None = None  # with the round that was begun last
        self._charge: Callable[[int, Ledger | Ledgers], None] | None = None
        self._started = 0.0
        self._fresh: Tree | None = None  # the channel's state of a client that has none yet
        self._sent: int | None = None  # bytes of what a client sends, once they are known
        self._drawn: tuple[int, NDArray[np.int64]] | None = None
        self._given: tuple[Tree, ClientStates, tuple[Tensor, Tensor | None]] | None = None

    def amend(self, experiment: Experiment) -> None:
        """Go on by `experiment`, which differs in fields that a running federation may change.

        The noise stays as it was solved: what was promised about earlier rounds must hold. Other
        data must be those of the same clients, measured alike (see `succession`).
        """
        if experiment.data != self.experiment.data:
            self.data = experiment.federation()
            self.context = replace(self.context, data=self.data)
            self._given = None
        self.experiment = experiment

    def begin(self) -> Progress:
        """Return the state before the first round."""
        experiment = self.experiment
        params = experiment.model.initial(self.data.card, experiment.seed)
        server = experiment.strategy.init(params)
        ledger = Ledgers() if experiment.own_accounts else Ledger()
        _, channel = self._channel(params, server)
        return Progress(0, params, server, ledger=ledger, channel=channel)

    def _channel(self, params: Tree, server: Tree) -> tuple[Tree, ServerStates]:
        """Return the channel's state of a client, and of the server, before the first round."""
        return self.context.pipeline.init(self.context.zero_payload(params, server, self._info(1)))

    def ended(self, progress: Progress, last: RoundRecord | None) -> str | None:
        """Return why no further round is to be run, or None."""
        experiment = self.experiment
        target = experiment.target
        if target is not None and last is not None:
            better = experiment.metrics[target.metric]
            # where accuracy is measured under privacy, whoever decides may look at nothing else
            value = last.released if self.privacy.measures else last.metrics[target.metric]
            if target.reached(value, better):
                return f"target reached: {target.metric} {value:.4g}"
        if progress.round >= experiment.rounds:
            return f"all {progress.round} rounds done"
        privacy = self.privacy.guarantee
        if privacy is not None and privacy.epsilon is not None:
            number = progress.round + 1
            ledger = self._spend(progress.ledger, number, self._cohort(number))
            after = ledger.epsilon(privacy.delta)
            if after > privacy.epsilon * (1 + 1e-9):
                return (
                    f"privacy budget: round {number} would bring {privacy.level} ε to "
                    f"{rounded_up(after)}, past {privacy.epsilon:g}"
                )
        return None

    def next(
        self, progress: Progress, charge: Callable[[int, Ledger | Ledgers], None] | None = None
    ) -> tuple[Progress, RoundRecord]:
        """Run one round and return the new state and the row of the history.

        The round is charged to `ledger` before anything of it is computed: that it fails may tell
        of the data too. Before that a private round's number among the charged ones and its cost
        are given to `charge`, so that they can be kept; what it raises ends the round. Raises
        Diverged when a parameter is not finite, and without privacy when a loss is not.
        """
        self._charge, self._started = charge, time.perf_counter()
        return self.experiment.schedule.step(self, progress)

    # The steps of a round, in whatever order a schedule has them; see `Federation` ---------------

    def select(self, progress: Progress) -> Selection:
        """Return who takes part in the next round, and charge it; see `Federation`."""
        timer, number = PhaseTimer(), progress.round + 1
        answers = self._answers(progress, self.dispatch(progress))
        # whoever was asked trains, and answers or not, its examples are seen
        if self._charge is not None and self.privacy.guarantee is not None:
            cost = self._spend(type(progress.ledger)(), number, answers.asked)
            self._charge(progress.charged + 1, cost)
        self.ledger = ledger = self._spend(progress.ledger, number, answers.asked)
        timer.lap("sampling")
        return Selection(number, answers, ledger, timer)

    def dispatch(self, progress: Progress, cohort: float | None = None) -> Broadcast:
        """Return what clients are sent in the next round; see `Federation`."""
        if self._fresh is None:
            self._fresh, _ = self._channel(progress.params, progress.server)
        info = self._info(progress.round + 1)
        if cohort is not None:
            info = replace(info, expected_cohort=cohort)
        return Broadcast(info, progress.params, progress.server, progress.channel, self._fresh)

    def collect(
        self,
        broadcast: Broadcast,
        ids: NDArray[np.int64],
        states: ClientStates,
        timer: PhaseTimer,
    ) -> Accumulator:
        """Return what came back from clients `ids`; see `Federation`."""
        experiment = self.experiment
        gathered = Accumulator(ids, experiment.aggregator.is_sum)
        for arrival in experiment.engine.arrivals(self.context, broadcast, ids, states):
            timer.lap("training")
            gathered.add(arrival)
            timer.lap("aggregation")
        if bool((gathered.met != 1).any()):
            k = int((gathered.met != 1).nonzero()[0])
            raise ValueError(
                f"engine: {experiment.engine.kind()}: client {int(ids[k])} of the cohort came back "
                f"{int(gathered.met[k])} times; jobs() and chunks() must hold each client once"
            )
        return gathered

    def aggregate(
        self, progress: Progress, broadcast: Broadcast, gathered: Accumulator
    ) -> Progress:
        """Return the progress with a new model and new states; see `Federation`."""
        experiment, info, context = self.experiment, broadcast.info, self.context
        divisor = float(gathered.weights.sum())
        if self.privacy.noise_on_server:  # which is scaled for a sum of that many
            divisor = info.expected_cohort
        zero = context.zero_payload(progress.params, progress.server, info)
        aggregate = gathered.aggregate(experiment.aggregator, divisor)
        if aggregate is None:
            aggregate = tree.zeros_like(tree.row(self._encoded_zero(broadcast), 0))
        aggregate, channel = context.pipeline.decode(
            aggregate, progress.channel, info.round, divisor, zero
        )
        params, server = experiment.strategy.update(
            progress.params, aggregate, progress.server, info
        )
        return replace(
            progress,
            params={name: leaf.detach() for name, leaf in params.items()},
            server=server,
            channel=channel,
            clients={**progress.clients, **gathered.states},
        )

    def generator(self, stream: Stream, number: int) -> np.random.Generator:
        """Return the random numbers of a stream in round `number`; see `Federation`."""
        return generator(self.experiment.seed, stream, number)

    def finish(
        self,
        before: Progress,
        after: Progress,
        selection: Selection,
        collected: Sequence[Accumulator],
    ) -> tuple[Progress, RoundRecord]:
        """Evaluate the model; return the progress and the row of the round; see `Federation`."""
        timer, number, answers = selection.timer, selection.number, selection.answers
        after = replace(after, round=number, ledger=selection.ledger)
        metrics, clients, personal = self.evaluate(after.params, after.clients)
        whole = Totals.of(collected)
        losses = self._finite_losses(after.params, whole.losses, metrics["loss"], number)
        timer.lap("evaluation")
        spent = math.nan
        if (guarantee := self.privacy.guarantee) is not None:
            spent = after.ledger.epsilon(guarantee.delta)
        timer.lap("accounting")
        row = RoundRecord(
            round=number,
            metrics=metrics,
            clients=clients,
            cohort=answers.ids,
            train_loss=_mean(losses),
            grad_steps=whole.steps,
            update_norm=float(whole.norms.median()) if len(whole.norms) else math.nan,
            clip=self.context.pipeline.norm(before.channel),
            clipped=_mean(whole.clipped) if whole.clipped is not None else math.nan,
            epsilon=spent,
            personal=personal,
            released=self._released(clients, answers.ids, number),
            bytes_up=whole.bytes,
            bytes_down=len(answers.asked) * self._down(before),
            seconds=time.perf_counter() - self._started,
            asked=len(answers.asked),
            simulated_seconds=answers.seconds,
            profile=whole.split(timer.seconds),
        )
        return after, row

    def _finite_losses(self, params: Tree, losses: Tensor, loss: float, number: int) -> Tensor:
        """Return the losses that count. Raises Diverged where the run cannot go on."""
        finite = _finite(params.values())
        if self.privacy.guarantee is not None:
            # A client or example that is not finite counts as nothing, and whether a run goes on
            # must not tell of it: what was released decides alone.
            losses = losses[losses.isfinite()]
        else:
            finite = finite and math.isfinite(loss) and _finite([losses])
        if not finite:
            raise Diverged(number, self.experiment)
        return losses

    def evaluate(
        self, params: Tree, states: ClientStates
    ) -> tuple[dict[str, float], np.ndarray, float]:
        """Return the metrics of the global model over the held-out test set, and by client.

        The first metric of each client with test rows of its own is by the model that it uses; the
        last number is that metric over all test rows, each by its client's own model. It is NaN
        where everybody uses the global model.
        """
        context, card, offsets = self.context, self.data.card, self.data.test_offsets
        outputs, own = self.outputs(params, states)
        metrics, clients = scores(card, outputs, context.y_test, context.losses(outputs), offsets)
        if own is None:
            return metrics, clients, math.nan
        personal, clients = scores(card, own, context.y_test, context.losses(own), offsets)
        return metrics, clients, personal[self.experiment.metric]

    def outputs(self, params: Tree, states: ClientStates) -> tuple[Tensor, Tensor | None]:
        """Return what the global model gives for each test row, and each client's own for its rows.

        The latter is None where everybody uses the global model. Asked again for the same objects,
        as at the end of a run, it is not computed anew.
        """
        given = self._given
        if given is None or given[0] is not params or given[1] is not states:
            given = self._given = params, states, self._outputs(params, states)
        return given[2]

    def _outputs(self, params: Tree, states: ClientStates) -> tuple[Tensor, Tensor | None]:
        context, strategy, engine = self.context, self.experiment.strategy, self.experiment.engine
        offsets = self.data.test_offsets
        outputs = engine.evaluate(context, params, 0, len(self.data.y_test))
        if strategy.personal(params, strategy.init_client(params)) is None:
            return outputs, None
        personal = outputs.clone()
        for client, state in states.items():
            if client >= self.data.tested:
                continue
            first, last = int(offsets[client]), int(offsets[client + 1])
            own = strategy.personal(params, state.strategy)
            if own is not None and first < last:
                personal[first:last] = engine.evaluate(context, own, first, last)
        return outputs, personal

    def module(self, params: Tree) -> torch.nn.Module:
        """Return a torch module of its own with these parameters."""
        return self.experiment.model.loaded(self.data.card, self.experiment.seed, params)

    def _info(self, number: int) -> RoundInfo:
        training, clients = self.experiment.training, self.data.clients
        expected, rate = self.experiment.expected_cohort, rate_of(training, number)
        return RoundInfo(number, rate, clients, expected, training.momentum)

    def _up(self, broadcast: Broadcast) -> int:
        """Return the bytes that a client will send in a round, as far as they are known before."""
        if self._sent is None:
            zero = self._encoded_zero(broadcast)
            self._sent = self.context.pipeline.bytes_on_wire(zero)
        return self._sent

    def _encoded_zero(self, broadcast: Broadcast) -> Tree:
        """Return [1, ...] what a client sends whose update is zero: all leaves of all stages."""
        zero = self.context.zero_payload(broadcast.params, broadcast.server, broadcast.info)
        alone, own = (
            {name: leaf[None] for name, leaf in a.items()} for a in (zero, broadcast.fresh)
        )
        ids, number = np.zeros(1, dtype=np.int64), broadcast.info.round
        return self.context.pipeline.encode(alone, own, broadcast.channel, number, ids).payloads

    def _down(self, progress: Progress) -> int:
        """Return the bytes that a client is sent in a round."""
        sent = self.experiment.strategy.broadcast(progress.params, progress.server)
        return tree.size(sent) * FLOAT

    def _released(self, clients: NDArray[np.float32], ids: NDArray[np.int64], number: int) -> float:
        """Return the cohort's accuracy as far as privacy lets it be known, NaN if it is exact."""
        shares = clients[ids[ids < len(clients)]].astype(np.float64)
        known = shares[np.isfinite(shares)]
        return self.privacy.measured(known, number)

    def _answers(self, progress: Progress, broadcast: Broadcast) -> Answers:
        """Return who answers in a round; without devices all that are asked, in no time."""
        experiment, devices, number = self.experiment, self.experiment.devices, broadcast.info.round
        asked = self._cohort(number)
        if devices is None:
            return Answers(asked, asked, math.nan)
        load = Load(
            down=self._down(progress),
            up=self._up(broadcast),
            examples=experiment.examples(self.data, asked),
            needed=experiment.sampling.needed,
        )
        return devices.answer(
            asked,
            load,
            clients=self.data.clients,
            seed=experiment.seed,
            round=number,
            in_turn=experiment.schedule.in_turn,
        )

    def _cohort(self, number: int) -> NDArray[np.int64]:
        """Return the clients of round `number`: the same ones however often it is asked."""
        if self._drawn is None or self._drawn[0] != number:
            self._drawn = number, self.experiment.cohort(number, self.data.clients)
        return self._drawn[1]

    def _spend(
        self, ledger: Ledger | Ledgers, number: int, ids: NDArray[np.int64]
    ) -> Ledger | Ledgers:
        privacy, experiment = self.privacy.guarantee, self.experiment
        if privacy is None:
            return ledger

        def own() -> Iterator[tuple[int, float, int]]:
            rates, steps = experiment.own_releases(self.data, ids)
            return zip(ids.tolist(), rates.tolist(), steps.tolist(), strict=True)

        return ledger.charge(privacy.event, experiment.sampling_rate, own)


def _finite(leaves: Iterable[Tensor]) -> bool:
    return all(bool(leaf.isfinite().all()) for leaf in leaves)


def _mean(values: Tensor) -> float:
    return float(values.double().mean()) if len(values) else math.nan
