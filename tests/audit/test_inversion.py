"""What a server reads off one update: all of it when clear or clipped, nothing under noise."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

import fedbench as fb
from fedbench import tree
from fedbench.audit.figures import inversion_figure
from fedbench.channel import Sending
from fedbench.data.card import Card
from fedbench.engine import Broadcast, LoopEngine, TrainingContext
from fedbench.models import Model
from fedbench.privacy import Private
from fedbench.strategies import RoundInfo

torch.set_num_threads(1)

EVIL = "<b>bold</b> & <a href='javascript:x'>$\\alpha$</a>"
DIGITS = fb.Experiment(data=fb.Digits(), partition=fb.IID(clients=10))
FAST = fb.LocalTraining(lr=2.0)  # an update of norm 5 to 9, which is clipped to 1


def noise(z: float, seed: int = 0, clip: float = 1.0) -> fb.ClientLevelDP:
    return fb.ClientLevelDP(noise_multiplier=z, clip=clip, noise_seed=seed)


def gradient(experiment: fb.Experiment, row: int) -> dict[str, torch.Tensor]:
    """The gradient of one example's loss, by autograd on the module itself."""
    data = experiment.federation()
    module = experiment.model.module(data.card, experiment.seed)
    x, y = torch.from_numpy(data.x[row : row + 1]), torch.from_numpy(data.y[row : row + 1])
    experiment.model.loss(module(x), y).sum().backward()
    return {name: leaf.grad for name, leaf in module.named_parameters() if leaf.grad is not None}


@given(client=st.integers(0, 9), example=st.integers(0, 142), seed=st.integers(0, 9))
@settings(max_examples=25)
def test_clear_and_clipped_updates_hold_the_example(client: int, example: int, seed: int) -> None:
    for model in (fb.Linear(), fb.MLP(hidden=(32,))):
        experiment = DIGITS.replace(model=model, training=FAST, seed=seed)
        result = fb.gradient_inversion(experiment, client=client, example=example)
        data = experiment.federation()
        assert np.array_equal(result.original, data.x[data.offsets[client] + example])
        assert result.norm > result.clip == 1
        for name in ("clear", "clipped"):
            assert result.psnr[name] > 100
            assert np.abs(result.reconstructions[name] - result.original).max() < 1e-4


@pytest.mark.parametrize(
    ("data", "model"),
    [
        (fb.DiabetesProgression(), fb.Linear()),
        (fb.BreastCancer(), fb.MLP(hidden=(20, 10), activation="tanh")),
        (fb.Wine(), fb.MLP(hidden=(16,), norm=True)),
    ],
    ids=["regression", "two classes", "layer norm"],
)
def test_other_tasks_and_layers(data: fb.Wine, model: Model) -> None:
    experiment = fb.Experiment(data=data, partition=fb.IID(clients=4), model=model)
    result = fb.gradient_inversion(experiment, client=3)
    assert result.psnr["clear"] > 100
    assert result.correlation["clear"] == pytest.approx(1)
    assert tuple(result.frame().index) == experiment.federation().card.features


def test_the_update_is_that_of_a_step_and_its_rows_over_the_bias_are_the_example() -> None:
    experiment = DIGITS.replace(model=fb.MLP(hidden=(16,)), training=FAST)
    result = fb.gradient_inversion(experiment, example=7)
    grads = gradient(experiment, 7)
    norm = float(tree.norms(tree.stack([grads]))[0])
    assert result.norm == pytest.approx(2.0 * norm, rel=1e-5)
    unit = int(grads["1.bias"].abs().argmax())
    by_hand = (grads["1.weight"][unit] / grads["1.bias"][unit]).reshape(8, 8).numpy()
    assert result.reconstructions["clear"] == pytest.approx(by_hand, abs=1e-4)


def test_psnr_and_correlation_by_their_formulas() -> None:
    result = fb.gradient_inversion(DIGITS, privacy=noise(0.02))
    frame = result.frame()
    assert list(frame) == ["original", "clear", "clipped", "noised", "blind"]
    for name in ("noised", "blind"):
        error = ((frame[name] - frame["original"]) ** 2).mean()
        assert result.psnr[name] == pytest.approx(-10 * np.log10(error), rel=1e-5)  # range 1
        r = np.corrcoef(frame[name], frame["original"])[0, 1]
        assert result.correlation[name] == pytest.approx(abs(r), rel=1e-5)
    assert frame["blind"].to_numpy() == pytest.approx(
        DIGITS.federation().x.mean(axis=0).ravel(), abs=1e-6
    )


