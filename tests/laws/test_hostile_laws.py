"""Three hundred models, losses, sources and hooks, sound and hostile ones in any combination.

What is sound trains, and as the slow engine does. What is not is refused before training, by a
message that names the thing and has none of the words of torch, numpy or pandas.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

import fedbench as fb
from fedbench.channel import Encoded, Stage
from fedbench.data import Card, Column, RandomSplit, Raw, Task
from fedbench.data.skews import Skew
from fedbench.models import Model
from fedbench.participation.sampling import Sampling
from fedbench.runs.rounds import Rounds
from fedbench.strategies import Strategy

WORDS = re.compile(
    r"Tensor\b|mat1|mat2|size mismatch|invalid for input|broadcast|ndarray|dtype\('|positional arg"
    r"|must match|out of bounds|gufunc|Traceback|truth value|not subscriptable|cannot be multiplied"
    r"|KeyError: \d|Expected |unhashable|has no attribute|object is not|not supported between"
)
NAMED = re.compile(r"(data|model|partition|strategy|sampling|skews\.\d|channel\.\d): |Hostile")
ROWS = 24


def labels() -> np.ndarray:
    return np.arange(ROWS) % 2


def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)


def spoilt(values: np.ndarray, value: float) -> np.ndarray:
    values = values.copy()
    values.flat[5] = value
    return values


SOUND_Y = {
    "0 and 1": labels,
    "true or false": lambda: labels().astype(bool),
    "whole floats": lambda: labels() * 1.0,
    "small": lambda: labels().astype(np.uint8),
}
HOSTILE_Y = {
    "1 and 2": lambda: labels() + 1,
    "-1 and 1": lambda: 2 * labels() - 1,
    "halves": lambda: labels() / 2,
    "texts": lambda: np.array(["no", "yes"])[labels()],
    "objects": lambda: labels().astype(object),
    "gap": lambda: spoilt(labels() * 1.0, np.nan),
    "column": lambda: labels()[:, None],
    "one-hot": lambda: np.eye(2)[labels()],
    "short": lambda: labels()[1:],
    "long": lambda: np.append(labels(), 0),
    "list": lambda: labels().tolist(),
    "series": lambda: pd.Series(labels()),
    "none": lambda: None,
    "torch": lambda: torch.from_numpy(labels()),
    "three classes": lambda: np.arange(ROWS) % 3,
}
SOUND_X = {
    "float32": features,
    "float64": lambda: features().astype(np.float64),
    "bits": lambda: features() > 0,
    "constant": lambda: features() * 0,
    "large": lambda: features() * 1e6,
}
HOSTILE_X = {
    "gap": lambda: spoilt(features(), np.nan),
    "infinite": lambda: spoilt(features(), -np.inf),
    "whole numbers": lambda: (features() * 10).astype(int),
    "objects": lambda: features().astype(object),
    "texts": lambda: features().astype(str),
    "narrow": lambda: features()[:, :3],
    "deep": lambda: features()[:, None],
    "flat": lambda: features()[:, 0],
    "frame": lambda: pd.DataFrame(features()),
    "complex": lambda: features() * 1j,
    "empty": lambda: features()[:0],
    "dates": lambda: features().astype("datetime64[s]"),
}
SOUND_REST: dict[str, Any] = {
    "nothing": dict,
    "column": lambda: {"columns": {"site": Column.of(labels())}},
    "units": lambda: {"units": np.arange(ROWS) // 2},
}
HOSTILE_REST: dict[str, Any] = {
    "short column": lambda: {"columns": {"site": Column.of(labels()[1:])}},
    "array as column": lambda: {"columns": {"site": labels()}},
    "codes too high": lambda: {"columns": {"site": Column(("a",), labels())}},
    "float codes": lambda: {"columns": {"site": Column(("a", "b"), labels() * 1.0)}},
    "short units": lambda: {"units": np.arange(3)},
    "text units": lambda: {"units": np.array(["a"] * ROWS)},
    "late": lambda: {"time": spoilt(np.arange(ROWS) * 1.0, np.nan)},
    "another shape": lambda: {"card": {"shape": (5,)}},
    "another task": lambda: {"card": {"task": "regression"}},
    "no classes": lambda: {"card": {"classes": ()}},
    "lost client": lambda: {"card": {"client": "clinic"}},
}


class HostileSource(RandomSplit):
    """Two classes of four numbers, or what is said to be."""

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (4,)
    x: str = "float32"
    y: str = "0 and 1"
    rest: str = "nothing"

    def table(self) -> Raw:
        more = (SOUND_REST | HOSTILE_REST)[self.rest]()
        card = {"task": "classification", "shape": (4,), "classes": ("no", "yes"), "client": ""}
        card |= more.pop("card", {})
        about = Card("Hostile", "here", "ours", features=(), target="ill", **card)
        return Raw(about, (SOUND_X | HOSTILE_X)[self.x](), (SOUND_Y | HOSTILE_Y)[self.y](), **more)


class Change(nn.Module):
    """A layer that makes of the outputs what a test wants."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Any:
        return self.change(x)


