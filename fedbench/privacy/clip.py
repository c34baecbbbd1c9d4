"""The stage that holds each client's update to a norm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from fedbench import tree
from fedbench.channel.stage import Encoded, Receiving, Sending, Stage
from fedbench.config.declared import undeclared
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup, located
from fedbench.privacy.clipping import Clipping, FlatClipping, held
from fedbench.tree import Tree

if TYPE_CHECKING:
    import torch

WITHIN = "clipping.within"  # a leaf of its own: whether a client's update was within each norm
SHARE = "clipping.share"  # in its place, where noise was added to the shares of clients within
NORMS = "norms"  # the server state: the norm of each group of leaves, float64[G]


class Clip(Stage):
    """Scale each client's update down to norm C where it is longer.

    Without privacy it bounds what one client can do to the model (norm bounding, Sun et al. 2019,
    arXiv:1911.07963). The norms of the groups of leaves are server state, which the clients are
    sent; an adaptive norm is moved by the aggregate of what clients say of theirs.
    """

    keeps_privacy: ClassVar[bool] = True

    norm: Annotated[
        float,
        Field(
            gt=0,
            title="Clipping norm C",
            description="largest norm of a client's update: smaller clips more of it",
            json_schema_extra={
                "slider": [0.01, 100, 0.01],
                "scale": "log",
                "formula": "Δ·min(1, C/‖Δ‖)",
            },
        ),
    ] = 1.0
    clipping: Annotated[
        Clipping, Field(title="Clipping", description="how updates are clipped to norm C")
    ] = FlatClipping()

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse strategies whose payloads cannot be scaled, and norms that follow bare sums."""
        strategy, privacy = setup.strategy, setup.privacy
        if strategy.unclippable and not privacy.plain_sum:  # which said so already
            yield Problem("strategy.kind", strategy.unclippable, strategy.kind())
        yield from located(self.clipping.check(setup), ".clipping")
        if not self.clipping.spends():
            return
        reason = None
        if privacy.noise_on_server:
            if undeclared(self) is None and undeclared(self.clipping) is None:
                reason = (
                    "it would follow sums that have no noise yet, which ε does not cover; choose "
                    "FlatClipping or PerLayerClipping here, or set privacy.clipping"
                )
        elif not setup.aggregator.is_sum:
            reason = (
                "it follows the mean of what clients say of their norms, and "
                f"{setup.aggregator.kind()} gives none; choose FlatClipping or "
                "PerLayerClipping, or aggregator = Mean"
            )
        if reason:
            yield Problem(".clipping.kind", reason, self.clipping.kind())

    def init(self, template: Tree) -> tuple[Tree, Tree]:
        """Return no client state, and the first norms, whose whole is C."""
        import torch

        groups = self.clipping.groups(_clippable(template))
        norms = self.clipping.start(self.norm, len(groups))
        return {}, {NORMS: torch.tensor(norms, dtype=torch.float64)}

    def sensitivity(self, server: Tree) -> tuple[float, ...]:
        """Return the norms of the groups of leaves."""
        return tuple(server[NORMS].tolist())

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Scale each client's payload down to its norms; report norms and who was clipped."""
        import torch

        groups = self.clipping.groups(_clippable(payloads))
        bounds = self.sensitivity(sending.server)
        sent: dict[str, torch.Tensor] = {}
        norms, within = [], []
        for names, bound in zip(groups, bounds, strict=True):
            group = {name: payloads[name] for name in names}
            norms.append(tree.norms(group))
            sent |= held(group, norms[-1], bound)
            within.append(norms[-1] <= bound)
        # in the order of the leaves, in which the noise is drawn
        sent = {name: sent.get(name, leaf) for name, leaf in payloads.items()}
        inside = torch.stack(within, dim=1)
        if self.clipping.spends():
            sent[WITHIN] = inside.float() - 0.5
        whole = norms[0] if len(norms) == 1 else torch.stack(norms).square().sum(0).sqrt()
        return Encoded(sent, {}, whole, ~inside.all(dim=1))

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Take out what clients said of their norms, and move the norms by it."""
        import torch

        payload = {name: leaf for name, leaf in aggregate.items() if name not in (WITHIN, SHARE)}
        if not self.clipping.spends():
            return payload, receiving.server
        share = aggregate[SHARE] if SHARE in aggregate else share_within(aggregate[WITHIN])
        moved = self.clipping.move(self.sensitivity(receiving.server), share.tolist())
        return payload, {NORMS: torch.tensor(moved, dtype=torch.float64)}


def share_within(mean: torch.Tensor) -> torch.Tensor:
    """Return the share of clients within each norm, float64[G], from the mean of what they said.

    Of nobody's it is ½.
    """
    return 0.5 + mean.double()


def _clippable(payload: Tree) -> Tree:
    """Return the leaves of an update, without what clients say of norms of earlier stages."""
    return {name: leaf for name, leaf in payload.items() if not name.endswith(WITHIN)}
