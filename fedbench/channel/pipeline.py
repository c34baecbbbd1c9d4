"""The stages between clients and server, in order; see `Stage`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedbench import tree
from fedbench.channel.stage import Encoded, Receiving, Sending, Stage
from fedbench.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

ServerStates = tuple[Tree, ...]  # of each stage, in their order


@dataclass(frozen=True)
class Pipeline:
    """Stages that run in order on the clients and in reverse on the server.

    The states of a client are one tree, in which those of a stage have its place as a prefix.
    """

    stages: tuple[Stage, ...] = ()

    def init(self, template: Tree) -> tuple[Tree, ServerStates]:
        """Return a client's and the server's states before the first round.

        `template` is one client's payload, without a dimension for clients.
        """
        clients: dict[str, Tree] = {}
        servers: list[Tree] = []
        payloads = {name: leaf[None] for name, leaf in template.items()}
        for place, stage in enumerate(self.stages):
            own, server = stage.init(tree.row(payloads, 0))
            clients[str(place)] = own
            servers.append(server)
            if place + 1 < len(self.stages):
                alone = {name: leaf[None] for name, leaf in own.items()}
                payloads = stage.encode(
                    payloads, Sending(1, np.zeros(1, int), alone, server)
                ).payloads
        return tree.pack(**clients), tuple(servers)

    def encode(
        self,
        payloads: Tree,
        clients: Tree,
        servers: ServerStates,
        round: int,
        ids: NDArray[np.int64],
    ) -> Encoded:
        """Return payloads [C, ...] as they leave clients `ids` with states `clients` [C, ...].

        `norms` are those before the first stage that measures them; who was clipped by any stage
        is clipped.
        """
        norms = clipped = None
        kept: dict[str, Tree] = {}
        for place, (stage, server) in enumerate(zip(self.stages, servers, strict=True)):
            own = tree.unpack(clients, str(place))
            encoded = stage.encode(payloads, Sending(round, ids, own, server))
            payloads = encoded.payloads
            kept[str(place)] = encoded.clients
            norms = encoded.norms if norms is None else norms
            if encoded.clipped is not None:
                clipped = encoded.clipped if clipped is None else clipped | encoded.clipped
        return Encoded(payloads, tree.pack(**kept), norms, clipped)

    def decode(
        self,
        aggregate: Tree,
        servers: ServerStates,
        round: int,
        divisor: float,
        payload: Iterable[str],
    ) -> tuple[Tree, ServerStates]:
        """Return the aggregate as the strategy takes it, and the server's next states.

        The sum was divided by `divisor`; `payload` are the names of the leaves of an update.
        """
        names, after = tuple(payload), list(servers)
        bounds: list[tuple[float, ...]] = []
        known: tuple[float, ...] = ()
        for stage, server in zip(self.stages, servers, strict=True):
            known = stage.sensitivity(server) or known
            bounds.append(known)
        for place in reversed(range(len(self.stages))):
            receiving = Receiving(round, divisor, servers[place], bounds[place], names)
            aggregate, after[place] = self.stages[place].decode(aggregate, receiving)
        return aggregate, tuple(after)

    def norm(self, servers: ServerStates) -> float:
        """Return the norm that a client's update is held to, NaN where it is held to none."""
        found: tuple[float, ...] = ()
        for stage, server in zip(self.stages, servers, strict=True):
            found = stage.sensitivity(server) or found
        return math.hypot(*found) if found else math.nan

    def bytes_on_wire(self, payloads: Tree) -> int:
        """Return the bytes that all clients together send for their encoded payloads [C, ...]."""
        own = (each for each in self.stages if type(each).bytes_on_wire is not Stage.bytes_on_wire)
        return (next(reversed(list(own)), None) or _PLAIN).bytes_on_wire(payloads)

    def sees(self) -> str:
        """Return what the server can see of single updates; empty: updates as they are."""
        return "; ".join(filter(None, (stage.sees() for stage in self.stages)))


class _Plain(Stage):
    """Payloads as they are: whose bytes count where no stage counts its own."""


_PLAIN = _Plain()
