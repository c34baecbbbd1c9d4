"""Stages of the user's, tried on a few small updates before a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fedbench import tree
from fedbench.channel import Encoded, Receiving, Sending, Stage
from fedbench.config.kinds import is_user_class
from fedbench.config.usercode import attributed, what
from fedbench.engine.returned import apart, check_tree, fail, pair, small_tree
from fedbench.strategies import RoundInfo
from fedbench.tree import Tree

if TYPE_CHECKING:
    from fedbench.engine.context import TrainingContext

SENDERS = 3


def try_channel(context: TrainingContext, params: Tree, info: RoundInfo) -> None:
    """Raise ValueError where a stage of the user's returns what a round cannot go on with.

    Updates go from stage to stage as they would in a round, so that each gets the leaves that it
    will get there. A client must send what it would send alone, unless its stage draws noise that
    differs every time.
    """
    server = context.strategy.init(params)
    zero = context.zero_payload(params, server, info)
    updates = [tree.scale(small_tree(zero), 1 + k) for k in range(SENDERS)]
    payloads, names = tree.stack(updates), tuple(zero)
    private = len(context.privacy.stages())  # these come first
    own = len(context.pipeline.stages) - private
    where = ["privacy"] * private + [f"channel.{number}" for number in range(own)]
    for place, stage in enumerate(context.pipeline.stages):
        payloads = _tried(stage, place, f"{where[place]}: {type(stage).__name__}", payloads, names)


def _tried(stage: Stage, place: int, name: str, payloads: Tree, names: tuple[str, ...]) -> Tree:
    """Return what the stage sends on of payloads [C, ...]."""
    template = tree.row(payloads, 0)
    with attributed(f"{name}.init()"):
        found = stage.init(tree.map(lambda leaf: leaf.clone(), template))
    client, server = pair(f"{name}.init()", found, "the state of a client and the server's")
    check_tree(f"{name}.init()", client, None, "the client's state")
    check_tree(f"{name}.init()", server, None, "the server's state")
    ids = np.arange(SENDERS)
    sending = Sending(1, ids, tree.stack([client] * SENDERS) if client else {}, server, names)
    sent = _sent(stage, name, payloads, sending)
    if is_user_class(type(stage)):
        _check_alone(stage, name, payloads, sending, sent)
    mean = {key: leaf.mean(0) for key, leaf in sent.payloads.items()}
    receiving = Receiving(1, float(SENDERS), server, stage.sensitivity(server), names)
    with attributed(f"{name}.decode()"):
        found = stage.decode(mean, receiving)
    aggregate, after = pair(f"{name}.decode()", found, "the aggregate and the server's state")
    check_tree(f"{name}.decode()", aggregate, template, "the aggregate")
    check_tree(f"{name}.decode()", after, server, "the server's state")
    return {
        key if key in payloads else f"{place}/{key}": leaf for key, leaf in sent.payloads.items()
    }


def _sent(stage: Stage, name: str, payloads: Tree, sending: Sending) -> Encoded:
    """Return what a stage makes of payloads, which it must leave as they are."""
    count = len(sending.ids)
    name = f"{name}.encode()"
    given = tree.map(lambda leaf: leaf.clone(), payloads)
    with attributed(name):
        sent: Any = stage.encode(given, sending)
    if not isinstance(sent, Encoded):
        fail(name, f"returned {what(sent)}; return Encoded(payloads, states of the clients)")
    check_tree(name, sent.payloads, None, "the payloads")
    check_tree(name, sent.clients, sending.clients, "the clients' states")
    for key, leaf in sent.payloads.items():
        if leaf.dim() == 0 or len(leaf) != count:
            fail(
                name,
                f"leaf {key!r} of the payloads has shape {tuple(leaf.shape)} for {count} clients; "
                "the first dimension of each leaf is the clients'",
            )
    for each, part in ((sent.norms, "norms"), (sent.clipped, "clipped")):
        if each is not None and tuple(each.shape) != (count,):
            fail(name, f"returned {what(each)} as {part}; return one number a client, ({count},)")
    if any(apart(given[key], leaf) for key, leaf in payloads.items()):
        fail(name, "changed the payloads that it was given; return new ones")
    return sent


def _check_alone(
    stage: Stage, name: str, payloads: Tree, sending: Sending, together: Encoded
) -> None:
    again = stage.encode(tree.map(lambda leaf: leaf.clone(), payloads), sending)
    if any(apart(again.payloads[key], leaf) for key, leaf in together.payloads.items()):
        return  # noise of the system's, which differs every time
    for k in range(SENDERS):
        own = {key: leaf[k : k + 1] for key, leaf in payloads.items()}
        state = {key: leaf[k : k + 1] for key, leaf in sending.clients.items()}
        alone = _sent(stage, name, own, replace(sending, ids=sending.ids[k : k + 1], clients=state))
        for mine, both in (
            (alone.payloads, together.payloads),
            (alone.clients, together.clients),
        ):
            for key, leaf in mine.items():
                if apart(both[key][k], leaf[0]):
                    fail(
                        f"{name}.encode()",
                        f"gives a client among others not what it gives it alone (leaf {key!r}): "
                        "it gets the leaves of many clients as [C, ...]; use the functions of "
                        "fedbench.tree, which keep clients apart, such as tree.norms",
                    )
