"""What a trained federation says of each held-out test row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fedbench.data import FederatedDataset
from fedbench.runs.rounds import Rounds
from fedbench.schedules import Progress

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
OWN = "personal_"  # before the columns of the personal models


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for the N held-out test rows of `data`, in its order: by client.

    `shared` is by the global model: probabilities [N, K] of K classes, or [N, 1] in the target's
    own unit. `personal` is the same, each row by the model of its own client, None where everybody
    uses the global one.
    """

    data: FederatedDataset
    shared: Floats
    personal: Floats | None = None

    @property
    def used(self) -> Floats:
        """Return the predictions that clients use: by their own models if they have any."""
        return self.shared if self.personal is None else self.personal

    def frame(self) -> pd.DataFrame:
        """Return one row a test row.

        Columns: client (name or number), target (name of the class, or number in the target's own
        unit), then `probability` (of the second of two classes), or one column a class, named by
        it, or `prediction`; the same again after "personal_" where clients use models of their own;
        and each column by which the data tell rows apart, unless its name is one of these.
        """
        import pandas as pd

        data, card = self.data, self.data.card
        owners = np.repeat(np.arange(data.tested), np.diff(data.test_offsets))
        client = np.array(data.names, dtype=object)[owners] if data.names else owners
        if card.task == "classification":
            target = np.array(card.classes, dtype=object)[data.y_test.astype(np.int64)]
        else:
            target = data.y_test.astype(np.float64) * card.target_std + card.target_mean
        columns: dict[str, NDArray[Any]] = {"client": client, "target": target}
        columns |= self._columns(self.shared, "")
        if self.personal is not None:
            columns |= self._columns(self.personal, OWN)
        for name, column in data.test_columns.items():
            columns.setdefault(name, np.array(column.names, dtype=object)[column.codes])
        return pd.DataFrame(columns)

    def _columns(self, values: Floats, prefix: str) -> Mapping[str, Floats]:
        card = self.data.card
        if card.task == "regression":
            return {f"{prefix}prediction": values[:, 0]}
        if len(card.classes) == 2:
            return {f"{prefix}probability": values[:, 1]}
        return {f"{prefix}{name}": values[:, k] for k, name in enumerate(card.classes)}

    def __repr__(self) -> str:
        own = "" if self.personal is None else ", by own models too"
        return f"<Predictions for {len(self.shared)} test rows{own}>"


def predictions(rounds: Rounds, progress: Progress) -> Predictions:
    """Return the predictions of a run as far as it has come."""
    shared, personal = rounds.outputs(progress.params, progress.clients)
    data = rounds.data
    own = None if personal is None else _said(data, personal)
    return Predictions(data, _said(data, shared), own)


def _said(data: FederatedDataset, outputs: Tensor) -> Floats:
    card, values = data.card, outputs.detach().double()
    if card.task == "regression":
        return (values * card.target_std + card.target_mean).numpy()
    if values.shape[1] == 1:  # the log odds of the second of two classes
        second = values.sigmoid().numpy()
        return np.concatenate([1 - second, second], axis=1)
    return values.softmax(1).numpy()
