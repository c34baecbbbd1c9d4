"""A stage that says nothing changes nothing."""

from __future__ import annotations

import numpy as np
import torch

import fedbench as fb
from fedbench.channel.stage import Leg


def test_the_defaults_are_the_identity() -> None:
    stage = fb.NoPrivacy()
    payloads = {"w": torch.arange(6.0).view(3, 2)}
    encoded = stage.encode(payloads, Leg(1, np.arange(3)))
    assert stage.begin(payloads) == ()
    assert encoded.payloads is payloads
    assert encoded.norms is None and encoded.changed is None
    aggregate = {"w": torch.tensor([1.0, 2.0])}
    assert stage.decode(aggregate, 3.0, None, ()) == (aggregate, ())
    assert stage.noise(1) is None
    assert stage.wire_bytes(120) == 120
    assert stage.bind([(0.5, 10)]) is stage
