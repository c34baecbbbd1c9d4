"""What a federation is to be compared with: all data in one place, and nobody sharing anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.data import FederatedDataset
from fedbench.experiment import Experiment
from fedbench.runs import RoundDone
from fedbench.soundness import MANY
from fedbench.strategies import Ditto
from fedbench.study.oracle import oracle

if TYPE_CHECKING:
    import pandas as pd

# What a federation adds to training; an alternative to it goes by the default, which is none of it.
FEDERAL = ("strategy", "aggregator", "attack", "privacy", "sampling", "devices", "target")


@dataclass(frozen=True, eq=False)
class Baselines:
    """The levels between which a federation lies, if it is worth its while.

    `pooled` is the first metric of one model trained on the data of all clients in one place;
    `local` is that metric over all test rows, each by a model that its client trained alone, and
    `clients` the same for each client's own test rows, float32[tested], NaN without any. All are
    taken after as many rounds of the experiment's local training as it has rounds. `oracle` is what
    who knows the truth scores on the same test rows, where the data are simulated and not skewed;
    on few rows chance can beat it.
    """

    metric: str
    pooled: float
    local: float
    clients: NDArray[np.float32]
    names: tuple[str, ...] = ()
    oracle: float | None = None

    @property
    def levels(self) -> dict[str, float]:
        """Return the levels by name, as `History.figure` draws them."""
        truth = {} if self.oracle is None else {"true model": self.oracle}
        return {"pooled": self.pooled, "local-only": self.local, **truth}

    def frame(self) -> pd.DataFrame:
        """Return the local-only level of each client with test rows, by client."""
        import pandas as pd

        index = list(self.names[: len(self.clients)]) or range(len(self.clients))
        return pd.DataFrame({self.metric: self.clients}, index=pd.Index(index, name="client"))

    def __repr__(self) -> str:
        return f"<Baselines: {self.metric} {self.pooled:.4g} pooled, {self.local:.4g} local-only>"


def baselines(
    experiment: Experiment, *, go_on: Callable[[], bool] = lambda: True
) -> Baselines | None:
    """Return the pooled and the local-only level of an experiment.

    Model, training, data, skews, seed and number of rounds are those of the experiment; there is no
    privacy, no attack and no sampling in either. `go_on` is asked before each round; None is
    returned once it says no. Raises ValueError for more clients than anyone would train alone.
    """
    if experiment.clients > MANY:
        raise ValueError(
            f"partition.clients: {experiment.clients:,} clients are too many to train each alone; "
            f"at most {MANY:,}"
        )
    data = experiment.federation()
    plain = alternative(experiment)
    pooled = _last(plain, data.pooled(), go_on)
    alone = None if pooled is None else _last(plain.replace(strategy=Ditto(lam=0)), data, go_on)
    if pooled is None or alone is None:
        return None
    metric = experiment.metric
    best = None if experiment.skews else oracle(experiment.data)
    return Baselines(
        metric,
        pooled.metrics[metric],
        alone.personal,
        alone.clients,
        data.names,
        None if best is None else best[metric],
    )


def alternative(experiment: Experiment) -> Experiment:
    """Return the experiment less all that makes a federation: what its levels depend on."""
    fields = Experiment.model_fields
    return experiment.replace(**{name: fields[name].get_default() for name in FEDERAL})


def _last(
    experiment: Experiment, data: FederatedDataset, go_on: Callable[[], bool]
) -> RoundDone | None:
    import torch

    from fedbench.runs.rounds import Rounds

    torch.set_num_threads(1)  # as a session does
    rounds, row = Rounds(experiment, data), None
    progress = rounds.begin()
    while rounds.ended(progress, row) is None:
        if not go_on():
            return None
        progress, row = rounds.next(progress)
    return row
