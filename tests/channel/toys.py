"""Stages for tests: two with memory, one with a leaf of its own, and two that do not commute."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from fedbench import tree
from fedbench.channel import Encoded, Receiving, Sending, Stage
from fedbench.tree import Tree


class Sparse(Stage):
    """Send the largest entries of each leaf of an update, and keep the rest for the next one."""

    share: Annotated[float, Field(gt=0, le=1, title="Share")] = 0.25

    def init(self, template: Tree) -> tuple[Tree, Tree]:
        """Return a residual of zeros for each client."""
        return tree.zeros_like(template), {}

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Return what is large of update and residual together."""
        whole = tree.add(payloads, sending.clients)
        sent = {}
        for name, leaf in whole.items():
            flat = leaf.reshape(len(leaf), -1)
            count = max(1, round(self.share * flat.shape[1]))
            places = flat.abs().topk(count, dim=1).indices
            sent[name] = torch.zeros_like(flat).scatter(1, places, flat.gather(1, places))
            sent[name] = sent[name].view(leaf.shape)
        return Encoded(sent, tree.sub(whole, sent))

    def bytes_on_wire(self, payloads: Tree) -> int:
        """Count eight bytes for each entry: a number and its place."""
        return 8 * sum(int(leaf.count_nonzero()) for leaf in payloads.values())


class Predicted(Stage):
    """Send how an update differs from the last aggregate, which the server adds again."""

    def init(self, template: Tree) -> tuple[Tree, Tree]:
        """Return a prediction of zeros at the server."""
        return {}, tree.zeros_like(template)

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Return what the prediction lacks."""
        return Encoded(tree.sub(payloads, sending.server))

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Return the mean with the prediction, which is the next prediction."""
        whole = tree.add(aggregate, receiving.server)
        return whole, whole


class Signed(Stage):
    """Send signs, and a leaf of its own with the mean size of what they stand for."""

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Return signs, and the size of each client's entries as one number."""
        count = sum(payloads[name][0].numel() for name in sending.payload)
        sizes = [payloads[name].flatten(1).abs().sum(1) for name in sending.payload]
        sent = {
            name: leaf.sign() if name in sending.payload else leaf
            for name, leaf in payloads.items()
        }
        return Encoded({**sent, "size": torch.stack(sizes).sum(0) / count})

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Return mean signs times the mean size."""
        found = {name: leaf for name, leaf in aggregate.items() if name != "size"}
        for name in receiving.payload:
            found[name] = found[name] * aggregate["size"]
        return found, receiving.server


class Scaled(Stage):
    """Send a multiple of each update."""

    factor: float = 2.0

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Return the multiple."""
        return Encoded(tree.scale(payloads, self.factor))

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Return what it is a multiple of."""
        return tree.scale(aggregate, 1 / self.factor), receiving.server


class Shifted(Stage):
    """Send each update with a constant on top."""

    by: float = 1.0

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        """Return the sum."""
        return Encoded(tree.map(lambda leaf: leaf + self.by, payloads))

    def decode(self, aggregate: Tree, receiving: Receiving) -> tuple[Tree, Tree]:
        """Take the constant from the mean."""
        return tree.map(lambda leaf: leaf - self.by, aggregate), receiving.server
