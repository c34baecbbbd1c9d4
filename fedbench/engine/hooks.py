"""Strategies, aggregators, attacks, stages and engines of the user's, tried before a run.

Each hook is called once with small numbers, and what it returns is compared with what it must be:
which leaves, of which shapes, all of them finite. Hooks that are called for many clients at once
must give each client what it would get alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench import tree
from fedbench.attacks import NoAttack
from fedbench.config.kinds import is_user_class
from fedbench.config.usercode import attributed, what
from fedbench.engine.messages import Broadcast
from fedbench.engine.returned import CLOSE, apart, check_tree, fail, pair, small_tree, unwritten
from fedbench.engine.stage_trial import try_channel
from fedbench.engine.trial import examples
from fedbench.privacy import NoPrivacy
from fedbench.strategies import LocalWork, RoundInfo
from fedbench.training import LocalTraining
from fedbench.tree import Tree

if TYPE_CHECKING:
    from fedbench.engine.context import TrainingContext
    from fedbench.engine.engine import Engine

CLIENTS, ROWS = 2, 4  # of the federation that hooks are tried on, and the training rows of each
RATE = 0.01  # at which nothing diverges that is sound


def try_hooks(context: TrainingContext, info: RoundInfo) -> None:
    """Raise ValueError where a hook of the user's returns what a round cannot go on with."""
    stages = context.pipeline.stages
    parts = (context.training, context.strategy, context.aggregator, context.attack, *stages)
    if not any(is_user_class(type(part)) for part in parts):
        return
    params = context.model.initial(context.data.card, context.seed)
    for number in (1, 2, 100):
        rate_of(context.training, number)
    if is_user_class(type(context.strategy)):
        _try_strategy(context, params, info)
    if is_user_class(type(context.aggregator)):
        _try_aggregator(context, params)
    if is_user_class(type(context.attack)):
        _try_attack(context, params)
    if any(is_user_class(type(stage)) for stage in stages):
        try_channel(context, params, info)


def rate_of(training: LocalTraining, number: int) -> float:
    """Return the learning rate of round `number`. Raises ValueError where it is none."""
    name = f"training: {type(training).__name__}.rate()"
    with attributed(name):
        rate: Any = training.rate(number)
    if not isinstance(rate, int | float) or not 0 <= rate < np.inf:
        fail(name, f"returned {rate!r} for round {number}; return a number of 0 or more")
    return rate


def _try_strategy(context: TrainingContext, params: Tree, info: RoundInfo) -> None:
    import torch

    strategy, small = context.strategy, small_tree(params)
    name = f"strategy: {type(strategy).__name__}"
    with attributed(f"{name}.init()"):
        server = strategy.init(params)
    check_tree(f"{name}.init()", server, None)
    with attributed(f"{name}.init_client()"):
        client = strategy.init_client(params)
    check_tree(f"{name}.init_client()", client, None)
    with attributed(f"{name}.broadcast()"):
        sent = strategy.broadcast(params, server)
    check_tree(f"{name}.broadcast()", sent, None)
    with attributed(f"{name}.companion()"):
        works: list[LocalWork | None] = [strategy, strategy.companion()]
    for work in works:
        if work is None:
            continue
        own = f"strategy: {type(work).__name__}"
        shared = {"the global model": params, "the client's state": client}
        with attributed(f"{own}.start()"), unwritten(f"{own}.start()", shared):
            start = work.start(params, client)
        check_tree(f"{own}.start()", start, params)
        shared["the server's state"] = server
        with attributed(f"{own}.adjust()"), unwritten(f"{own}.adjust()", shared):
            local = tree.add(params, small)
            direction = work.adjust(tree.map(torch.clone, small), local, params, server, client)
        check_tree(f"{own}.adjust()", direction, params)
        with attributed(f"{own}.finish()"), unwritten(f"{own}.finish()", shared):
            delta = tree.map(torch.clone, small)
            finished = work.finish(delta, params, client, server, torch.tensor(2), info)
        payload, state = pair(f"{own}.finish()", finished, "the payload and the client's state")
        check_tree(f"{own}.finish()", payload, None, "the payload")
        check_tree(f"{own}.finish()", state, client, "the client's state")
    with attributed(f"{name}.finish()"):
        payload, _ = strategy.finish(dict(small), params, client, server, torch.tensor(2), info)
    samples = torch.tensor([3, 5])
    with attributed(f"{name}.weights()"):
        weights = strategy.weights(samples)
    if not isinstance(weights, torch.Tensor) or weights.shape != (2,):
        fail(f"{name}.weights()", f"returned {what(weights)}; return one number a client, [C]")
    if not bool((weights.isfinite() & (weights >= 0)).all()) or not float(weights.sum()) > 0:
        fail(f"{name}.weights()", f"returned {weights.tolist()}; weights are 0 or more, not all 0")
    for k in range(len(samples)):
        with attributed(f"{name}.weights()"):
            alone = strategy.weights(samples[k : k + 1])
        if apart(alone, weights[k : k + 1]):
            fail(
                f"{name}.weights()",
                f"gives a client of {int(samples[k])} samples {float(weights[k]):g} beside another "
                f"and {float(alone):g} alone; a client's weight follows from its own samples, and "
                "the mean divides by the sum of weights",
            )
    with attributed(f"{name}.update()"):
        updated = strategy.update(params, payload, server, info)
    model, after = pair(f"{name}.update()", updated, "the model and the server's state")
    check_tree(f"{name}.update()", model, params, "the model")
    check_tree(f"{name}.update()", after, server, "the server's state")
    shared = {"the global model": params, "the client's state": client}
    with attributed(f"{name}.personal()"), unwritten(f"{name}.personal()", shared):
        personal = strategy.personal(params, client)
    if personal is not None:
        check_tree(f"{name}.personal()", personal, params)