class Masked(nn.Linear):
    """A layer that asks for a mask."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x * mask)


def frozen() -> nn.Module:
    return nn.BatchNorm1d(6).requires_grad_(False).eval()


SOUND_NETS: dict[str, Any] = {
    "linear": lambda: nn.Linear(4, 1),
    "stacked": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)),
    "changed": lambda: nn.Sequential(nn.Linear(4, 1), Change(lambda x: 2 * x)),
    "dropout": lambda: nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 1)),
    "frozen norm": lambda: nn.Sequential(nn.Linear(4, 6), frozen(), nn.Linear(6, 1)),
    "layer norm": lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 1)),
}
HOSTILE_NETS: dict[str, Any] = {
    "none": lambda: None,
    "class": lambda: nn.Linear,
    "function": lambda: torch.relu,
    "lazy": lambda: nn.LazyLinear(1),
    "empty": lambda: nn.Sequential(),
    "all frozen": lambda: nn.Linear(4, 1).requires_grad_(False),
    "double": lambda: nn.Linear(4, 1).double(),
    "half": lambda: nn.Linear(4, 1).half(),
    "norm": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 1)),
    "two arguments": lambda: Masked(4, 1),
    "two outputs": lambda: nn.Linear(4, 2),
    "narrow": lambda: nn.Linear(3, 1),
    "misfit": lambda: nn.Sequential(nn.Linear(4, 6), nn.Linear(5, 1)),
    "image": lambda: nn.Conv2d(1, 1, 3),
    "words": lambda: nn.Embedding(4, 1),
    "recurrent": lambda: nn.GRU(4, 1, batch_first=True),
    **{
        name: lambda change=change: nn.Sequential(nn.Linear(4, 1), Change(change))
        for name, change in {
            "tuple": lambda x: (x, x),
            "dictionary": lambda x: {"x": x},
            "array": lambda x: x.detach().numpy(),
            "number": lambda x: float(x.sum().detach()),
            "nothing": lambda x: None,
            "flat": lambda x: x[:, 0],
            "squeezed": lambda x: x.squeeze(),
            "mean": lambda x: x.mean(0, keepdim=True),
            "whole": lambda x: x.long(),
            "doubled": lambda x: x.double(),
            "spoilt": lambda x: x * float("nan"),
            "detached": lambda x: x.detach(),
            "constant": lambda x: torch.ones(len(x), 1),
            "raises": lambda x: x.nope,
            "multiplies": lambda x: x @ torch.ones(3, 3),
        }.items()
    },
}
SOUND_LOSSES: dict[str, Any] = {
    "logistic": lambda out, y: functional.binary_cross_entropy_with_logits(
        out[:, 0], y.float(), reduction="none"
    ),
    "hinge": lambda out, y: (1 - (2 * y - 1) * out[:, 0]).relu(),
    "squared": lambda out, y: (out[:, 0] - y).square(),
}
HOSTILE_LOSSES: dict[str, Any] = {
    "mean": lambda out, y: (out[:, 0] - y).square().mean(),
    "all pairs": lambda out, y: (out - y).square(),
    "column": lambda out, y: (out - y[:, None]).square(),
    "number": lambda out, y: 1.0,
    "nothing": lambda out, y: None,
    "array": lambda out, y: out.detach().numpy(),
    "wrong": lambda out, y: (out[:, 0] > 0) != y,
    "counted": lambda out, y: ((out[:, 0] > 0) != y).float(),
    "detached": lambda out, y: (out[:, 0].detach() - y).square(),
    "spoilt": lambda out, y: (out[:, 0] - 100).sqrt(),
    "infinite": lambda out, y: out[:, 0] / 0,
    "classes": lambda out, y: functional.cross_entropy(out, y, reduction="none"),
    "key": lambda out, y: {}[y],
    "two": lambda out, y: (out[:2, 0] - y[:2]).square(),
}


class HostileModel(Model):
    """A module by name."""

    net: str = "linear"

    def build(self, card: Card) -> Any:
        return (SOUND_NETS | HOSTILE_NETS)[self.net]()


class HostileLoss(HostileModel):
    """The same with a loss by name."""

    by: str = "logistic"

    def loss(self, outputs: Tensor, targets: Tensor) -> Any:
        return (SOUND_LOSSES | HOSTILE_LOSSES)[self.by](outputs, targets)


SOUND_STEPS: dict[str, Any] = {
    "usual": lambda grads: grads,
    "half": lambda grads: {name: leaf / 2 for name, leaf in grads.items()},
    "sign": lambda grads: {name: leaf.sign() for name, leaf in grads.items()},
}
HOSTILE_STEPS: dict[str, Any] = {
    "none": lambda grads: None,
    "empty": lambda grads: {},
    "summed": lambda grads: {name: leaf.sum() for name, leaf in grads.items()},
    "numbers": lambda grads: dict.fromkeys(grads, 0.0),
    "spoilt": lambda grads: {name: leaf * float("nan") for name, leaf in grads.items()},
    "lost key": lambda grads: grads["nope"],
    "list": lambda grads: list(grads.values()),
}


class HostileStrategy(Strategy):
    """Steps by name."""

    step: str = "usual"

    def adjust(self, grads: Any, params: Any, anchor: Any, server: Any, client: Any) -> Any:
        return (SOUND_STEPS | HOSTILE_STEPS)[self.step](grads)


SOUND_COHORTS: dict[str, Any] = {"all": np.arange, "one": lambda clients: np.array([1])}
HOSTILE_COHORTS: dict[str, Any] = {
    "twice": lambda clients: np.array([0, 0]),
    "too far": lambda clients: np.array([clients]),
    "negative": lambda clients: np.array([-1]),
    "floats": lambda clients: np.arange(clients) * 1.0,
    "list": lambda clients: [0, 1],
    "none": lambda clients: None,
    "unordered": lambda clients: np.array([1, 0]),
}


class HostileSampling(Sampling):
    """Cohorts by name."""

    cohort: str = "all"

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> Any:
        return (SOUND_COHORTS | HOSTILE_COHORTS)[self.cohort](clients)

    def expected(self, clients: int) -> float:
        return float(clients)


SOUND_SKEWS: dict[str, Any] = {"same": lambda x, y: (x, y), "scaled": lambda x, y: (x * 2, y)}
HOSTILE_SKEWS: dict[str, Any] = {
    "shorter": lambda x, y: (x[1:], y[1:]),
    "spoilt": lambda x, y: (x * np.nan, y),
    "labels": lambda x, y: (x, y + 5),
    "one": lambda x, y: x,
    "frame": lambda x, y: (pd.DataFrame(x), y),
}


class HostileSkew(Skew):
    """Changes by name."""

    change: str = "same"

    def apply(self, x: Any, y: Any, who: Any) -> Any:
        return (SOUND_SKEWS | HOSTILE_SKEWS)[self.change](x, y)


SOUND_SENT: dict[str, Any] = {
    "as it is": Encoded,
    "half": lambda p: Encoded({name: leaf / 2 for name, leaf in p.items()}),
    "rounded": lambda p: Encoded({name: (leaf * 256).round() / 256 for name, leaf in p.items()}),
}
HOSTILE_SENT: dict[str, Any] = {
    "none": lambda p: None,
    "tree": lambda p: p,
    "a leaf less": lambda p: Encoded(dict(list(p.items())[1:])),
    "spoilt": lambda p: Encoded({name: leaf * float("nan") for name, leaf in p.items()}),
    "flat": lambda p: Encoded({name: leaf.flatten() for name, leaf in p.items()}),
    "mixed": lambda p: Encoded({name: leaf + leaf.mean(0) for name, leaf in p.items()}),
    "arrays": lambda p: Encoded({name: leaf.numpy() for name, leaf in p.items()}),
    "more state": lambda p: Encoded(p, {"own": torch.zeros(len(next(iter(p.values()))))}),
    "lost key": lambda p: p["nope"],
}


class HostileStage(Stage):
    """Sends by name."""

    sent: str = "as it is"

    def encode(self, payloads: Any, sending: Any) -> Any:
        return (SOUND_SENT | HOSTILE_SENT)[self.sent](payloads)


# name: the sound choices and the hostile ones, the usual one first
CHOICES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "x": (SOUND_X, HOSTILE_X),
    "y": (SOUND_Y, HOSTILE_Y),
    "rest": (SOUND_REST, HOSTILE_REST),
    "net": (SOUND_NETS, HOSTILE_NETS),
    "by": ({"standard": None, **SOUND_LOSSES}, HOSTILE_LOSSES),
    "step": (SOUND_STEPS, HOSTILE_STEPS),
    "cohort": (SOUND_COHORTS, HOSTILE_COHORTS),
    "change": (SOUND_SKEWS, HOSTILE_SKEWS),
    "sent": (SOUND_SENT, HOSTILE_SENT),
}


@st.composite
def chosen(draw: st.DrawFn) -> tuple[dict[str, str], set[str]]:
    """Return a choice for each name, and those names whose choice is hostile: none, one or two."""
    bad = draw(st.sets(st.sampled_from(sorted(CHOICES)), max_size=2))
    return {
        name: draw(st.sampled_from(sorted(both[name in bad]))) for name, both in CHOICES.items()
    }, bad


def experiment(choice: dict[str, str], engine: Any) -> fb.Experiment:
    model = HostileModel(net=choice["net"])
    if choice["by"] != "standard":
        model = HostileLoss(net=choice["net"], by=choice["by"])
    return fb.Experiment(
        data=HostileSource(x=choice["x"], y=choice["y"], rest=choice["rest"]),
        partition=fb.IID(clients=3),
        skews=(HostileSkew(change=choice["change"]),),
        model=model,
        training=fb.LocalTraining(batch_size=4, lr=0.01),
        strategy=HostileStrategy(step=choice["step"]),
        channel=(HostileStage(sent=choice["sent"]),),
        sampling=HostileSampling(cohort=choice["cohort"]),
        engine=engine,
        rounds=1,
    )


def trained(choice: dict[str, str], engine: Any) -> tuple[dict[str, Tensor], Any]:
    rounds = Rounds(experiment(choice, engine))
    progress, row = rounds.next(rounds.begin())
    return dict(progress.params), row


@pytest.mark.slow
@settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(chosen())
def test_what_is_sound_trains_and_what_is_hostile_is_refused(
    drawn: tuple[dict[str, str], set[str]],
) -> None:
    choice, bad = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not bad:
            params, row = trained(choice, fb.StackedEngine(workers=0))
            slow, _ = trained(choice, fb.LoopEngine())
            assert 0 <= row.metrics["accuracy"] <= 1 and np.isfinite(row.metrics["loss"])
            for name, leaf in params.items():
                assert torch.allclose(leaf, slow[name], atol=1e-4, rtol=1e-3)
            return
        with pytest.raises((ValueError, ValidationError)) as caught:
            trained(choice, fb.StackedEngine(workers=0))
    said = str(caught.value)
    assert NAMED.search(said), said
    assert not WORDS.search(said), said
