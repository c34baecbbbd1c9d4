"""One step that an update goes through between a client and the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from fedbench.config.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class Sending:
    """Where a stage encodes: the round (from 1), the senders' numbers, int64[C], and their states.

    `clients` are the stage's own client states [C, ...], `server` its server state as broadcast.
    """

    round: int
    ids: NDArray[np.int64]
    clients: Tree = field(default_factory=dict)
    server: Tree = field(default_factory=dict)


@dataclass(frozen=True)
class Receiving:
    """Where a stage decodes: the round (from 1), what the sum was divided by, the server state.

    `sensitivity` bounds, by group of leaves, the norm of what one client adds to the sum, where an
    earlier stage holds updates to one; `payload` are the names of the leaves of an update.
    """

    round: int
    divisor: float
    server: Tree = field(default_factory=dict)
    sensitivity: tuple[float, ...] = ()
    payload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoded:
    """Payloads [C, ...] as a stage sends them on, the clients' new states, and what it can tell.

    `norms` are the clients' norms before the stage, `clipped` marks who was clipped; both [C].
    """

    payloads: Tree
    clients: Tree = field(default_factory=dict)
    norms: Tensor | None = None
    clipped: Tensor | None = None


class Stage(Part, family=True):
    """One step that an update goes through between a client and the server.

    `encode` runs on each client and returns what is sent on; `decode` runs on the server and turns
    the aggregate back. A pipeline runs its stages in order on the clients and in reverse on the
    server.

    A stage stores nothing on itself. What must last from round to round is returned, carried by the
    run and saved in checkpoints: client state (such as the residual of error feedback) belongs to
    one client and never reaches the server; server state (such as an adaptive clipping norm)
    belongs to the run and is sent to the clients with the model.

    Payloads are stacked over clients [C, ...]. What `encode` returns must add up: the server sees
    sums of it, weighted where the strategy weights.

    Example:
        class Halved(Stage):
            '''Send half of each update, and double the aggregate.'''

            def encode(self, payloads, sending):
                return Encoded(tree.scale(payloads, 0.5))

            def decode(self, aggregate, receiving):
                return tree.scale(aggregate, 2.0), receiving.server
    """

    # Whether `encode` never makes an update longer: where clipping bounds the privacy loss, only
    # such a stage may follow it.
    contracts: ClassVar[bool] = False

    def init(self, template: Tree) -> tuple[Tree, Tree]:
        """Return a client's and the server's state before the first round.

        `template` has the leaves of one client's payload as it comes to this stage.
        """
        return {}, {}

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Return the payloads [C, ...] as they are sent on, with leaves of its own if any."""
        return Encoded(payloads, sending.clients)

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Return the aggregate after the server's part, and the server's next state.

        Leaves that `encode` added are taken out again.
        """
        return aggregate, receiving.server

    def sensitivity(self, server: Tree) -> tuple[float, ...]:
        """Return bounds of one client's norm by group of leaves, if the stage holds it to any."""
        return ()

    def bytes_on_wire(self, payloads: Tree) -> int:
        """Return the bytes that all clients together send for their encoded payloads [C, ...]."""
        return sum(leaf.numel() * leaf.element_size() for leaf in payloads.values())

    def sees(self) -> str:
        """Return what the server can see of single updates after this stage; empty: no change."""
        return ""
