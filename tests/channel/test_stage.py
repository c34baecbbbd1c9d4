"""One stage: what it does if it says nothing, and what its class must declare."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.channel import Encoded, Receiving, Sending, Stage
from fedbench.config.declared import undeclared
from fedbench.tree import Tree
from tests.channel.toys import Scaled


class Plain(Stage):
    """Says nothing."""


def test_the_defaults_are_the_identity() -> None:
    stage, payloads = Plain(), {"w": torch.arange(6.0).view(3, 2)}
    assert stage.init({"w": torch.zeros(2)}) == ({}, {})
    encoded = stage.encode(payloads, Sending(1, np.arange(3)))
    assert encoded == Encoded(payloads)
    assert encoded.norms is None and encoded.clipped is None
    aggregate = {"w": torch.tensor([1.0, 2.0])}
    assert stage.decode(aggregate, Receiving(1, 3.0)) == (aggregate, {})
    assert stage.bytes_on_wire(payloads) == 24
    assert stage.sensitivity({}) == () and stage.sees() == ""
    assert fb.NoPrivacy().stages() == ()


class Gentle(fb.Clip):
    """Overrides nothing that acts."""

    def bytes_on_wire(self, payloads: Tree) -> int:
        return 1


class Rough(fb.Clip):
    """Overrides what its declaration was about."""

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        return Encoded(payloads)


class Vouched(Rough):
    """Declares it anew."""

    keeps_privacy: ClassVar[bool] = True


class Withdrawn(fb.Clip):
    """Takes the declaration back."""

    keeps_privacy: ClassVar[bool] = False


@pytest.mark.parametrize("stage", [fb.Clip(), Gentle(), Vouched(), Plain()], ids=type)
def test_a_declaration_holds_for_what_stands_under_it(stage: Stage) -> None:
    assert undeclared(stage) is None


@pytest.mark.parametrize(
    ("stage", "what"),
    [
        (Scaled(), "encode() of Scaled may make"),
        (Rough(), "encode() of Rough may make"),
        (Withdrawn(), "Withdrawn may make"),
    ],
    ids=["none", "overridden", "withdrawn"],
)
def test_without_a_declaration_the_class_is_named(stage: Stage, what: str) -> None:
    reason = undeclared(stage)
    assert reason is not None and reason.startswith(what)
    assert f"set keeps_privacy = True in {type(stage).__name__} if it keeps what" in reason
