"""One step that an update goes through between a client and the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from fedbench.config.declared import Claim
from fedbench.config.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

ACTING = ("encode", "decode", "init")  # the methods that decide what a client can change


@dataclass(frozen=True)
class Sending:
    """What a stage knows where it encodes.

    The round counts from 1; `ids` are the senders' numbers, int64[C]. `clients` are the stage's own
    client states [C, ...], `server` is its server state as broadcast. `payload` are the names of
    the leaves of an update: any other leaf was added by an earlier stage.
    """

    round: int
    ids: NDArray[np.int64]
    clients: Tree = field(default_factory=dict)
    server: Tree = field(default_factory=dict)
    payload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Receiving:
    """What a stage knows where it decodes.

    The round counts from 1; `divisor` is what the sum was divided by, `server` the stage's server
    state. `sensitivity` bounds, by group of leaves, the norm of what one client adds to the sum,
    where a stage up to this one holds updates to one. `payload` are the names of the leaves of an
    update.
    """

    round: int
    divisor: float
    server: Tree = field(default_factory=dict)
    sensitivity: tuple[float, ...] = ()
    payload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoded:
    """Payloads [C, ...] as a stage sends them on, the clients' new states, and what it can tell.

    `norms` are the clients' norms before the stage, `clipped` marks who was clipped; both [C], or
    None where the stage measures or clips nothing.
    """

    payloads: Tree
    clients: Tree = field(default_factory=dict)
    norms: Tensor | None = None
    clipped: Tensor | None = None


class Stage(Part, family=True):
    """One step that an update goes through between a client and the server.

    `encode` runs on the clients and returns what is sent on; `decode` runs on the server and turns
    the aggregate back. A pipeline runs its stages in order on the clients and in reverse on the
    server.

    A stage stores nothing on itself. What must last from round to round is returned, carried by the
    run and saved in checkpoints: client state (such as the residual of error feedback) belongs to
    one client and never reaches the server; server state (such as an adaptive clipping norm)
    belongs to the run and is sent to the clients with the model.

    Payloads and client states are stacked over clients [C, ...], and each client must get what it
    would get alone, as the functions of `fedbench.tree` do it. What `encode` returns must add up:
    the server sees sums of it, weighted where the strategy weights. A leaf that `encode` adds is
    kept apart from those of other stages and given to the same stage's `decode`, which takes it
    out again.

    Example:
        class Feedback(Stage):
            '''Send half of each update, and what is left of it with the next one.'''

            def init(self, template):
                return tree.zeros_like(template), {}

            def encode(self, payloads, sending):
                whole = tree.add(payloads, sending.clients)
                sent = tree.scale(whole, 0.5)
                return Encoded(sent, tree.sub(whole, sent))

    A pipeline calls it like this, for all clients of a chunk at once:

        client, server = stage.init(template)
        clients = tree.stack([client] * len(ids))
        for number in range(1, rounds + 1):
            sent = stage.encode(payloads, Sending(number, ids, clients, server))
            clients = sent.clients
            mean = tree.map(lambda leaf: leaf.mean(0), sent.payloads)
            update, server = stage.decode(mean, Receiving(number, len(ids), server))
    """

    # Whether no client can change a leaf of the decoded sum by more than the norm of that leaf as
    # it came to `encode`, in any round, and whether no server state depends on what clients send.
    # Where a server adds noise by the norm of clipped updates, only such stages may follow.
    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        ACTING,
        "make an update longer than its clipping norm, for which the noise is calibrated",
        "leave it out",
    )

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

        Leaves that `encode` added are taken out again. Where nobody came, all leaves are zero.
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

    def describe(self) -> str:
        """Return a few words for a line that sums an experiment up."""
        return self.kind().rpartition(":")[2]
