"""Gradient inversion: what a server reads off the update of a single client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench import tree
from fedbench.channel import Pipeline
from fedbench.config.problems import expect
from fedbench.data import FederatedDataset
from fedbench.data.card import Card
from fedbench.engine import Broadcast, LoopEngine, TrainingContext
from fedbench.experiment import Experiment
from fedbench.models import Model
from fedbench.privacy import ClientLevelDP, LocalDP, Private
from fedbench.strategies import FedAvg, RoundInfo
from fedbench.training import LocalTraining
from fedbench.tree import Tree

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GradientInversion:
    """One example, and what a server makes of the update that it alone led to.

    `original` [*shape] is the example in the scale that the model sees. `reconstructions` are by
    how the update was sent, "clear", "clipped" and "noised"; "blind" is the mean training row,
    which is what one would say without an update. `psnr` is how near each of them comes,
    10·log₁₀(range² / mean squared error) in dB, where the range is that of all training values.
    `correlation` is between original and reconstruction, without its sign: noise takes the scale
    away first, and a picture may be seen well where the PSNR is poor. Compare both with the blind
    guess. `norm` is that of the update before it is clipped to `clip`; `noise_multiplier` is the
    noise on the update in clipping norms.
    """

    original: Features
    reconstructions: Mapping[str, Features]
    psnr: Mapping[str, float]
    correlation: Mapping[str, float]
    norm: float
    clip: float
    noise_multiplier: float
    features: tuple[str, ...]
    title: str = ""

    def frame(self) -> pd.DataFrame:
        """Return one row a feature: its original value and what each reconstruction holds."""
        import pandas as pd

        images = {"original": self.original, **self.reconstructions}
        columns = {name: image.ravel() for name, image in images.items()}
        return pd.DataFrame(columns, index=pd.Index(self.features, name="feature"))

    def figure(self) -> go.Figure:
        """Return a plotly figure: pictures side by side, or values by feature if it is no image."""
        from fedbench.audit.figures import inversion_figure

        how = {"clipped": f", C = {self.clip:.3g}", "noised": f", z = {self.noise_multiplier:.3g}"}
        notes = {
            name: f"{psnr:.0f} dB, r = {self.correlation[name]:.2f}{how.get(name, '')}"
            for name, psnr in self.psnr.items()
        }
        return inversion_figure(self.frame(), self.original.shape, notes, self.title)

    def __repr__(self) -> str:
        shown = (
            f"{name} {self.psnr[name]:.1f} dB (r {self.correlation[name]:.2f})"
            for name in self.reconstructions
        )
        return f"<GradientInversion: {', '.join(shown)}>"


def gradient_inversion(
    experiment: Experiment,
    *,
    client: int = 0,
    example: int = 0,
    privacy: Private | None = None,
) -> GradientInversion:
    """Return what a server reconstructs of one client's example from one update.

    The model is the one that training starts from, and the client takes one plain gradient step on
    that example alone: the worst case, as more examples and steps mix. In a dense first layer with
    a bias the gradient is δ·(x, 1), one outer product, so that any row of it divided by its bias
    gives x (Phong et al. 2018; Geiping et al. 2020, arXiv:2003.14053); the learning rate cancels.
    Here x is read off the nearest matrix of rank one, the best estimate under Gaussian noise.

    The update is sent clear; clipped to the norm C of `privacy`; and clipped with noise of standard
    deviation zC, which is what client-level DP puts on a sum that this client is alone in. Others
    in the cohort would cover it further. Under `ExampleLevelDP` the client does both to its
    gradient, and under local DP to its update. `privacy` is the experiment's own by default, or
    `ClientLevelDP(noise_multiplier=1)` where it has none. Raises ValueError for a client or example
    that is not there, a model that does not begin with such a layer, noise that is not known,
    another kind of privacy, and an example that moves nothing.
    """
    expect(experiment, Experiment, "experiment")
    data, model, privacy = experiment.federation(), experiment.model, _known(experiment, privacy)
    row = _row(data, client, example)
    layer = _first_layer(model, data.card)
    rate = experiment.training.rate(1)
    update = _update(experiment, data, row, rate)
    stage = privacy.on_update(rate)
    sent = {"clear": tree.row(update, 0), **_under(stage, update)}
    if not bool(sent["clear"][f"{layer}.weight"].any()):
        raise ValueError(
            f"example = {example} of client {client} does not change the first layer, so its "
            "update reveals nothing about it; choose another example"
        )
    original, shape = np.asarray(data.x[row], dtype=np.float32), data.card.shape
    guesses = {name: _read_off(each, layer).reshape(shape) for name, each in sent.items()}
    guesses["blind"] = data.x.mean(axis=0, dtype=np.float64).astype(np.float32)
    peak = float(np.ptp(data.x))
    names, count = data.card.features, data.card.inputs
    return GradientInversion(
        original,
        guesses,
        {name: _psnr(original, guess, peak) for name, guess in guesses.items()},
        {name: _correlation(original, guess) for name, guess in guesses.items()},
        norm=float(tree.norms(update)[0]),
        clip=stage.clip,
        noise_multiplier=stage.noises()["updates"],
        # a series names what is measured, not each moment of it
        features=names if len(names) == count else tuple(map(str, range(count))),
        title=f"{data.card.name} · {model.kind()} · example {example} of {data.name(client)}",
    )


def _known(experiment: Experiment, privacy: Private | None) -> Private:
    """The privacy to look at, with its noise."""
    if privacy is not None:
        if privacy.noise_multiplier is None:
            raise ValueError(
                "privacy.noise_multiplier is none, and the noise for a budget depends on the "
                "run; set the noise, or put the privacy into the experiment"
            )
        return privacy
    return experiment.bound_privacy().guarantee or ClientLevelDP(noise_multiplier=1.0)


def _under(privacy: ClientLevelDP | LocalDP, update: Tree) -> dict[str, Tree]:
    """An update [1, ...] as it is seen clipped, and with the noise of one client alone."""
    pipeline, template = Pipeline(privacy.stages()), tree.row(update, 0)
    _, servers = pipeline.init(template)
    sent = pipeline.encode(update, {}, servers, 1, np.zeros(1, dtype=np.int64)).payloads
    clipped = privacy.clipped(update).payloads
    noised, _ = pipeline.decode(tree.row(sent, 0), servers, 1, 1.0, template)
    return {"clipped": tree.row(clipped, 0), "noised": noised}


def _row(data: FederatedDataset, client: int, example: int) -> int:
    """The row of the table that a client's example is."""
    if not 0 <= client < data.clients:
        raise ValueError(f"client = {client!r}: there are clients 0 to {data.clients - 1}")
    size = int(data.sizes_of(np.array([client]))[0])
    if not 0 <= example < size:
        raise ValueError(f"example = {example!r}: client {client} holds examples 0 to {size - 1}")
    return int(data.rows(client, np.array([example]))[0])


