"""The channel as a part of an experiment: in every notation, and refused where ε would be wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError

import fedbench as fb
from fedbench.channel import Encoded, Receiving, Sending, Stage
from fedbench.config.overrides import override
from fedbench.config.template import template
from fedbench.privacy import Private
from fedbench.runs.rounds import Rounds
from fedbench.tree import Tree
from tests.channel.toys import Predicted, Scaled, Signed, Sparse

SMALL = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=4), rounds=2)
CLIPPED = SMALL.replace(
    channel=(fb.Clip(norm=0.5), fb.Clip(norm=2.0, clipping=fb.AdaptiveClipping(rate=0.3)))
)
UNIFORM = SMALL.replace(strategy=fb.FedAvg(weighting="uniform"))
PRIVACY: dict[str, fb.Privacy] = {
    "none": fb.NoPrivacy(),
    "examples": fb.ExampleLevelDP(noise_multiplier=1.0, noise_seed=1),
    "local": fb.LocalGaussian(noise_multiplier=1.0, noise_seed=1),
}
CENTRAL = fb.ClientLevelDP(noise_multiplier=1.0, noise_seed=1)


def test_a_channel_survives_every_notation() -> None:
    again = fb.Experiment.from_toml(CLIPPED.to_toml())
    assert again == CLIPPED == fb.Experiment.from_json(CLIPPED.to_json())
    assert fb.Experiment.from_dict(CLIPPED.to_dict()) == CLIPPED
    assert eval(CLIPPED.code(), {"fb": fb}) == CLIPPED
    assert CLIPPED.to_toml().count("[[channel]]") == 2
    assert "Clip(" in CLIPPED.to_python()


def test_a_program_imports_a_stage_of_ones_own() -> None:
    code = SMALL.replace(channel=(Sparse(),)).to_python()
    assert "from tests.channel.toys import Sparse\n" in code
    space: dict[str, Any] = {}
    exec(code.replace("history = fb.run(experiment)", ""), space)
    assert space["experiment"].channel == (Sparse(),)


def test_a_template_shows_how_a_stage_is_written() -> None:
    text = template(SMALL)
    assert fb.Experiment.from_toml(text) == SMALL
    lines = text.splitlines()
    at = lines.index("# [[channel]]")
    assert any(line.startswith("#   Clip: ") for line in lines[:at])
    assert "# Channel: what else happens to an update" in text
    kind = next(line for line in lines[at:] if line.startswith("# kind = "))
    one = fb.Experiment.from_toml(f"[[channel]]\n{kind.removeprefix('# ')}\n")
    assert one.channel == (fb.Clip(),)
    assert fb.Experiment.from_toml(template(CLIPPED)) == CLIPPED


def test_changes_reach_into_a_channel() -> None:
    data = SMALL.to_dict()
    override(fb.Experiment, data, 'channel=[{kind = "Clip"}, {kind = "Clip", norm = 2}]')
    override(fb.Experiment, data, "channel.0.norm=0.5")
    made = fb.Experiment.from_dict(data)
    assert made.channel == (fb.Clip(norm=0.5), fb.Clip(norm=2.0))
    data = made.to_dict()
    override(fb.Experiment, data, "channel.1.clipping.kind=AdaptiveClipping")
    override(fb.Experiment, data, "channel.1.clipping.rate=0.3")
    assert fb.Experiment.from_dict(data) == CLIPPED


def test_an_experiment_of_before_has_no_channel() -> None:
    text = SMALL.to_toml()
    old = "\n".join(line for line in text.splitlines() if not line.startswith("channel"))
    assert "channel" not in old
    assert fb.Experiment.from_toml(old) == SMALL and SMALL.channel == ()
    data = SMALL.to_dict()
    del data["channel"]
    assert fb.Experiment.from_dict(data) == SMALL


def test_a_line_that_sums_an_experiment_up_names_the_stages() -> None:
    assert "FedAvg · Clip · Clip" in CLIPPED.describe()
    assert SMALL.replace(channel=(Sparse(),)).describe().endswith("· Sparse")
    assert "Clip" not in SMALL.describe()


@pytest.mark.process
def test_the_example_for_contributors_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n([^`]*class Feedback\(.*?)```", text, re.DOTALL)
    program = tmp_path / "feedback.py"
    program.write_text(code + "print(len(history), history.rows[-1].clip)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "0.5"]


def refused(experiment: fb.Experiment, *stages: Stage) -> str:
    with pytest.raises(ValidationError) as caught:
        experiment.replace(channel=stages)
    return str(caught.value)


@pytest.mark.parametrize("privacy", PRIVACY.values(), ids=PRIVACY)
def test_any_stage_goes_where_no_server_adds_noise(privacy: fb.Privacy) -> None:
    stages = (Scaled(), Predicted(), Sparse(), Signed(), fb.Clip(clipping=fb.AdaptiveClipping()))
    experiment = UNIFORM.replace(privacy=privacy, channel=stages)
    rounds = Rounds(experiment)
    assert rounds.context.pipeline.stages[-5:] == stages
    assert len(rounds.context.pipeline.stages) == 5 + (privacy == PRIVACY["local"])


class Halved(Stage):
    """Makes updates shorter, and says so."""

    keeps_privacy: ClassVar[bool] = True

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        return Encoded({name: 0.5 * leaf for name, leaf in payloads.items()})


class Unsaid(Halved):
    """Makes them shorter in another way, and does not say so."""

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        return Encoded({name: 0.25 * leaf for name, leaf in payloads.items()})


class Mine(Private):
    """A privacy of the user's own, of which nothing is known."""

    unit: ClassVar[str] = "client"
    level: ClassVar[str] = "mine"
    neighbours: ClassVar[str] = "what I say"
    keeps_privacy: ClassVar[bool] = True