@pytest.mark.parametrize("model", [fb.Linear(), fb.MLP()], ids=["linear", "mlp"])
def test_noise_takes_the_example_away(model: Model) -> None:
    def medians(z: float) -> tuple[float, float, float]:
        found = [
            fb.gradient_inversion(
                DIGITS.replace(model=model), client=k % 10, example=k, privacy=noise(z, k)
            )
            for k in range(15)
        ]
        pairs = [(r.psnr["noised"], r.correlation["noised"], r.psnr["blind"]) for r in found]
        psnr, correlation, blind = np.median(pairs, axis=0)
        return float(psnr), float(correlation), float(blind)

    little, some, much = medians(0.01), medians(0.1), medians(1.0)
    assert little[1] > 0.6  # the digit is still there to be seen
    assert some[0] < some[2] and some[1] < 0.3  # worse than saying nothing
    assert much[0] < much[2] and much[1] < 0.3


def test_noise_matters_by_the_norm_that_is_clipped_to() -> None:
    # An update far below its bound drowns in the noise that the bound asks for.
    near, far = (
        fb.gradient_inversion(DIGITS, privacy=noise(0.05, clip=clip)) for clip in (0.1, 10.0)
    )
    assert near.psnr["noised"] > far.psnr["noised"] + 10


def test_what_is_noised_was_clipped() -> None:
    # Past the bound the step's length is clipped away, and noise meets the same update.
    short, long, longer = (
        fb.gradient_inversion(
            DIGITS.replace(training=fb.LocalTraining(lr=lr)), privacy=noise(0.02)
        ).reconstructions["noised"]
        for lr in (0.1, 2.0, 20.0)
    )
    assert long == pytest.approx(longer, abs=1e-4)
    assert np.abs(short - long).max() > 0.1


def test_the_noise_is_that_of_its_seed() -> None:
    first, again, other = (
        fb.gradient_inversion(DIGITS, privacy=noise(0.1, seed)).reconstructions["noised"]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_privacy_is_that_of_the_experiment_with_its_noise_solved() -> None:
    private = DIGITS.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Poisson(rate=0.5),
        privacy=fb.ClientLevelDP(epsilon=4, delta=1e-2, clip=0.5, noise_seed=3),
    )
    result = fb.gradient_inversion(private)
    assert result.clip == 0.5
    assert result.noise_multiplier == private.bound_privacy().solved()
    plain = fb.gradient_inversion(DIGITS)
    assert (plain.clip, plain.noise_multiplier) == (1.0, 1.0)


def test_clipped_gradients_are_clipped_updates() -> None:
    """The update that is noised is, but for chance, that of a real local step under DP-SGD."""
    z, clip, lr = 0.05, 0.2, 2.0
    privacy = fb.ExampleLevelDP(noise_multiplier=z, clip=clip, noise_seed=0)
    experiment = DIGITS.replace(
        training=fb.LocalTraining(lr=lr, steps=1, batch_size=None),
        partition=fb.Explicit(counts=((1,) + (0,) * 9,)),
    )
    data = experiment.federation()
    result = fb.gradient_inversion(experiment, privacy=privacy)
    assert result.clip == pytest.approx(clip * lr)
    context = TrainingContext(data, experiment.model, experiment.training, experiment.strategy, 0)
    steps = []
    for privacy_of_step in (fb.NoPrivacy(), privacy):
        own = TrainingContext(**{**vars(context), "privacy": privacy_of_step})
        params = experiment.model.initial(data.card, 0)
        info = RoundInfo(1, lr, 1, 1.0)
        steps.append(LoopEngine().train(own, Broadcast(info, params), np.array([0]), {}).payloads)
    clear, real = steps
    clip_stage, _ = noise(z, clip=result.clip).stages()
    _, norms = clip_stage.init(tree.row(clear, 0))
    clipped = clip_stage.encode(clear, Sending(1, np.array([0]), server=norms)).payloads
    rest = torch.cat([(real[name] - clipped[name]).ravel() for name in clear])
    # 650 normal numbers: their root mean square is off by 15 % once in ten million times
    assert float(rest.square().mean().sqrt()) == pytest.approx(z * result.clip, rel=0.15)


@pytest.mark.parametrize("kind", [fb.LocalGaussian, fb.LocalLaplace])
def test_noise_of_its_own_hides_an_example_as_well(kind: type[fb.LocalGaussian]) -> None:
    def look(z: float) -> fb.GradientInversion:
        privacy = kind(noise_multiplier=z, clip=1.0, noise_seed=1)
        return fb.gradient_inversion(DIGITS, privacy=privacy)

    faint, strong = look(0.01), look(1.0)
    assert faint.psnr["clipped"] == strong.psnr["clipped"] > 60  # clipping alone hides nothing
    assert max(strong.psnr["noised"], faint.psnr["noised"]) < faint.psnr["clipped"] - 30
    assert strong.correlation["noised"] < 0.4
    if (
        kind is fb.LocalGaussian
    ):  # a sum of 650 absolute values of 1 drowns in the least Laplace noise
        assert strong.psnr["noised"] < faint.psnr["noised"]