def _first_layer(model: Model, card: Card) -> str:
    """The name of the dense layer with a bias that an example goes into as it is."""
    from torch import nn

    module = model.template(card)
    bearers = (
        (name, layer)
        for name, layer in module.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    )
    name, first = next(bearers, ("", module))
    if isinstance(first, nn.Linear) and first.bias is not None and first.in_features == card.inputs:
        return name
    what = type(first).__name__
    if isinstance(first, nn.Linear):
        what = (
            "a dense layer without a bias"
            if first.bias is None
            else ("a layer that sees only parts of it")
        )
    raise ValueError(
        f"model: the first layer of {model.kind()} is {what}; an example can be reconstructed "
        "only from a dense layer with a bias that sees all of it: choose Linear or MLP"
    )


def _update(experiment: Experiment, data: FederatedDataset, row: int, rate: float) -> Tree:
    """What a client sends, [1, ...], that holds this row alone and takes one step."""
    alone = replace(
        data,
        x=data.x[row : row + 1],
        y=data.y[row : row + 1],
        offsets=np.array([0, 1]),
        choice=None,
        names=(),
    )
    context = TrainingContext(
        data=alone,
        model=experiment.model,
        training=LocalTraining(lr=rate, steps=1, batch_size=None),
        strategy=FedAvg(weighting="uniform"),
        seed=experiment.seed,
    )
    context.check()
    params = experiment.model.initial(data.card, experiment.seed)
    info = RoundInfo(round=1, lr=rate, clients=1, expected_cohort=1.0)
    return LoopEngine().train(context, Broadcast(info, params), np.array([0]), {}).payloads


def _read_off(update: Tree, layer: str) -> Features:
    """The input x for which the update of a layer is nearest to an outer product with (x, 1)."""
    import torch

    weight, bias = update[f"{layer}.weight"], update[f"{layer}.bias"]
    joint = torch.cat([weight, bias.unsqueeze(1)], dim=1).double()
    _, _, right = torch.linalg.svd(joint, full_matrices=False)
    return (right[0, :-1] / right[0, -1]).float().numpy()


def _psnr(original: Features, guess: Features, peak: float) -> float:
    error = float(np.mean((guess.astype(np.float64) - original) ** 2))
    return float(10 * np.log10(peak**2 / error)) if error else np.inf


def _correlation(original: Features, guess: Features) -> float:
    a, b = (values.ravel().astype(np.float64) - values.mean() for values in (original, guess))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return abs(float(a @ b)) / size if size else np.nan
