"""What the form shows beside the fields: the partition, and what the privacy settings mean."""

from __future__ import annotations

import numpy as np

from fedbench.channel.privacy import ClientLevelDP, accounting
from fedbench.data.heterogeneity import label_distance
from fedbench.experiment import Experiment
from fedbench_widgets.partition import PartitionMap


def show_partition(experiment: Experiment, target: PartitionMap) -> None:
    """Draw the partition that the run will use, with a sentence on how uneven it is."""
    data = experiment.federation()
    counts = data.counts()
    sizes = data.sizes
    distance = float(label_distance(counts).mean())
    known = int(np.median((counts > 0).sum(axis=1)))
    kind = "classes" if data.card.classes else "tenths of the target"
    with target.hold_sync():
        target.clients = data.clients
        target.classes = list(data.strata_names)
        target.counts = counts.astype("<u4").tobytes()
        target.sentence = (
            f"{sizes.min()} to {sizes.max()} samples a client; label distance {distance:.2f} "
            f"(Jensen–Shannon, 0 is even). A typical client knows {known} of "
            f"{len(data.strata_names)} {kind}."
        )
        target.version += 1


def privacy_hint(experiment: Experiment) -> str:
    """Return one sentence: which noise the budget needs, or which ε the noise gives."""
    privacy, rounds = experiment.privacy, experiment.rounds
    if not isinstance(privacy, ClientLevelDP):
        return "Nothing is promised: the server sees every update as it is."
    rate, delta = experiment.sampling_rate, privacy.delta
    try:
        noise = privacy.bind(rate, rounds).noise_multiplier
    except ValueError as error:
        return str(error)
    assert noise is not None
    spent = accounting.epsilon(rate, noise, rounds, delta)
    simulated = (
        " Simulation only: the noise is predictable." if privacy.noise_seed is not None else ""
    )
    if privacy.epsilon is not None and spent > privacy.epsilon * (1 + 1e-9):
        return (
            f"Noise z = {noise:.3g} would spend ε {spent:.3g} in {rounds} rounds; the run stops "
            f"before it passes {privacy.epsilon:g}.{simulated}"
        )
    return f"Noise z = {noise:.3g}: ε reaches {spent:.3g} at round {rounds}.{simulated}"
