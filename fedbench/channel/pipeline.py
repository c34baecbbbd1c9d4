"""The stages between clients and server, in order; see `Stage`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
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

    The states of a client are one tree, in which those of a stage have its place as a prefix. So do
    leaves that a stage adds to a payload, for everybody but that stage: two may use one name.
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
                sending = Sending(1, np.zeros(1, int), alone, server, tuple(template))
                payloads = self._encoded(place, payloads, sending).payloads
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
        names, kept = tuple(payloads), {}
        for place, (_, server) in enumerate(zip(self.stages, servers, strict=True)):
            own = tree.unpack(clients, str(place))
            encoded = self._encoded(place, payloads, Sending(round, ids, own, server, names))
            payloads, kept[str(place)] = encoded.payloads, encoded.clients
            norms = encoded.norms if norms is None else norms
            if encoded.clipped is not None:
                clipped = encoded.clipped if clipped is None else clipped | encoded.clipped
        return Encoded(payloads, tree.pack(**kept), norms, clipped)

    def _encoded(self, place: int, payloads: Tree, sending: Sending) -> Encoded:
        """Return what the stage at `place` makes of payloads, its own leaves with a prefix."""
        encoded = self.stages[place].encode(payloads, sending)
        sent = {
            name if name in payloads else f"{place}/{name}": leaf
            for name, leaf in encoded.payloads.items()
        }
        return replace(encoded, payloads=sent)

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
        held = list(self._sensitivities(servers))
        for place in reversed(range(len(self.stages))):
            receiving = Receiving(round, divisor, servers[place], held[place], names)
            own = {name.removeprefix(f"{place}/"): leaf for name, leaf in aggregate.items()}
            aggregate, after[place] = self.stages[place].decode(own, receiving)
        return aggregate, tuple(after)

    def _sensitivities(self, servers: ServerStates) -> Iterator[tuple[float, ...]]:
        """Yield for each place what the last stage up to it holds a client's norm to."""
        known: tuple[float, ...] = ()
        for stage, server in zip(self.stages, servers, strict=True):
            known = stage.sensitivity(server) or known
            yield known

    def norm(self, servers: ServerStates) -> float:
        """Return the norm that a client's update is held to, NaN where it is held to none."""
        held = (
            stage.sensitivity(server) for stage, server in zip(self.stages, servers, strict=True)
        )
        return min((math.hypot(*each) for each in held if each), default=math.nan)

    def bytes_on_wire(self, payloads: Tree) -> int:
        """Return the bytes that all clients together send for their encoded payloads [C, ...]."""
        own = [each for each in self.stages if type(each).bytes_on_wire is not Stage.bytes_on_wire]
        return (own[-1] if own else _PLAIN).bytes_on_wire(payloads)

    def sees(self) -> str:
        """Return what the server can see of single updates; empty: updates as they are."""
        return "; ".join(filter(None, (stage.sees() for stage in self.stages)))


class _Plain(Stage):
    """Payloads as they are: whose bytes count where no stage counts its own."""


_PLAIN = _Plain()
