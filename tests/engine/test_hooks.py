"""Strategies, aggregators, attacks and engines of the user's are tried before a run."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench import tree
from fedbench.aggregators import Aggregator
from fedbench.attacks import Attack
from fedbench.engine import LocalUpdates
from fedbench.runs.rounds import Rounds
from fedbench.strategies import Strategy

SMALL = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2)


class Hooked(Strategy):
    """A strategy whose one hook a test gives."""

    hooks: ClassVar[dict[str, Any]] = {}

    def init(self, params: Any) -> Any:
        return self._call("init", {"m": torch.zeros(2)}, params)

    def init_client(self, params: Any) -> Any:
        return self._call("init_client", {"c": torch.zeros(3)}, params)

    def start(self, params: Any, client: Any) -> Any:
        return self._call("start", params, params)

    def adjust(self, grads: Any, params: Any, anchor: Any, server: Any, client: Any) -> Any:
        return self._call("adjust", grads, grads)

    def finish(self, delta: Any, anchor: Any, client: Any, server: Any, steps: Any, info: Any):
        return self._call("finish", (delta, client), (delta, client))

    def broadcast(self, params: Any, server: Any) -> Any:
        return self._call("broadcast", params, params)

    def weights(self, samples: Any) -> Any:
        return self._call("weights", super().weights(samples), samples)

    def personal(self, params: Any, client: Any) -> Any:
        return self._call("personal", None, params)

    def update(self, params: Any, payload: Any, server: Any, info: Any) -> Any:
        return self._call("update", super().update(params, payload, server, info), (params, server))

    def _call(self, name: str, usual: Any, given: Any) -> Any:
        return type(self).hooks[name](given) if name in type(self).hooks else usual


def renamed(params: Any) -> Any:
    return {f"x{name}": leaf for name, leaf in params.items()}


def spoilt(params: Any) -> Any:
    return {name: leaf * float("nan") for name, leaf in params.items()}


def widened(params: Any) -> Any:
    return {name: torch.stack([leaf, leaf]) for name, leaf in params.items()}


HOOKS: list[tuple[str, Any, str]] = [
    (
        "init",
        lambda params: None,
        "Hooked.init(): returned None as the answer; return a",
    ),
    ("init", lambda params: {"m": 0.0}, "returned a float as leaf 'm' of the answer; leaves are"),
    ("init_client", lambda params: params["no"], "Hooked.init_client() raised KeyError: 'no' ("),
    ("start", renamed, "Hooked.start(): the answer lacks leaf "),
    ("adjust", lambda grads: None, "Hooked.adjust(): returned None"),
    ("adjust", spoilt, "of the answer is not finite, for finite numbers given"),
    ("adjust", widened, "of the answer has shape (2, 3, 13), and (3, 13) is needed"),
    ("adjust", lambda grads: {}, "Hooked.adjust(): the answer lacks leaf '1.weight'"),
    ("adjust", lambda grads: grads + 1, "Hooked.adjust() raised TypeError ("),
    ("finish", lambda pair: pair[0], "Hooked.finish(): returned a dict; return two trees"),
    ("finish", lambda pair: (pair[0], {}), "Hooked.finish(): the client's state lacks leaf 'c'"),
    ("finish", lambda pair: (None, pair[1]), "Hooked.finish(): returned None as the payload"),
    ("broadcast", lambda params: list(params), "Hooked.broadcast(): returned a list"),
    ("weights", lambda samples: samples.sum(), "returned a tensor of shape (); return one number"),
    ("weights", lambda samples: -samples.float(), "weights are 0 or more, not all 0"),
    ("weights", lambda samples: samples * 0.0, "weights are 0 or more, not all 0"),
    ("personal", renamed, "Hooked.personal(): the answer lacks leaf"),
    ("update", lambda pair: pair[0], "Hooked.update(): returned a dict; return two trees"),
    ("update", lambda pair: (spoilt(pair[0]), pair[1]), "of the model is not finite"),
    ("update", lambda pair: (pair[0], {}), "Hooked.update(): the server's state lacks leaf 'm'"),
    ("update", lambda pair: (renamed(pair[0]), pair[1]), "Hooked.update(): the model lacks leaf"),
]


@pytest.mark.parametrize(("hook", "change", "said"), HOOKS)
def test_a_hook_that_returns_something_else_is_refused(
    hook: str, change: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hooked, "hooks", {hook: change})
    with pytest.raises(ValueError) as caught:
        Rounds(SMALL.replace(strategy=Hooked()))
    assert str(caught.value).startswith("strategy: Hooked.")
    assert said in str(caught.value)
    assert not re.search("Tensor|dtype|size of tensor", str(caught.value))


def test_hooks_as_they_should_be_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hooked, "hooks", {})
    mine, usual = fb.run(SMALL.replace(strategy=Hooked())), fb.run(SMALL)
    for one, other in zip(mine.rows, usual.rows, strict=True):  # a sum in another order
        assert one.metrics == pytest.approx(other.metrics, abs=1e-6)


class Mixing(Strategy):
    """Steps of length one, but of all the clients of a chunk together."""

    def adjust(self, grads: Any, params: Any, anchor: Any, server: Any, client: Any) -> Any:
        norm = torch.stack([leaf.square().sum() for leaf in grads.values()]).sum().sqrt()
        return {name: leaf / norm for name, leaf in grads.items()}


def test_a_hook_that_mixes_clients_is_refused_where_clients_are_stacked() -> None:
    small = SMALL.replace(model=fb.MLP(hidden=(4,)))
    with pytest.raises(ValueError, match="clients that are trained together do not send what each"):
        Rounds(small.replace(strategy=Mixing()))
    Rounds(small.replace(strategy=Mixing(), engine=fb.LoopEngine()))


class Combined(Aggregator):
    """An aggregator whose rule a test gives."""

    rule: ClassVar[Any] = None

    def combine(self, payloads: Any, weights: Any, total: float | None = None) -> Any:
        return type(self).rule(payloads, weights, total)


class Summed(Combined):
    """One that says that it is a sum."""

    is_sum: ClassVar[bool] = True


def mean(payloads: Any, weights: Any, total: float | None) -> Any:
    return fb.Mean().combine(payloads, weights, total)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda payloads, weights, total: payloads, "has shape (3, 3, 13), and (3, 13) is needed"),
        (lambda payloads, weights, total: None, "returned None as the answer; return a dictionary"),
        (lambda payloads, weights, total: spoilt(mean(payloads, weights, total)), "is not finite"),
        (lambda payloads, weights, total: {"a": weights}, "Combined.combine(): the answer lacks"),
        (lambda payloads, weights, total: payloads["no"], "combine() raised KeyError: 'no' ("),
        (lambda payloads, weights, total: weights @ weights[:2], "combine() raised RuntimeError ("),
    ],
)
def test_an_aggregator_gives_one_payload(
    rule: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Combined, "rule", staticmethod(rule))
    with pytest.raises(ValueError, match=re.escape(said)):
        Rounds(SMALL.replace(aggregator=Combined()))


def test_an_aggregator_that_is_no_sum_may_not_say_that_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def median(payloads: Any, weights: Any, total: float | None) -> Any:
        return {name: leaf.median(0).values for name, leaf in payloads.items()}

    monkeypatch.setattr(Combined, "rule", staticmethod(median))
    Rounds(SMALL.replace(aggregator=Combined()))
    with pytest.raises(ValueError, match=r"it does not give Σ wᵢ·payloadᵢ .* is_sum = True; set"):
        Rounds(SMALL.replace(aggregator=Summed()))
    monkeypatch.setattr(Combined, "rule", staticmethod(mean))
    Rounds(SMALL.replace(aggregator=Summed()))


class Attacking(Attack):
    """An attack whose hooks a test gives."""

    hooks: ClassVar[dict[str, Any]] = {}

    def share(self) -> float:
        return 0.5

    def poison(self, targets: Any, card: Any) -> Any:
        return type(self).hooks.get("poison", lambda y: y)(targets)

    def forge(self, payloads: Any, rng: Any) -> Any:
        return type(self).hooks.get("forge", lambda own: own)(payloads)


@pytest.mark.parametrize(
    ("hook", "change", "said"),
    [
        ("poison", lambda y: y + 1, "poison(): returned targets from 1 to 3; they"),
        ("poison", lambda y: y * 1.0, "they are whole numbers from 0 to 2"),
        ("poison", lambda y: y[:1], "poison(): returned a tensor of shape (1,); return targets of"),
        ("poison", lambda y: None, "poison(): returned None; return targets of shape (3,)"),
        ("forge", lambda own: {}, "forge(): the answer lacks leaf"),
        ("forge", lambda own: {k: v[0] for k, v in own.items()}, "has shape (3, 13), and (1, 3, 1"),
        ("forge", lambda own: own["no"], "forge() raised KeyError: 'no' ("),
    ],
)
def test_an_attack_keeps_the_shape_of_what_it_changes(
    hook: str, change: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attacking, "hooks", {hook: change})
    with pytest.raises(ValueError, match=re.escape(said)):
        Rounds(SMALL.replace(attack=Attacking()))


def test_an_attack_may_send_what_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Attacking, "hooks", {"forge": spoilt})
    rounds = Rounds(SMALL.replace(attack=Attacking(), aggregator=fb.CoordinateMedian()))
    assert isinstance(rounds.experiment.attack, Attacking)  # it was not refused


class Losing(fb.LoopEngine):
    """An engine that trains the first client only."""

    def train(self, context: Any, broadcast: Any, ids: Any, states: Any) -> LocalUpdates:
        return super().train(context, broadcast, ids[:1], states)


class Crossed(fb.LoopEngine):
    """An engine whose clients share what they learn."""

    def train(self, context: Any, broadcast: Any, ids: Any, states: Any) -> LocalUpdates:
        found = super().train(context, broadcast, ids, states)
        shared = tree.map(lambda leaf: leaf.mean(0, keepdim=True).expand_as(leaf), found.payloads)
        return LocalUpdates(shared, found.losses, found.steps, found.states)


def test_an_engine_trains_whom_it_is_asked_to_and_each_alone() -> None:
    with pytest.raises(ValueError, match="engine: Losing: trained 1 clients, and 2 were asked"):
        Rounds(SMALL.replace(engine=Losing()))
    with pytest.raises(ValueError, match="engine: Crossed: clients that are trained together do n"):
        Rounds(SMALL.replace(engine=Crossed()))


@pytest.mark.parametrize("rate", [None, -1.0, float("nan"), "fast"])
def test_a_rate_of_ones_own_is_a_number(rate: Any) -> None:
    class Rated(fb.LocalTraining):
        """Has a rate of its own."""

        def rate(self, round: int) -> Any:
            return rate

    with pytest.raises(ValueError, match=r"Rated.rate\(\): returned .* return a number of 0 or"):
        Rounds(SMALL.replace(training=Rated()))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_tried_changes_no_run() -> None:
    class Plain(fb.MLP):
        """A model of the user's that is ours."""

    private = fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=3)
    for privacy in (fb.NoPrivacy(), private):
        ours = SMALL.replace(model=fb.MLP(hidden=(4,)), privacy=privacy)
        runs = [fb.run(each) for each in (ours, ours.replace(model=Plain(hidden=(4,))))]
        first, again = ([row.metrics for row in run.rows] for run in runs)
        assert first == again
    assert np.isfinite(first[-1]["loss"])
