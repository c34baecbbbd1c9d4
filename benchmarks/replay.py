"""Whether two versions of the code give the same histories, bit for bit on one machine.

Run from the root of each checkout: `python -m benchmarks.replay --out before.json` with the one,
`python -m benchmarks.replay --against before.json` with the other. Small experiments cover every
strategy, aggregator, attack, privacy mechanism, partitioner, skew, sampler, model and engine; of
each the last metrics are kept, and a hash of the parameters and of each client's last score.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fedbench as fb
from fedbench.scenarios import SCENARIOS

ROUNDS = 3
SEEDED = {"noise_multiplier": 1.0, "noise_seed": 3}
MLP = fb.MLP(hidden=(16,))
PARTS: dict[str, list[Any]] = {
    "strategy": [
        fb.FedAvg(),
        fb.FedAvg(weighting="uniform"),
        fb.FedProx(mu=0.1),
        fb.Scaffold(),
        fb.FedDyn(),
        fb.FedNova(),
        fb.FedAvgM(),
        fb.FedAdam(),
        fb.FedYogi(),
        fb.FedAdagrad(),
        fb.FineTuning(),
        fb.Ditto(),
        fb.FedPer(),
    ],
    "aggregator": [
        fb.Mean(),
        fb.CoordinateMedian(),
        fb.TrimmedMean(),
        fb.GeometricMedian(),
        fb.Krum(),
        fb.MultiKrum(),
    ],
    "attack": [fb.LabelFlip(), fb.SignFlip(), fb.GaussianUpdate()],
    "partition": [
        fb.IID(),
        fb.Dirichlet(clients=12, alpha=0.1),
        fb.Shards(clients=10),
        fb.Pathological(clients=10),
        fb.Sizes(clients=10),
        fb.Sizes(clients=10, law="powerlaw"),
        fb.InnerDirichlet(clients=10),
        fb.GivenSizes(),
        fb.Population(clients=2000),
    ],
    "skews": [
        (fb.FeatureNoise(),),
        (fb.LabelNoise(),),
        (fb.LabelPermutation(),),
        (fb.MissingFeatures(),),
        (fb.Rotation(),),
        (fb.Scaling(), fb.Shift()),
    ],
    "sampling": [fb.FixedCohort(size=5), fb.Shuffled(size=7), fb.Poisson(rate=0.3)],
    "devices": [
        fb.Devices(),
        fb.Devices(availability=fb.Bernoulli(), dropout=0.2, over_selection=1.2),
        fb.Devices(availability=fb.Diurnal(), deadline=0.05),
    ],
    "privacy": [
        fb.ClientLevelDP(**SEEDED),
        fb.ClientLevelDP(epsilon=20.0, noise_seed=1, evaluation_share=0.2, delta=1e-2),
        fb.ClientLevelDP(clipping=fb.PerLayerClipping(), **SEEDED),
        fb.ClientLevelDP(clipping=fb.AdaptiveClipping(per_layer=True), **SEEDED),
        fb.LocalGaussian(**SEEDED),
        fb.LocalLaplace(**SEEDED),
        fb.ExampleLevelDP(**SEEDED),
    ],
    "training": [
        fb.LocalTraining(steps=3, batch_size=8),
        fb.LocalTraining(momentum=0.9, lr=0.05),
        fb.LocalTraining(weight_decay=0.01, lr_decay=0.9, epochs=2),
        fb.LocalTraining(batch_size=None),
    ],
    "model": [fb.Linear(), MLP, fb.CNN(channels=(4, 4), hidden=8)],
}
DATA = [fb.Wine(), fb.BreastCancer(), fb.DiabetesProgression()]
ENGINES = {
    "loop": fb.LoopEngine(),
    "stacked": fb.StackedEngine(workers=0),
    "chunks of 3": fb.StackedEngine(workers=0, chunk=3),
    "2 workers": fb.StackedEngine(workers=2),
}
ON_EVERY_ENGINE: dict[str, dict[str, Any]] = {
    "plain": {},
    "Scaffold": {"strategy": fb.Scaffold()},
    "Ditto": {"strategy": fb.Ditto()},
    "client-level": {"privacy": fb.ClientLevelDP(**SEEDED), "sampling": fb.Poisson(rate=0.5)},
    "example-level": {"privacy": fb.ExampleLevelDP(**SEEDED)},
    "attacked": {"attack": fb.GaussianUpdate(), "aggregator": fb.CoordinateMedian()},
    "CNN": {"model": fb.CNN(channels=(4, 4), hidden=8)},
}


def experiments() -> Iterator[tuple[str, fb.Experiment]]:
    """All experiments by name; a name stays when a class is renamed."""
    for field, parts in PARTS.items():
        for number, part in enumerate(parts):
            more: dict[str, Any] = {field: part}
            if isinstance(part, fb.Devices | fb.Population):
                more["sampling"] = fb.FixedCohort(size=5)
            yield f"{field} {number}", _experiment(**more)
    for number, data in enumerate(DATA):
        yield f"data {number}", fb.Experiment(data=data, rounds=ROUNDS)
    for scenario in SCENARIOS:
        experiment = scenario().replace(rounds=ROUNDS)
        if hasattr(experiment.privacy, "noise_seed"):
            experiment = experiment.replace(privacy=experiment.privacy.replace(noise_seed=3))
        yield f"scenario {scenario.name}", experiment
    for name, engine in ENGINES.items():
        for what, parts in ON_EVERY_ENGINE.items():
            yield f"{what}, {name}", _experiment(engine=engine, **parts)


def _experiment(**parts: Any) -> fb.Experiment:
    if isinstance(parts.get("privacy"), fb.ClientLevelDP | fb.LocalGaussian | fb.LocalLaplace):
        parts = {"strategy": fb.FedAvg(weighting="uniform")} | parts
    return fb.Experiment(**({"data": fb.Digits(), "model": MLP, "rounds": ROUNDS} | parts))


def digest(experiment: fb.Experiment) -> dict[str, Any]:
    """The last row of a run's history, and a hash of all that it left behind."""
    session = fb.Session(experiment)
    session.start()
    session.wait()
    history, params = session.history, session.module().state_dict()
    last = {
        name: value
        for name, value in history.frame().iloc[-1].to_dict().items()
        if isinstance(value, int | float) and "seconds" not in name and not math.isnan(value)
    }
    content = hashlib.sha256()
    for name in sorted(params):
        content.update(name.encode() + np.ascontiguousarray(params[name].numpy()).tobytes())
    for row in history.rows:
        content.update(np.ascontiguousarray(row.clients).tobytes())
        content.update(np.ascontiguousarray(row.cohort).tobytes())
    return {"last": last, "sha256": content.hexdigest()}


def main() -> int:
    """Write the histories, or compare them; return 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {name: digest(experiment) for name, experiment in experiments()}
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))
    if not options.against:
        print(f"{len(found)} histories")
        return 0
    before = json.loads(options.against.read_text())
    differs = 0
    for name in sorted(before.keys() | found.keys()):
        was, now = before.get(name), found.get(name)
        if was is None or now is None:
            print(f"{name}: only {'after' if was is None else 'before'}")
        elif was["sha256"] != now["sha256"] or not _agrees(was["last"], now["last"]):
            differs += 1
            print(f"{name}: {was['last']} was, {now['last']} is")
    if unlike := _columns(before) ^ _columns(found):
        print(f"not compared, as one of the two lacks them: {', '.join(sorted(unlike))}")
    print(f"{len(found)} histories, {differs} differ")
    return min(differs, 1)


def _columns(histories: dict[str, Any]) -> set[str]:
    return {name for each in histories.values() for name in each["last"]}


def _agrees(was: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether columns that both have are equal; new columns are no difference."""
    return all(was[name] == now[name] for name in was.keys() & now.keys())


if __name__ == "__main__":
    sys.exit(main())