def _try_aggregator(context: TrainingContext, params: Tree) -> None:
    import torch

    aggregator, name = (
        context.aggregator,
        f"aggregator: {type(context.aggregator).__name__}.combine()",
    )
    count = max(3, aggregator.least)
    payloads = tree.stack([tree.scale(small_tree(params), 1 + k) for k in range(count)])
    weights = torch.arange(1, count + 1, dtype=torch.float32)
    with attributed(name):
        whole = aggregator.combine(tree.map(torch.clone, payloads), weights.clone())
    check_tree(name, whole, params)
    if not aggregator.is_sum:
        return
    for each in (weights, torch.logspace(0, 4, count), 1e-3 * weights):
        with attributed(name):
            found = aggregator.combine(tree.map(torch.clone, payloads), each.clone(), total=1.0)
        check_tree(name, found, params)
        for key, leaf in payloads.items():
            if apart(found[key], torch.tensordot(each, leaf, dims=1)):
                fail(
                    name,
                    f"with total=1 it does not give Σ wᵢ·payloadᵢ in leaf {key!r}, and the class "
                    "says is_sum = True; set it to False",
                )


def _try_attack(context: TrainingContext, params: Tree) -> None:
    import torch

    attack, card = context.attack, context.data.card
    name = f"attack: {type(attack).__name__}.poison()"
    classes = torch.arange(len(card.classes))
    y = classes if card.task == "classification" else torch.linspace(-1, 1, ROWS)
    with attributed(name):
        poisoned = attack.poison(y.clone(), card)
    if not isinstance(poisoned, torch.Tensor) or poisoned.shape != y.shape:
        fail(name, f"returned {what(poisoned)}; return targets of shape {tuple(y.shape)}")
    if card.task == "classification":
        low, high = float(poisoned.min()), float(poisoned.max())
        if poisoned.is_floating_point() or low < 0 or high >= len(card.classes):
            fail(
                name,
                f"returned targets from {low:g} to {high:g}; they are whole numbers from 0 to "
                f"{len(card.classes) - 1}",
            )
    elif not bool(poisoned.isfinite().all()):
        fail(name, "returned targets that are not finite")
    for k in range(len(y)):
        with attributed(name):
            alone = attack.poison(y[k : k + 1].clone(), card)
        if apart(alone, poisoned[k : k + 1]):
            fail(
                name,
                f"turns target {float(y[k]):g} into {float(poisoned[k]):g} beside others and into "
                f"{float(alone):g} alone; each target is to be changed by itself",
            )
    name = f"attack: {type(attack).__name__}.forge()"
    one = {key: leaf[None] for key, leaf in small_tree(params).items()}
    with attributed(name):
        forged = attack.forge(dict(one), np.random.default_rng(0))
    check_tree(name, forged, one, finite=False)  # an attack may send anything but another shape


def try_training(context: TrainingContext, engine: Engine, info: RoundInfo) -> None:
    """Train two clients together and each alone; raise ValueError unless they send the same.

    The model must have been tried before. Nothing is done where all parts are fedbench's own.
    """
    import torch

    tiny = _tiny(context)
    if tiny is None or not any(
        is_user_class(type(p)) for p in (context.strategy, context.model, engine)
    ):
        return
    params = context.model.initial(context.data.card, context.seed)
    info = replace(info, lr=min(info.lr, RATE))
    ids = np.arange(CLIENTS)
    server = tiny.strategy.init(params)
    name = _blamed(context, engine)

    def sent(some: Any) -> Any:
        with attributed(name):
            return engine.train(tiny, Broadcast(info, params, server), some, {})

    together = sent(ids)
    if (count := len(together.losses)) != CLIENTS:
        fail(name, f"trained {count} clients, and {CLIENTS} were asked")
    check_tree(name, together.payloads, None, "the payloads")
    if tiny.layers is None or tiny.uses_rng:
        return
    for k in range(CLIENTS):
        alone = sent(ids[k : k + 1])
        for key, leaf in alone.payloads.items():
            if apart(together.payloads[key][k], leaf[0]):
                fail(
                    name,
                    f"clients that are trained together do not send what each sends alone (leaf "
                    f"{key!r}): its hooks get the leaves of many clients as [C, ...]; use the "
                    "functions of fedbench.tree, which keep clients apart, such as tree.norms",
                )
        if not torch.allclose(
            together.losses[k].float(), alone.losses[0].float(), rtol=CLOSE, atol=1e-5
        ):
            fail(name, "the loss of an example depends on which others are in the batch")


def _tiny(context: TrainingContext) -> TrainingContext | None:
    """Return the context with two clients of a few rows each, without noise and without attacks."""
    data, rows = context.data, CLIENTS * ROWS
    x, y = examples(context, rows)
    if len(y) < rows:
        return None
    offsets = np.array([0, ROWS, rows])
    small = replace(
        data,
        x=x,
        y=y,
        strata=np.zeros(rows, dtype=np.int64),
        offsets=offsets,
        test_offsets=np.zeros(1, dtype=np.int64),
        choice=None,
        names=(),
    )
    training = context.training.replace(epochs=None, steps=2, batch_size=ROWS // 2)
    if context.strategy.one_gradient:
        training = context.training
    quiet = NoPrivacy(), NoAttack()
    return replace(context, data=small, training=training, privacy=quiet[0], attack=quiet[1])


def _blamed(context: TrainingContext, engine: Engine) -> str:
    """Return which part of the user's a fault of training is most likely from."""
    for place, part in (
        ("engine", engine),
        ("strategy", context.strategy),
        ("model", context.model),
    ):
        if is_user_class(type(part)):
            return f"{place}: {type(part).__name__}"
    return f"strategy: {type(context.strategy).__name__}"
