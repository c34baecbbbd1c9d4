"""Stages together: their order there and back, their states, and their own leaves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench import tree
from fedbench.channel import Pipeline, Stage
from fedbench.privacy.clip import NORMS, WITHIN
from tests.channel.toys import Predicted, Scaled, Shifted, Signed, Sparse
from tests.channels import Channel

ONE = {"w": torch.tensor([[3.0, -1.0], [5.0, 1.0]])}
MEAN = {"w": torch.tensor([4.0, 0.0])}


@pytest.mark.parametrize(
    ("stages", "sent"),
    [
        ((Scaled(factor=2.0), Shifted(by=1.0)), [[7.0, -1.0], [11.0, 3.0]]),
        ((Shifted(by=1.0), Scaled(factor=2.0)), [[8.0, 0.0], [12.0, 4.0]]),
    ],
    ids=["scaled first", "shifted first"],
)
def test_stages_encode_in_order_and_decode_in_reverse(
    stages: tuple[Stage, ...], sent: list[list[float]]
) -> None:
    channel = Channel.of(stages, ONE)
    encoded = channel.encode(ONE).payloads
    assert encoded["w"].tolist() == sent
    decoded = channel.decode({"w": encoded["w"].mean(0)})
    assert decoded["w"].tolist() == MEAN["w"].tolist()


def test_states_are_those_of_each_stage_and_each_client() -> None:
    pipeline = Pipeline((Predicted(), Sparse(share=0.5), Sparse(share=0.5)))
    client, servers = pipeline.init({"w": torch.zeros(4)})
    assert {name: leaf.tolist() for name, leaf in client.items()} == {
        "1/w": [0.0] * 4,
        "2/w": [0.0] * 4,
    }
    assert [dict(each) for each in servers[1:]] == [{}, {}]
    servers = ({"w": torch.tensor([1.0, 0.0, 0.0, 0.0])}, {}, {})
    before = {"1/w": torch.tensor([[0.0, 0.0, 0.0, 5.0]]), "2/w": torch.zeros(1, 4)}
    sent = pipeline.encode({"w": torch.tensor([[2.0, 3.0, 4.0, 0.5]])}, before, servers, 1, _one())
    # less the prediction (1 3 4 ½), with the residual (1 3 4 5½): the larger half of it, twice
    assert sent.payloads["w"].tolist() == [[0.0, 0.0, 4.0, 5.5]]
    assert sent.clients["1/w"].tolist() == [[1.0, 3.0, 0.0, 0.0]]
    assert sent.clients["2/w"].tolist() == [[0.0, 0.0, 0.0, 0.0]]
    found, after = pipeline.decode(tree.row(sent.payloads, 0), servers, 1, 1.0, ["w"])
    assert found["w"].tolist() == after[0]["w"].tolist() == [1.0, 0.0, 4.0, 5.5]


def _one() -> np.ndarray:
    return np.zeros(1, dtype=np.int64)


def test_leaves_of_a_stage_are_its_own() -> None:
    channel = Channel.of((Signed(), Signed()), ONE)
    sent = channel.encode(ONE).payloads
    assert list(sent) == ["w", "0/size", "1/size"]
    assert sent["0/size"].tolist() == [2.0, 3.0] and sent["1/size"].tolist() == [1.0, 1.0]
    decoded = channel.decode({name: leaf.mean(0) for name, leaf in sent.items()})
    assert {name: leaf.tolist() for name, leaf in decoded.items()} == {"w": [2.5, 0.0]}


def test_two_adaptive_norms_are_learned_apart() -> None:
    clips = [
        fb.Clip(norm=norm, clipping=fb.AdaptiveClipping(quantile=0.5, rate=1.0))
        for norm in (1.0, 0.1)
    ]
    channel = Channel.of(tuple(clips), ONE)
    sent = channel.encode(ONE)
    assert sent.payloads[f"0/{WITHIN}"].tolist() == [[-0.5], [-0.5]]
    assert sent.payloads[f"1/{WITHIN}"].tolist() == [[-0.5], [-0.5]]
    assert float(tree.norms({"w": sent.payloads["w"]}).max()) == pytest.approx(0.1)
    assert sent.norms is not None and sent.norms.tolist() == pytest.approx(
        [math.sqrt(10), math.sqrt(26)]
    )
    channel.decode({name: leaf.mean(0) for name, leaf in sent.payloads.items()})
    moved = [float(state[NORMS]) for state in channel.servers]
    assert moved == pytest.approx([math.exp(0.5), 0.1 * math.exp(0.5)])


def test_who_is_clipped_by_any_stage_is_clipped() -> None:
    channel = Channel.of((fb.Clip(norm=4.0), Scaled(factor=0.5), fb.Clip(norm=1.5)), ONE)
    sent = channel.encode(ONE)
    assert sent.clipped is not None and sent.clipped.tolist() == [True, True]
    assert channel.pipeline.norm(channel.servers) == 1.5
    loose = Channel.of((fb.Clip(norm=4.0), Scaled(factor=0.5), fb.Clip(norm=9.0)), ONE)
    clipped = loose.encode(ONE).clipped
    assert clipped is not None and clipped.tolist() == [False, True]
    assert loose.pipeline.norm(loose.servers) == 4.0
    assert math.isnan(Pipeline((Scaled(),)).norm(({},)))


def test_bytes_are_those_of_the_last_stage_that_counts() -> None:
    sent = {"w": torch.tensor([[0.0, 2.0], [0.0, 0.0]])}
    assert Pipeline(()).bytes_on_wire(sent) == 16
    assert Pipeline((Sparse(), fb.Clip())).bytes_on_wire(sent) == 8
    assert Pipeline((Scaled(),)).bytes_on_wire(sent) == 16


def test_states_of_other_stages_are_refused() -> None:
    pipeline = Pipeline((fb.Clip(),))
    with pytest.raises(ValueError, match="zip"):
        pipeline.encode(ONE, {}, (), 1, np.arange(2))  # else it would send what nobody clipped


def test_what_a_server_sees_is_told_by_its_stages() -> None:
    local = fb.LocalGaussian(noise_multiplier=1.0)
    assert Pipeline(()).sees() == ""
    assert "with noise of its client's own" in Pipeline((*local.stages(), fb.Clip())).sees()
