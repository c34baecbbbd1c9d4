"""What is shown before a run: the partition, and what the privacy settings mean."""

from __future__ import annotations

import math

import numpy as np

from fedbench.data.heterogeneity import label_distance
from fedbench.experiment import Experiment
from fedbench.privacy import Private, accounting
from fedbench.rounding import rounded_up
from fedbench_widgets.design import why_fixed
from fedbench_widgets.partition import PartitionMap

MAPPED = 1000  # clients whose data are looked at, in a federation of any size
PLAN_POINTS = 32  # a smooth curve; each point costs a composition

Plan = tuple[tuple[int, ...], tuple[float, ...]]


def show_partition(
    experiment: Experiment, target: PartitionMap, edit: str = "", undoable: bool = False
) -> None:
    """Draw the partition that the run will use, with a sentence on how uneven it is.

    `edit` is the last change by hand that this answers; `undoable` tells whether it can be undone.
    """
    data = experiment.federation()
    shown = min(data.clients, MAPPED)
    counts = data.counts(shown)
    sizes = counts.sum(axis=1)
    distance = float(label_distance(counts).mean())
    known = int(np.median((counts > 0).sum(axis=1)))
    kind = "classes" if data.card.classes else "tenths of the target"
    with target.hold_sync():
        target.clients = shown
        target.classes = list(data.strata_names)
        target.names = list(data.names[:shown])
        target.kind = kind
        target.off = why_fixed(experiment.partition, data.clients)
        target.edit, target.undoable = edit, undoable
        target.counts = counts.astype("<u4").tobytes()
        whole = "" if shown == data.clients else f"The first {shown} of {data.clients:,} clients: "
        least, most = sizes.min(), sizes.max()
        each = f"{least}" if least == most else f"{least} to {most}"
        target.sentence = (
            f"{whole}{each} training samples per client; label distance "
            f"{distance:.2f} (Jensen–Shannon, 0 is even). A typical client holds {known} of "
            f"{len(data.strata_names)} {kind}."
        )
        target.version += 1


def show_nothing(target: PartitionMap, why: str) -> None:
    """Empty the map, which would otherwise show the data before; `why` stands in its place."""
    with target.hold_sync():
        target.clients, target.counts = 0, b""
        target.classes, target.names = [], []
        target.sentence, target.off = "", why
        target.version += 1


def privacy_hint(experiment: Experiment, rough: bool = False) -> str:
    """Return one sentence: which noise the budget needs, or which ε the noise gives.

    A `rough` one says so, is some per cent off, and takes a fraction of the time.
    """
    privacy, rounds = experiment.privacy.guarantee, experiment.rounds
    if privacy is None:
        return "No privacy is guaranteed: the server sees every update unchanged."
    if rough:
        return _rough_hint(experiment, privacy)
    try:
        noise = _noise(experiment)
    except ValueError as error:
        return str(error)
    spent = privacy.replace(noise_multiplier=noise).spent(*experiment.releases(rounds))
    name = f"{privacy.level} ε"
    predictable = "Simulation only: the noise is predictable."
    simulated = f" {predictable if privacy.noise_seed is not None else 'Simulated.'}"
    if privacy.epsilon is not None and spent > privacy.epsilon * (1 + 1e-9):
        return (
            f"Noise z = {rounded_up(noise, 3)} would spend {name} {rounded_up(spent, 3)} in "
            f"{rounds} rounds; the run stops before it passes {privacy.epsilon:g}.{simulated}"
        )
    return (
        f"Noise z = {rounded_up(noise, 3)}: {name} reaches {rounded_up(spent, 3)} at round "
        f"{rounds}.{simulated}"
    )


def crowd_hint(experiment: Experiment) -> str:
    """Return how many clients client-level privacy would need, where there are too few of them.

    There are too few where a round's noise is larger than the sum of all its updates can be, which
    is the cohort times the clipping norm; see `PrivacyPlan.signal_to_noise`. It builds the model.
    """
    if not experiment.privacy.noise_on_server:
        return ""
    try:
        noise = _noise(experiment)
    except ValueError:  # the hint has said it
        return ""
    module = experiment.model.template(experiment.federation().card)
    size = sum(each.numel() for each in module.parameters() if each.requires_grad)
    needed = noise * math.sqrt(size)  # in a round
    if experiment.expected_cohort >= needed:
        return ""
    clients = math.ceil(needed / experiment.expected_cohort * experiment.clients)
    return (
        f" {experiment.clients} clients are too few for client-level privacy: the noise is "
        f"{needed / experiment.expected_cohort:.2g} times what all updates of a round add up to. "
        f"About {clients:,} clients are needed, or example-level privacy."
    )


def _rough_hint(experiment: Experiment, privacy: Private) -> str:
    (releases,) = experiment.releases(experiment.rounds)
    delta, kind, noise = privacy.delta, privacy.kind_of_noise, privacy.noise_multiplier
    if noise is None:
        assert privacy.epsilon is not None
        noise = accounting.rough_noise_multiplier(releases, privacy.epsilon, delta, kind)
        return (
            f"Noise z ≈ {rounded_up(noise, 2)}: {privacy.level} ε reaches "
            f"{rounded_up(privacy.epsilon, 3)} at round "
            f"{experiment.rounds}."
        )
    spent = accounting.rough_epsilon(releases, noise, delta, kind)
    return (
        f"Noise z = {rounded_up(noise, 3)}: {privacy.level} ε reaches ≈ {rounded_up(spent, 2)} at "
        f"round {experiment.rounds}."
    )


def epsilon_plan(experiment: Experiment, noise_multiplier: float | None) -> Plan | None:
    """Return rounds up to the end of the plan and the ε that each would bring.

    `noise_multiplier` is that of a run that has begun; None solves it from the experiment. None is
    returned without privacy, or where no noise reaches the budget.
    """
    privacy = experiment.privacy.guarantee
    if privacy is None:
        return None
    try:
        noise = noise_multiplier or _noise(experiment)
    except ValueError:
        return None
    # ε grows as a root of the rounds does, so that they stand nearer to one another at the start
    shares = np.linspace(0, 1, PLAN_POINTS) ** 2
    points = np.unique((1 + shares * (experiment.rounds - 1)).round().astype(int)).tolist()
    bound = privacy.replace(noise_multiplier=noise)
    return tuple(points), tuple(map(bound.spent, experiment.releases(*points)))


def _noise(experiment: Experiment) -> float:
    bound = experiment.bound_privacy().guarantee
    assert bound is not None
    return bound.solved()
