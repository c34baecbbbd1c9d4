"""What a federation is to be compared with: all data in one place, and nobody sharing anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.config.problems import expect
from fedbench.data import FederatedDataset
from fedbench.experiment import Experiment
from fedbench.metrics import METRICS, RoundRecord
from fedbench.participation.sampling import MANY
from fedbench.runs.naive import levels
from fedbench.strategies import Ditto
from fedbench.study.oracle import oracle

if TYPE_CHECKING:
    import pandas as pd

    from fedbench.runs.predictions import Predictions

# What a federation adds to training; an alternative to it goes by the default, which is none of it.
FEDERAL = (
    *("strategy", "schedule", "aggregator", "attack", "privacy", "sampling", "devices", "target"),
)


@dataclass(frozen=True, eq=False)
class Baselines:
    """The levels between which a federation lies, if it is worth its while.

    `pooled` is the first metric of one model trained on the data of all clients in one place;
    `local` is that metric over all test rows, each by a model that its client trained alone, and
    `clients` the same for each client's own test rows, float32[tested], NaN without any. All are
    taken after as many rounds of the experiment's local training as it has rounds. `oracle` is the
    score of the true model on the same test rows, where the data are simulated and not skewed; on
    few rows chance can beat it. `predictions` are those of the personal models, each for its
    own test rows, as `who_gains` takes them. `naive` are levels of predictions that learn
    nothing, such as always the most frequent class, by name (see `fedbench.runs.naive`).
    """

    metric: str
    pooled: float
    local: float
    clients: NDArray[np.float32]
    names: tuple[str, ...] = ()
    oracle: float | None = None
    predictions: Predictions | None = None
    naive: Mapping[str, float] = field(default_factory=dict)

    @property
    def levels(self) -> dict[str, float]:
        """Return the levels by name, as `History.figure` draws them."""
        truth = {} if self.oracle is None else {"true model": self.oracle}
        return {"pooled": self.pooled, "alone": self.local, **truth, **self.naive}

    @property
    def comment(self) -> str:
        """Return what it means where training alone beats pooled data, else ""."""
        lead = (self.local - self.pooled) * (1 if METRICS[self.metric].rises else -1)
        if not lead > 0:
            return ""
        return (
            "Alone beats pooled: the clients differ so much that one model for all of them serves "
            "them worse than their own. Try a personal strategy, such as Ditto."
        )

    def frame(self) -> pd.DataFrame:
        """Return the metric of each client with test rows trained alone, by client."""
        import pandas as pd

        index = list(self.names[: len(self.clients)]) or range(len(self.clients))
        return pd.DataFrame({self.metric: self.clients}, index=pd.Index(index, name="client"))

    def __repr__(self) -> str:
        return f"<Baselines: {self.metric} {self.pooled:.4g} pooled, {self.local:.4g} alone>"


def baselines(
    experiment: Experiment, *, go_on: Callable[[], bool] = lambda: True
) -> Baselines | None:
    """Return the level of pooled data, and of each client alone, of an experiment.

    Model, training, data, skews, seed and number of rounds are those of the experiment; there is no
    privacy, no attack and no sampling in either. `go_on` is asked before each round; None is
    returned once it says no. Raises ValueError for more clients than anyone would train alone.
    """
    expect(experiment, Experiment, "experiment")
    if experiment.clients > MANY:
        raise ValueError(
            f"partition.clients: {experiment.clients:,} clients are too many to train each "
            f"alone; choose at most {MANY:,}"
        )
    data = experiment.federation()
    plain = alternative(experiment)
    pooled = _last(plain, data.pooled(), go_on)
    apart = None if pooled is None else _last(plain.replace(strategy=Ditto(lam=0)), data, go_on)
    if pooled is None or apart is None:
        return None
    (whole, _), (alone, predictions) = pooled, apart
    metric = experiment.metric
    best = None if experiment.skews else oracle(experiment.data)
    return Baselines(
        metric,
        whole.metrics[metric],
        alone.personal,
        alone.clients,
        data.names,
        None if best is None else best[metric],
        predictions,
        levels(data, metric),
    )


def alternative(experiment: Experiment) -> Experiment:
    """Return the experiment less all that makes a federation: what its levels depend on."""
    fields = Experiment.model_fields
    return experiment.replace(**{name: fields[name].get_default() for name in FEDERAL})


def _last(
    experiment: Experiment, data: FederatedDataset, go_on: Callable[[], bool]
) -> tuple[RoundRecord, Predictions] | None:
    import torch

    from fedbench.runs.predictions import predictions
    from fedbench.runs.rounds import Rounds

    torch.set_num_threads(1)  # as a session does
    rounds, row = Rounds(experiment, data), None
    progress = rounds.begin()
    while rounds.ended(progress, row) is None:
        if not go_on():
            return None
        progress, row = rounds.next(progress)
    assert row is not None  # there is one round at least
    return row, predictions(rounds, progress)
