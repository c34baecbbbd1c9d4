"""What holds for every stage, for stages together, and for the privacy that they serve."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fedbench import tree
from fedbench.channel import Pipeline, Stage
from fedbench.config.declared import undeclared
from fedbench.privacy import NoPrivacy, Privacy, Private
from fedbench.tree import Tree
from tests.laws.conftest import needed

CLIENTS = 4
ROUND = 3


def updates(clients: int = CLIENTS, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "0.weight": torch.randn((clients, 3, 2), generator=generator),
        "0.bias": torch.randn((clients, 3), generator=generator),
        "1.weight": torch.randn((clients, 5), generator=generator),
    }


def copied(a: Tree) -> dict[str, torch.Tensor]:
    return tree.map(torch.clone, a)


def assert_equal(a: Tree, b: Tree) -> None:
    assert list(a) == list(b)
    assert all(torch.equal(a[name], b[name]) for name in a)


def alike(a: Tree, b: Tree) -> bool:
    """Return whether two trees have the same leaves, of the same shapes and types."""
    return [(name, leaf.shape, leaf.dtype) for name, leaf in a.items()] == [
        (name, leaf.shape, leaf.dtype) for name, leaf in b.items()
    ]


class Sent:
    """One round of a pipeline: from updates to what the strategy is given."""

    def __init__(self, pipeline: Pipeline, payloads: Tree, ids: list[int] | None = None) -> None:
        self.pipeline, self.payloads = pipeline, payloads
        count = len(payloads["0.bias"])
        self.ids = np.arange(count) if ids is None else np.array(ids)
        self.client, self.servers = pipeline.init(
            {name: torch.zeros(leaf.shape[1:]) for name, leaf in payloads.items()}
        )
        self.clients = {
            name: leaf.expand(count, *leaf.shape).clone() for name, leaf in self.client.items()
        }
        self.encoded = pipeline.encode(payloads, self.clients, self.servers, ROUND, self.ids)

    def decoded(self, divisor: float = 1.0) -> tuple[Tree, tuple[Tree, ...]]:
        total = {name: leaf.sum(0) / divisor for name, leaf in self.encoded.payloads.items()}
        return self.pipeline.decode(total, self.servers, ROUND, divisor, self.payloads)


@pytest.mark.parametrize("clients", [1, CLIENTS])
def test_shapes_are_kept(pipeline: Pipeline, clients: int) -> None:
    sent = Sent(pipeline, updates(clients))
    encoded = sent.encoded
    assert all(len(leaf) == clients for leaf in encoded.payloads.values())
    assert alike(encoded.clients, sent.clients)
    for told in (encoded.norms, encoded.clipped):
        assert told is None or told.shape == (clients,)
    found, servers = sent.decoded(2.0)
    assert alike(found, tree.row(sent.payloads, 0))
    assert len(servers) == len(pipeline.stages)
    assert all(alike(now, then) for now, then in zip(servers, sent.servers, strict=True))


def test_nobody_comes_and_the_round_ends(pipeline: Pipeline) -> None:
    sent = Sent(pipeline, updates(1))
    nothing = tree.zeros_like(tree.row(sent.encoded.payloads, 0))
    found, servers = pipeline.decode(nothing, sent.servers, ROUND, 1.0, sent.payloads)
    assert alike(found, tree.row(sent.payloads, 0))
    assert all(leaf.isfinite().all() for each in (found, *servers) for leaf in each.values())


def test_inputs_are_left_alone(pipeline: Pipeline) -> None:
    sent = Sent(pipeline, updates())
    assert_equal(sent.payloads, updates())
    again = Sent(pipeline, updates())
    clients, servers = copied(sent.clients), [copied(each) for each in sent.servers]
    assert_equal(clients, again.clients)
    mean = {name: leaf.mean(0) for name, leaf in sent.encoded.payloads.items()}
    before = copied(mean)
    pipeline.decode(mean, sent.servers, ROUND, 2.0, sent.payloads)
    assert_equal(mean, before)
    for now, then in zip(sent.servers, servers, strict=True):
        assert_equal(now, then)


def test_a_round_is_pure(pipeline: Pipeline) -> None:
    first, second = Sent(pipeline, updates()), Sent(pipeline, updates())
    assert_equal(first.encoded.payloads, second.encoded.payloads)
    assert_equal(first.encoded.clients, second.encoded.clients)
    (found, servers), (again, others) = first.decoded(), second.decoded()
    assert_equal(found, again)
    for now, then in zip(servers, others, strict=True):
        assert_equal(now, then)


def test_each_client_sends_and_keeps_what_it_would_alone(pipeline: Pipeline) -> None:
    together = Sent(pipeline, updates()).encoded
    for k in range(CLIENTS):
        own = {name: leaf[k : k + 1] for name, leaf in updates().items()}
        alone = Sent(pipeline, own, [k]).encoded
        for all_of_them, one in (
            (together.payloads, alone.payloads),
            (together.clients, alone.clients),
        ):
            assert list(all_of_them) == list(one)
            for name, leaf in one.items():
                torch.testing.assert_close(all_of_them[name][k], leaf[0])


def test_bytes_are_whole_and_add_up_over_clients(pipeline: Pipeline) -> None:
    encoded = Sent(pipeline, updates()).encoded.payloads
    count = pipeline.bytes_on_wire(encoded)
    assert isinstance(count, int) and count > 0
    each = [
        pipeline.bytes_on_wire({name: leaf[k : k + 1] for name, leaf in encoded.items()})
        for k in range(CLIENTS)
    ]
    assert count == sum(each)


def test_a_stage_holds_updates_to_what_it_says(stage: Stage) -> None:
    pipeline = Pipeline(needed(stage))
    wild = {name: 10.0 ** (2 * k - 2) * leaf for k, (name, leaf) in enumerate(updates().items())}
    sent = Sent(pipeline, wild)
    norm = pipeline.norm(sent.servers)
    if np.isnan(norm):
        return
    held = {name: leaf for name, leaf in sent.encoded.payloads.items() if name in wild}
    assert float(tree.norms(held).max()) <= norm * (1 + 1e-6)
    assert float(tree.norms(wild).max()) > norm


def test_a_stage_that_says_so_makes_nothing_longer(stage: Stage) -> None:
    """By what one client changes in the decoded sum, leaf by leaf."""
    assert (undeclared(stage) is None) == type(stage).keeps_privacy
    if undeclared(stage):
        return
    before = needed(stage)[:-1]  # what an update has gone through as it comes to the stage
    pipeline = Pipeline(needed(stage))
    for size in (1e-3, 1.0, 1e3):
        payloads = {name: size * leaf for name, leaf in updates(seed=5).items()}
        came = Sent(Pipeline(before), payloads).encoded.payloads if before else payloads
        whole, _ = Sent(pipeline, payloads).decoded()
        for absent in range(CLIENTS):
            kept = [k for k in range(CLIENTS) if k != absent]
            rest, _ = Sent(pipeline, tree.map(lambda a, kept=kept: a[kept], payloads)).decoded()
            for name, leaf in whole.items():
                length = float(came[name][absent].norm())
                assert float((leaf - rest[name]).norm()) <= length * (1 + 1e-4) + 1e-6 * size


def test_binding_twice_is_binding_once(privacy_part: Privacy) -> None:
    once = privacy_part.bind([(0.5, 3)])
    assert once.bind([(0.5, 3)]) == once
    assert once.stages() == once.bind([(0.5, 3)]).stages()


def test_a_privacy_says_whether_its_noise_is_the_servers(privacy_part: Privacy) -> None:
    stages = privacy_part.bind([(0.5, 3)]).stages()
    assert all(isinstance(stage, Stage) for stage in stages)
    decoding = [stage for stage in stages if type(stage).decode is not Stage.decode]
    assert privacy_part.noise_on_server == bool(decoding)
    # nothing after the noise of a server could be told from something before it
    assert all(type(stage).keeps_privacy for stage in stages) or not privacy_part.noise_on_server


def test_stages_of_a_privacy_travel_in_no_file(privacy_part: Privacy) -> None:
    hidden = [type(each) for each in privacy_part.bind([(0.5, 3)]).stages()]
    assert not {cls.__name__ for cls in hidden if cls.__name__.startswith("_")} & set(
        Stage.choices()
    )


def test_no_privacy_has_no_stage() -> None:
    assert NoPrivacy().stages() == () and NoPrivacy().bind([(0.5, 3)]) == NoPrivacy()
    assert not isinstance(NoPrivacy(), Private)
