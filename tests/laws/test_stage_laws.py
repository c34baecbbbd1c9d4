"""What holds for every stage of the channel."""

from __future__ import annotations

import numpy as np
import torch

from fedbench.channel import Stage
from fedbench.channel.stage import Leg


def payloads(clients: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn((clients, 3, 2), generator=generator),
        "bias": torch.randn((clients, 3), generator=generator),
    }


def leg(clients: int) -> Leg:
    return Leg(3, np.arange(clients))


def test_shapes_are_kept(stage: Stage) -> None:
    stage = stage.bind([(0.5, 3)])
    for clients in (0, 1, 4):
        sent = payloads(clients)
        encoded = stage.encode(sent, leg(clients))
        assert {name: leaf.shape for name, leaf in encoded.payloads.items() if name in sent} == {
            name: leaf.shape for name, leaf in sent.items()
        }
        assert all(len(leaf) == clients for leaf in encoded.payloads.values())
        for report in (encoded.norms, encoded.changed):
            assert report is None or report.shape == (clients,)
        aggregate = {name: leaf.sum(0) for name, leaf in encoded.payloads.items()}
        decoded, bounds = stage.decode(aggregate, 2.0, stage.noise(1), stage.begin(sent))
        assert {name: (leaf.shape, leaf.dtype) for name, leaf in decoded.items()} == {
            name: (leaf.shape[1:], leaf.dtype) for name, leaf in sent.items()
        }
        assert len(bounds) == len(stage.begin(sent))


def test_inputs_are_left_alone(stage: Stage) -> None:
    stage = stage.bind([(0.5, 3)])
    sent = payloads(4)
    before = {name: leaf.clone() for name, leaf in sent.items()}
    stage.encode(sent, leg(len(sent["bias"])))
    assert all(torch.equal(sent[name], before[name]) for name in sent)
    aggregate = {name: leaf[0].clone() for name, leaf in before.items()}
    stage.decode(aggregate, 2.0, stage.noise(1), stage.begin(sent))
    assert all(torch.equal(aggregate[name], before[name][0]) for name in aggregate)


def test_encoding_is_pure(stage: Stage) -> None:
    stage = stage.bind([(0.5, 3)])
    first, second = stage.encode(payloads(4), leg(4)), stage.encode(payloads(4), leg(4))
    for name in first.payloads:
        assert torch.equal(first.payloads[name], second.payloads[name])


def test_clients_are_encoded_one_by_one(stage: Stage) -> None:
    stage = stage.bind([(0.5, 3)])
    sent = payloads(4)
    together = stage.encode(sent, leg(len(sent["bias"]))).payloads
    for k in range(4):
        own = {name: leaf[k : k + 1] for name, leaf in sent.items()}
        alone = stage.encode(own, Leg(3, np.array([k]))).payloads
        for name in sent:
            torch.testing.assert_close(together[name][k], alone[name][0])


def test_binding_twice_is_binding_once(stage: Stage) -> None:
    once = stage.bind([(0.5, 3)])
    assert once.bind([(0.5, 3)]) == once


def test_the_wire_is_counted_in_whole_bytes(stage: Stage) -> None:
    count = stage.wire_bytes(4000)
    assert isinstance(count, int) and count > 0
