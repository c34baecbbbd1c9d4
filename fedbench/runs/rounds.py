"""One round, from sampling to evaluation; the same for every engine."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from fedbench import tree
from fedbench.channel.privacy import ClientLevelDP, Ledger
from fedbench.engine import Task
from fedbench.experiment import Experiment
from fedbench.models import METRICS, scores
from fedbench.runs.events import RoundDone
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree

FLOAT = 4  # bytes of a parameter on the wire


class Diverged(ArithmeticError):
    """Training left the range of numbers."""


@dataclass(frozen=True)
class Progress:
    """All that a round hands to the next: model, states of server and clients, privacy spent."""

    round: int
    params: Tree
    server: Tree
    clients: dict[int, Tree] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)


class Rounds:
    """Runs the rounds of one experiment: `begin`, then `next` as long as `ended` says nothing.

    Raises ValueError when the experiment cannot be prepared (too little data, no noise in bounds
    that reaches the budget).
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.data = experiment.federation()
        self.rate = experiment.sampling_rate
        self.privacy = experiment.privacy.bind(self.rate, experiment.rounds)
        self._module = experiment.model.template(self.data.card)
        self._x_test = torch.from_numpy(self.data.x_test)
        self._y_test = torch.from_numpy(self.data.y_test)

    def amend(self, experiment: Experiment) -> None:
        """Go on by `experiment`, which differs in fields that a running federation may change.

        The noise stays as it was solved: what was promised about earlier rounds must hold.
        """
        self.experiment = experiment

    def begin(self) -> Progress:
        """Return the state before the first round."""
        experiment = self.experiment
        params = experiment.model.initial(self.data.card, experiment.seed)
        return Progress(0, params, experiment.strategy.init(params))

    def ended(self, progress: Progress, last: RoundDone | None) -> str | None:
        """Return why no further round is to be run, or None."""
        experiment = self.experiment
        target = experiment.target
        if target is not None and last is not None:
            better = METRICS[experiment.data.task][target.metric]
            if target.reached(last.metrics, better):
                return f"target reached: {target.metric} {last.metrics[target.metric]:.4g}"
        if progress.round >= experiment.rounds:
            return f"all {progress.round} rounds done"
        privacy = self.privacy
        if isinstance(privacy, ClientLevelDP) and privacy.epsilon is not None:
            after = self._spend(progress.ledger).epsilon(privacy.delta)
            if after > privacy.epsilon * (1 + 1e-9):
                return (
                    f"privacy budget: round {progress.round + 1} would bring ε to {after:.4g}, "
                    f"past {privacy.epsilon:g}"
                )
        return None

    def next(self, progress: Progress) -> tuple[Progress, RoundDone]:
        """Run one round and return the new state and the row of the history.

        Raises Diverged when the loss or a parameter is not finite.
        """
        started = time.perf_counter()
        experiment, data = self.experiment, self.data
        strategy, number = experiment.strategy, progress.round + 1
        expected = experiment.sampling.expected(data.clients)
        training = experiment.training
        info = RoundInfo(number, training.rate(number), data.clients, expected, training.momentum)
        ids = experiment.sampling.draw(data.clients, self._draws(number))
        task = Task(data, experiment.model, experiment.training, strategy, experiment.seed)
        updates = experiment.engine.train(
            task, progress.params, progress.server, progress.clients, ids, info
        )
        private = isinstance(self.privacy, ClientLevelDP)
        divisor = expected if private else float(updates.weights.sum())
        encoded = self.privacy.encode(updates.payloads)
        # Whatever a strategy weighs by, sensitivity is proved for a plain sum.
        weights = torch.ones_like(updates.weights) if private else updates.weights
        aggregate = experiment.aggregator.combine(
            encoded.payloads, weights, divisor if private else None
        )
        aggregate = self.privacy.decode(aggregate, divisor, self.privacy.noise(number))
        params, server = strategy.update(progress.params, aggregate, progress.server, info)
        params = {name: leaf.detach() for name, leaf in params.items()}
        metrics, clients = self.evaluate(params)
        losses = updates.losses
        finite = all(bool(leaf.isfinite().all()) for leaf in params.values())
        if not (finite and math.isfinite(metrics["loss"]) and bool(losses.isfinite().all())):
            raise Diverged(
                f"round {number}: the loss is no longer finite; training diverged. Lower "
                f"training.lr (now {experiment.training.lr:g}) or take fewer local steps"
            )
        ledger = self._spend(progress.ledger)
        up = tree.size(updates.payloads) * FLOAT // max(1, len(ids))
        down = tree.size(strategy.broadcast(progress.params, progress.server)) * FLOAT
        norms = encoded.norms if encoded.norms is not None else tree.norms(updates.payloads)
        row = RoundDone(
            round=number,
            metrics=metrics,
            clients=clients,
            cohort=ids,
            train_loss=_mean(losses),
            update_norm=float(norms.median()) if len(norms) else math.nan,
            clipped=_mean(encoded.changed) if encoded.changed is not None else math.nan,
            epsilon=ledger.epsilon(self.privacy.delta)
            if isinstance(self.privacy, ClientLevelDP)
            else math.nan,
            bytes_up=len(ids) * self.privacy.wire_bytes(up),
            bytes_down=len(ids) * down,
            seconds=time.perf_counter() - started,
        )
        after = replace(
            progress,
            round=number,
            params=params,
            server=server,
            clients={**progress.clients, **updates.clients},
            ledger=ledger,
        )
        return after, row

    def evaluate(self, params: Tree) -> tuple[dict[str, float], np.ndarray]:
        """Return the metrics over the held-out test set and the first metric per client."""
        with torch.no_grad():
            outputs = functional_call(self._module, dict(params), (self._x_test,))
            losses = self.experiment.model.loss(outputs, self._y_test)
        return scores(self.data.card, outputs, self._y_test, losses, self.data.test_offsets)

    def module(self, params: Tree) -> torch.nn.Module:
        """Return a torch module of its own with these parameters."""
        module = self.experiment.model.template(self.data.card)
        own = {name: leaf.clone() for name, leaf in params.items()}
        module.load_state_dict(own, assign=True)
        return module

    def _draws(self, round: int) -> np.random.Generator:
        # Amplification by sampling needs cohorts that nobody can predict.
        secret = isinstance(self.privacy, ClientLevelDP) and self.privacy.noise_seed is None
        return np.random.default_rng(None if secret else [self.experiment.seed, 4, round])

    def _spend(self, ledger: Ledger) -> Ledger:
        event = self.privacy.event(self.rate)
        if event is None:
            return ledger
        return ledger.spend(event)


def _mean(values: Tensor) -> float:
    return float(values.double().mean()) if len(values) else math.nan