@pytest.mark.parametrize("stage", [Scaled(), Sparse(), Predicted(), Unsaid()], ids=type)
@pytest.mark.parametrize("privacy", [CENTRAL, Mine(noise_multiplier=1.0)], ids=["ours", "own"])
def test_under_a_servers_noise_a_stage_must_say_that_it_contracts(
    privacy: fb.Privacy, stage: Stage
) -> None:
    words = refused(UNIFORM.replace(privacy=privacy), fb.Clip(), stage)
    name = type(stage).__name__
    assert words.count("\nchannel.") == 1 and "channel.1.kind\n" in words
    assert f"() of {name} may make an update longer than its clipping norm, for which" in words
    assert f"set keeps_privacy = True in {name} if it keeps what Stage.keeps_privacy says" in words


def test_what_contracts_may_follow_clipping() -> None:
    private = UNIFORM.replace(privacy=CENTRAL)
    experiment = private.replace(channel=(Halved(), fb.Clip(norm=0.1)))
    own = Rounds(experiment).context.pipeline.stages
    assert [type(each).__name__ for each in own] == ["Clip", "_ServerNoise", "Halved", "Clip"]


def test_a_norm_that_follows_exact_sums_is_refused() -> None:
    adaptive = fb.Clip(clipping=fb.AdaptiveClipping())
    words = refused(UNIFORM.replace(privacy=CENTRAL), adaptive)
    assert "channel.0.clipping.kind\n" in words
    assert "it would follow sums that have no noise yet, which ε does not cover" in words
    assert "set privacy.clipping" in words


def test_a_norm_cannot_follow_a_median() -> None:
    median = SMALL.replace(aggregator=fb.CoordinateMedian())
    words = refused(median, fb.Clip(clipping=fb.AdaptiveClipping()))
    assert "channel.0.clipping.kind\n" in words and "CoordinateMedian gives none" in words
    assert median.replace(channel=(fb.Clip(),)).channel == (fb.Clip(),)


def test_what_cannot_be_clipped_is_refused() -> None:
    words = refused(SMALL.replace(strategy=fb.FedNova()), fb.Clip())
    assert "strategy.kind\n" in words and "the two cannot be clipped together" in words


def test_a_bad_number_is_named_by_its_place() -> None:
    with pytest.raises(ValidationError, match=r"channel\.1\.norm\n.*must be more than 0"):
        fb.Experiment.from_dict(
            {"channel": [{"kind": "Clip"}, {"kind": "Clip", "norm": 0}]},
        )