class Unbiased(Model):
    """A dense layer that has no bias."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(card.inputs, card.outputs, bias=False))


class ByRow(Model):
    """A dense layer that sees the rows of an image one by one."""

    def build(self, card: Card) -> nn.Module:
        return nn.Sequential(
            nn.Linear(card.shape[-1], 4), nn.Flatten(), nn.Linear(4 * card.shape[0], card.outputs)
        )


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (fb.CNN(channels=(4,), hidden=8), "CNN is Conv2d"),
        (Unbiased(), "a dense layer without a bias"),
        (ByRow(), "a layer that sees only parts of it"),
    ],
)
def test_models_that_do_not_begin_with_such_a_layer(model: Model, what: str) -> None:
    with pytest.raises(ValueError, match=rf"model: .*{what}; .*choose Linear or MLP"):
        fb.gradient_inversion(DIGITS.replace(model=model))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"client": 10}, "client = 10: there are clients 0 to 9"),
        ({"client": -1}, "client = -1: there are clients 0 to 9"),
        ({"example": 500}, r"example = 500: client 0 holds examples 0 to 14\d"),
        ({"privacy": fb.ClientLevelDP(epsilon=1)}, "privacy.noise_multiplier is none"),
    ],
)
def test_what_is_not_there(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fb.gradient_inversion(DIGITS, **arguments)


class Unknown(Private):
    """A mechanism of somebody's own."""

    unit: ClassVar[str] = "client"


def test_a_mechanism_that_is_not_known_here() -> None:
    with pytest.raises(ValueError, match="Unknown is not a mechanism that is known here; choose"):
        fb.gradient_inversion(DIGITS, privacy=Unknown(noise_multiplier=1))


def test_an_example_that_moves_nothing_tells_nothing() -> None:
    """One hidden unit is silent for some examples; their update is that of the outputs alone."""
    experiment = DIGITS.replace(model=fb.MLP(hidden=(1,)))
    silent = [k for k in range(140) if not gradient(experiment, k)["1.weight"].any()]
    assert silent
    with pytest.raises(ValueError, match=f"example = {silent[0]} of client 0 does not change"):
        fb.gradient_inversion(experiment, example=silent[0])


def test_images_are_drawn_side_by_side() -> None:
    result = fb.gradient_inversion(DIGITS, privacy=noise(0.1))
    figure = result.figure()
    assert [trace.name for trace in figure.data] == list(result.frame())
    for trace in figure.data:
        assert np.array(trace.z) == pytest.approx(
            result.frame()[trace.name].to_numpy().reshape(8, 8)
        )
    text = " ".join(note.text for note in figure.layout.annotations)
    assert "C = 1" in text and "z = 0.1" in text and " dB" in text


def test_channels_are_drawn_beneath_each_other() -> None:
    frame = pd.DataFrame({"original": np.arange(24.0)})
    (image,) = inversion_figure(frame, (2, 3, 4), {}).data
    assert np.array(image.z).shape == (6, 4)


def test_names_from_data_stay_text() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=[EVIL, "plain", "other"])
    table["y"] = rng.normal(size=60)
    table["who"] = np.repeat([EVIL, "b", "c"], 20)
    experiment = fb.Experiment(
        data=fb.Table(table, target="y", client="who"), partition=fb.Natural()
    )
    client = experiment.federation().names.index(EVIL)
    result = fb.gradient_inversion(experiment, client=client, privacy=noise(1.0))
    assert EVIL in result.features and EVIL in result.title
    figure = result.figure()
    values = result.frame()["original"]
    assert list(figure.data[0].y) == pytest.approx(values.to_list())
    # what noise throws out of the frame is drawn at its edge
    assert max(np.abs(trace.y).max() for trace in figure.data) <= np.abs(values).max() + 1e-6
    text = figure.to_json()
    assert "<b>bold" not in text and "<a href" not in text and "$\\\\alpha" not in text


def test_noise_on_the_update_is_what_the_clipping_leaves_of_it() -> None:
    privacy = fb.ClientLevelDP(
        noise_multiplier=1.0, clipping=fb.AdaptiveClipping(share=0.75), noise_seed=0
    )
    result = fb.gradient_inversion(DIGITS, privacy=privacy)
    assert result.noise_multiplier == pytest.approx(2.0)  # 1 / √(1 − 0.75)
    assert "z = 2" in str(result.figure().to_json())
