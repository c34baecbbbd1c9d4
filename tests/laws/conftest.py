"""Finds every concrete Part of fedbench, so that a new one is under the laws by itself.

A test that asks for `part`, `source`, `random_split`, `partitioner`, `split`, `class_split`,
`skew`, `sampling`, `availability`, `model`, `strategy`, `aggregator`, `privacy_part`, `stage`,
`engine` or `attack` runs once for every example of every class of that family; `fast_engine` is
every engine but the one that the others are compared with. `stage` includes those that only privacy
uses, and `pipeline` is each stage among those that it needs, and several of them together. With
`model`, `table` is one after another of the small tables that this model takes.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch

import fedbench
from fedbench.aggregators import Aggregator
from fedbench.attacks import Attack
from fedbench.channel import Pipeline, Stage
from fedbench.config.spec import Part
from fedbench.data import ClassSplit, Partitioner, RandomSplit, Skew, Source, Split
from fedbench.engine import Engine, LoopEngine
from fedbench.models import Model
from fedbench.participation import Availability
from fedbench.participation.sampling import Sampling
from fedbench.privacy import (
    AdaptiveClipping,
    ClientLevelDP,
    Clip,
    LocalGaussian,
    LocalLaplace,
    PerLayerClipping,
    Privacy,
)
from fedbench.privacy.local import _LocalNoise
from fedbench.privacy.server_noise import _ServerNoise
from fedbench.strategies import Strategy
from tests.channel.toys import Predicted, Signed, Sparse
from tests.laws.tables import suited

FAMILIES: dict[str, type[Part]] = {
    "part": Part,
    "source": Source,
    "random_split": RandomSplit,
    "partitioner": Partitioner,
    "split": Split,
    "class_split": ClassSplit,
    "skew": Skew,
    "sampling": Sampling,
    "model": Model,
    "strategy": Strategy,
    "aggregator": Aggregator,
    "privacy_part": Privacy,
    "stage": Stage,
    "engine": Engine,
    "attack": Attack,
    "availability": Availability,
}

# As sessions do: two threads of a small product only wait for each other.
torch.set_num_threads(1)

SEEDED = {"noise_multiplier": 1.5, "noise_seed": 3}
PEOPLE = str(Path(__file__).parent / "people.csv")

# Arguments by class name; a class that is not here is tested with its defaults.
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "CNN": [
        {"channels": (3, 5), "hidden": 6, "norm": False},
        {"channels": (8,), "hidden": 5, "norm": True},
    ],
    "Arriving": [{}, {"periods": 5, "first": 2, "seen": 2, "memory": 2}],
    "Bernoulli": [{"probability": 0.3}, {"probability": 1.0}],
    "ClientLevelDP": [
        SEEDED,
        {"epsilon": 2.0, "evaluation_share": 0.2},
        {"epsilon": 2.0, "clipping": PerLayerClipping()},
        {"epsilon": 2.0, "clipping": AdaptiveClipping()},
        {"epsilon": 2.0, "clipping": AdaptiveClipping(per_layer=True, quantile=0.9)},
    ],
    "Clip": [
        {"norm": 0.5},
        {"norm": 1.5, "clipping": PerLayerClipping()},
        {"norm": 1.5, "clipping": AdaptiveClipping()},
        {"norm": 0.5, "clipping": AdaptiveClipping(per_layer=True, quantile=0.9)},
    ],
    "Diurnal": [{"period": 6, "zones": 3}],
    "Dirichlet": [{"clients": 7, "alpha": 0.1}, {"clients": 5, "alpha": 3.0, "min_samples": 4}],
    "Ditto": [{}, {"lam": 0.0}],
    "ByTime": [{"clients": 6}],
    "Explicit": [
        {"counts": ((5, 0, 3, 1), (0, 2, 0, 0), (1, 1, 1, 1))},
        {"counts": ((5, 1, 3, 1),), "names": ("<i>all</i>",)},
    ],
    "ExampleLevelDP": [SEEDED, {"epsilon": 2.0}],
    "FedAvg": [{"weighting": "samples"}, {"weighting": "uniform"}],
    "FedAvgM": [{}, {"beta": 0.0}],
    "FedProx": [{}, {"mu": 0.5}],
    "FedSGD": [{"weighting": "samples"}, {"weighting": "uniform"}],
    "FixedCohort": [{"size": 1}, {"size": 12}],
    "GivenSizes": [{"sizes": (9, 1, 30)}],
    "GroupedNatural": [{"clients": 3}],
    "GRU": [{"width": 3, "hidden": 5, "layers": 1}, {"width": 4, "hidden": 3, "layers": 2}],
    "InnerDirichlet": [{"clients": 7, "alpha": 0.1}, {"clients": 5, "alpha": 3.0, "spread": 1.0}],
    "LocalGaussian": [
        {"noise_multiplier": 0.5, "noise_seed": 3},
        {"epsilon": 9.0, "noise_seed": 3},
    ],
    "LocalLaplace": [{"noise_multiplier": 0.5, "noise_seed": 3}, {"epsilon": 9.0, "noise_seed": 3}],
    "Krum": [{}, {"byzantine": 0}],
    # a norm over few features divides by next to nothing, and rounding shows
    "MLP": [
        {"hidden": (5,)},
        {"hidden": (4, 3), "activation": "tanh"},
        {"hidden": (6, 8), "norm": True},
    ],
    "MatrixFactorisation": [{"factors": 1}, {"factors": 4}],
    "MultiKrum": [{}, {"byzantine": 0}],
    "Pathological": [{"clients": 7, "classes": 2}, {"clients": 3, "classes": 1}],
    "Population": [{"clients": 40, "samples": 5, "alpha": 0.2}, {"clients": 3, "samples": 9}],
    "Poisson": [{"rate": 0.05}, {"rate": 0.6}, {"rate": 1.0}],
    "Shards": [{"clients": 7, "shards": 2}, {"clients": 5, "shards": 3}],
    "Shuffled": [{"size": 1}, {"size": 7}],
    "Sizes": [
        {"clients": 7, "law": "lognormal", "spread": 1.0},
        {"clients": 6, "law": "powerlaw", "spread": 2.0, "min_samples": 3},
        {"clients": 5, "law": "exponential"},
    ],
    "Table": [
        {"path": PEOPLE, "target": "ill", "client": "site"},
        {"path": PEOPLE, "target": "age"},
    ],
    "TextClassifier": [{"width": 4}, {"width": 3, "hidden": 5}],
    "Trace": [{"path": str(Path(__file__).parent / "trace.csv")}],
    "TrimmedMean": [{}, {"trim": 0.0}, {"trim": 0.3}],
    "StackedEngine": [{}, {"chunk": 1}, {"chunk": 3}],
}


# Stages that only a privacy puts into a pipeline.
HIDDEN: dict[str, Stage] = {
    "noise on the sum": _ServerNoise(updates=0.5, noise_seed=3),
    "noise on the sum and on norms": _ServerNoise(updates=0.5, clipping=2.0, noise_seed=3),
    "clients' Gaussian noise": _LocalNoise(
        mechanism=LocalGaussian(noise_multiplier=0.5, noise_seed=3)
    ),
    "clients' Laplace noise": _LocalNoise(
        mechanism=LocalLaplace(noise_multiplier=0.5, noise_seed=3)
    ),
}


def pipelines() -> dict[str, Pipeline]:
    """Return each stage among those that it needs, and several together, by name."""
    clipping = [Clip(**arguments) for arguments in EXAMPLES["Clip"]]
    alone = {**HIDDEN, **{_id(stage): stage for stage in clipping}}
    found = {name: Pipeline(needed(stage)) for name, stage in alone.items()}
    adaptive = AdaptiveClipping(per_layer=True)
    private = ClientLevelDP(noise_multiplier=1.0, clipping=adaptive, noise_seed=3)
    local = LocalGaussian(noise_multiplier=0.5, noise_seed=3)
    clips = Clip(clipping=adaptive), Clip(norm=0.5, clipping=AdaptiveClipping())
    for name, several in {
        "nothing": (),
        "client-level DP and a clip": (*private.stages(), Clip(norm=0.3)),
        "local DP, a clip that adapts, feedback": (*local.stages(), clips[0], Sparse()),
        "two clips that adapt": clips,
        "memory on both sides": (Predicted(), Sparse(share=0.5)),
        "one stage twice": (Signed(), Signed(), Sparse()),
    }.items():
        found[name] = Pipeline(several)
    return found


def needed(stage: Stage) -> tuple[Stage, ...]:
    """Return a stage after what it cannot do without: noise goes by a norm."""
    if not isinstance(stage, _ServerNoise):
        return (stage,)
    return Clip(clipping=AdaptiveClipping()) if stage.clipping else Clip(), stage


def concrete(family: type[Part]) -> list[type[Part]]:
    """Return fedbench's own members of `family`, however deep in the package they are."""
    for module in pkgutil.walk_packages(fedbench.__path__, "fedbench."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = family.choices().values()
    return [cls for cls in found if cls.__module__.partition(".")[0] == "fedbench"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test one example after another of the family that it names."""
    for name, family in {**FAMILIES, "fast_engine": Engine}.items():
        if name in metafunc.fixturenames:
            examples = [
                cls(**arguments)
                for cls in concrete(family)
                if not (name == "fast_engine" and cls is LoopEngine)
                for arguments in EXAMPLES.get(cls.__name__, [{}])
            ]
            if name == "model" and "table" in metafunc.fixturenames:
                pairs = [
                    pytest.param(model, table, id=f"{_id(model)}-{key}")
                    for model in examples
                    for key, table in suited(model).items()
                ]
                metafunc.parametrize(("model", "table"), pairs)
                continue
            if name == "stage":
                examples += HIDDEN.values()
            metafunc.parametrize(name, [_readable(each) for each in examples], ids=_id)
    if "pipeline" in metafunc.fixturenames:
        metafunc.parametrize("pipeline", pipelines().values(), ids=pipelines())
    if "part_class" in metafunc.fixturenames:
        metafunc.parametrize("part_class", concrete(Part), ids=lambda cls: cls.__name__)
    if "family" in metafunc.fixturenames:
        families = {key: value for key, value in FAMILIES.items() if key != "part"}
        metafunc.parametrize("family", families.values(), ids=families)


def _readable(part: Part) -> Any:
    """Skip, visibly, a real data set whose files are not on this machine."""
    missing = [file.path for file in getattr(part, "files", ()) if file.cached is None]
    reason = f"no {', '.join(missing)} in FEDBENCH_DATA"
    return pytest.param(part, marks=pytest.mark.skip(reason)) if missing else part


def _id(part: Part) -> str:
    given = {key: value for key, value in part.to_dict().items() if key in _fields(part)}
    return ",".join([type(part).__name__, *(f"{key}={value}" for key, value in given.items())])


def _fields(part: Part) -> set[str]:
    examples = EXAMPLES.get(type(part).__name__, [])
    return {key for arguments in examples for key in arguments}