# Stages of the user's are tried before a run


class Tried(Stage):
    """A stage whose methods a test gives."""

    hooks: ClassVar[dict[str, Any]] = {}

    def init(self, template: Tree) -> Any:
        return self._call("init", ({"r": torch.zeros(2)}, {"s": torch.zeros(1)}), template)

    def encode(self, payloads: Tree, sending: Sending) -> Any:
        return self._call("encode", Encoded(payloads, sending.clients), payloads)

    def decode(self, aggregate: Tree, receiving: Receiving) -> Any:
        return self._call("decode", (aggregate, receiving.server), aggregate)

    def _call(self, name: str, usual: Any, given: Any) -> Any:
        return type(self).hooks[name](given) if name in type(self).hooks else usual


KEPT = {"r": torch.zeros(3, 2)}
STATE = {"s": torch.zeros(1)}


def kept(payloads: Tree) -> Tree:
    return {"r": torch.zeros(len(payloads["1.bias"]), 2)}


def longer(payloads: Tree) -> Tree:
    return {name: leaf.mean(0, keepdim=True).expand_as(leaf) for name, leaf in payloads.items()}


def in_place(payloads: Tree) -> Encoded:
    for leaf in payloads.values():
        leaf.mul_(2)
    return Encoded(payloads, kept(payloads))


@pytest.mark.parametrize(
    ("hook", "change", "said"),
    [
        ("init", lambda _: {}, "init(): returned a dict; return two trees, the state of a client"),
        ("init", lambda _: ({}, 1.0), "init(): returned a float as the server's state; return a"),
        ("encode", lambda p: p, "encode(): returned a dict; return Encoded(payloads, states of"),
        ("encode", lambda p: Encoded(p), "encode(): the clients' states lacks leaf 'r'"),
        (
            "encode",
            lambda p: Encoded({name: leaf[:2] for name, leaf in p.items()}, kept(p)),
            "for 3 clients; the first dimension of each leaf is the clients'",
        ),
        (
            "encode",
            lambda p: Encoded(p, kept(p), norms=torch.ones(2)),
            "returned a tensor of shape (2,) as norms; return one number a client, (3,)",
        ),
        ("encode", lambda p: Encoded(longer(p), kept(p)), "gives a client among others not what"),
        ("encode", in_place, "encode(): changed the payloads that it was given; return new ones"),
        ("encode", lambda p: p["no"], "encode() raised KeyError: 'no' ("),
        ("decode", lambda a: a, "decode(): returned a dict; return two trees, the aggregate and"),
        ("decode", lambda a: ({}, STATE), "decode(): the aggregate lacks leaf '1.weight'; its"),
        ("decode", lambda a: (a, {}), "decode(): the server's state lacks leaf 's'"),
        (
            "decode",
            lambda a: ({name: leaf * float("nan") for name, leaf in a.items()}, STATE),
            "of the aggregate is not finite, for finite numbers given",
        ),
    ],
)
def test_a_stage_that_returns_something_else_is_refused(
    hook: str, change: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tried, "hooks", {hook: change})
    experiment = UNIFORM.replace(channel=(fb.Clip(), Tried()), privacy=PRIVACY["local"])
    with pytest.raises(ValueError) as caught:
        Rounds(experiment)
    assert str(caught.value).startswith("channel.1: Tried.")
    assert said in str(caught.value)
    assert not re.search("Tensor|dtype|size of tensor", str(caught.value))


class Noisy(Stage):
    """Adds noise that differs every time, which is no reason to refuse it."""

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        return Encoded({name: leaf + torch.randn(leaf.shape) for name, leaf in payloads.items()})


def test_sound_stages_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tried, "hooks", {})
    ours, mine = SMALL, SMALL.replace(channel=(Tried(),))
    for one, other in zip(fb.run(ours).rows, fb.run(mine).rows, strict=True):
        assert (one.metrics, one.bytes_up) == (other.metrics, other.bytes_up)
    Rounds(SMALL.replace(channel=(Noisy(), Signed(), Signed(), Sparse(), Predicted())))
